"""s3cmd."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from tests.functional.clients.port import Client, command


class S3cmd(Client):
    """Path style, as its settings file says; files above 15 MB go in parts."""

    name = "s3cmd"
    beyond = {"trailing/": "s3cmd adds the file's name to a key that ends in a slash"}

    def _s3cmd(self, *arguments: str) -> str:
        settings = self.home / "s3cfg"
        host = self.server.url.partition("://")[2]
        lines = [
            "[default]",
            f"access_key = {self.keys.access_key}",
            f"secret_key = {self.keys.secret_key}",
            f"host_base = {host}",
            f"host_bucket = {host}",
            f"use_https = {self.server.ca_file is not None}",
            f"ca_certs_file = {self.server.ca_file or ''}",
        ]
        settings.write_text("\n".join(lines) + "\n")
        binary = str(Path(sys.executable).parent / "s3cmd")
        environment = {"HOME": str(self.home), "PYTHONWARNINGS": "ignore"}
        return command(
            sys.executable, binary, "--config", str(settings), "--no-progress", *arguments, environment=environment
        )

    def put(self, file: Path, bucket: str, key: str) -> None:
        self._s3cmd("put", str(file), f"s3://{bucket}/{key}")

    def put_in_one_request(self, file: Path, bucket: str, key: str) -> None:
        self._s3cmd("--disable-multipart", "put", str(file), f"s3://{bucket}/{key}")

    def get(self, bucket: str, key: str, file: Path) -> None:
        self._s3cmd("--force", "get", f"s3://{bucket}/{key}", str(file))

    def copy(self, bucket: str, key: str, to: str) -> None:
        self._s3cmd("cp", f"s3://{bucket}/{key}", f"s3://{bucket}/{to}")

    def move(self, bucket: str, key: str, to: str) -> None:
        self._s3cmd("mv", f"s3://{bucket}/{key}", f"s3://{bucket}/{to}")

    def delete(self, bucket: str, key: str) -> None:
        self._s3cmd("del", f"s3://{bucket}/{key}")

    def list(self, bucket: str, prefix: str = "") -> Sequence[str]:
        lines = self._s3cmd("ls", "--recursive", f"s3://{bucket}/{prefix}").splitlines()
        return [line.partition(f"s3://{bucket}/")[2] for line in lines]

    def upload_tree(self, folder: Path, bucket: str, prefix: str) -> None:
        self._s3cmd("sync", "--delete-removed", f"{folder}/", f"s3://{bucket}/{prefix}")

    def download_tree(self, bucket: str, prefix: str, folder: Path) -> None:
        self._s3cmd("sync", "--delete-removed", f"s3://{bucket}/{prefix}", f"{folder}/")
