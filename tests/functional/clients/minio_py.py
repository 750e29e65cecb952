"""minio-py."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import minio
import minio.commonconfig
import minio.error
import urllib3

from tests.functional.clients.port import Client, ClientFailed

_REFUSES = "minio-py refuses keys with . or .. as an element"


class MinioPy(Client):
    """Signs chunks over http, and leaves bodies to TLS over https."""

    name = "minio-py"
    beyond = {"a/../b": _REFUSES, "..": _REFUSES}

    @property
    def _minio(self) -> minio.Minio:
        secure = self.server.ca_file is not None
        return minio.Minio(
            self.server.url.partition("://")[2],
            self.keys.access_key,
            self.keys.secret_key,
            secure=secure,
            http_client=urllib3.PoolManager(ca_certs=self.server.ca_file) if secure else None,
        )

    def put(self, file: Path, bucket: str, key: str) -> None:
        try:
            self._minio.fput_object(bucket, key, str(file))
        except minio.error.S3Error as error:
            raise ClientFailed(str(error)) from error

    def get(self, bucket: str, key: str, file: Path) -> None:
        self._minio.fget_object(bucket, key, str(file))

    def copy(self, bucket: str, key: str, to: str) -> None:
        self._minio.copy_object(bucket, to, minio.commonconfig.CopySource(bucket, key))

    def move(self, bucket: str, key: str, to: str) -> None:
        self.copy(bucket, key, to)
        self.delete(bucket, key)

    def delete(self, bucket: str, key: str) -> None:
        self._minio.remove_object(bucket, key)

    def list(self, bucket: str, prefix: str = "") -> Sequence[str]:
        return [entry.object_name or "" for entry in self._minio.list_objects(bucket, prefix, recursive=True)]

    def upload_tree(self, folder: Path, bucket: str, prefix: str) -> None:
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            self.put(file, bucket, prefix + file.relative_to(folder).as_posix())

    def download_tree(self, bucket: str, prefix: str, folder: Path) -> None:
        for key in self.list(bucket, prefix):
            file = folder / key.removeprefix(prefix)
            file.parent.mkdir(parents=True, exist_ok=True)
            self.get(bucket, key, file)
