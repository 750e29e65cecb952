"""rclone, from the package that brings its binary."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from tests.functional.clients.port import Client, command

_CLEANS = "rclone cleans paths: no empty elements, no dots, no slash at the end"


class Rclone(Client):
    """A remote of the type s3 from the environment; large streams go in parts, files below 200 MiB in one request."""

    name = "rclone"
    beyond = {"a//b": _CLEANS, "/leading": _CLEANS, "a/../b": _CLEANS, "..": _CLEANS, "trailing/": _CLEANS}

    def _rclone(self, *arguments: str, stdin: Path | None = None) -> str:
        environment = {
            "HOME": str(self.home),
            "RCLONE_CONFIG": str(self.home / "rclone.conf"),
            "RCLONE_CONFIG_PIX_TYPE": "s3",
            "RCLONE_CONFIG_PIX_PROVIDER": "Other",
            "RCLONE_CONFIG_PIX_ENDPOINT": self.server.url,
            "RCLONE_CONFIG_PIX_ACCESS_KEY_ID": self.keys.access_key,
            "RCLONE_CONFIG_PIX_SECRET_ACCESS_KEY": self.keys.secret_key,
            "RCLONE_CONFIG_PIX_REGION": "us-east-1",
        }
        if self.server.ca_file:
            environment["RCLONE_CA_CERT"] = self.server.ca_file
        (self.home / "rclone.conf").touch()
        binary = str(Path(sys.executable).parent / "rclone")
        return command(binary, *arguments, environment=environment, stdin=stdin)

    def put(self, file: Path, bucket: str, key: str) -> None:
        self._rclone("copyto", str(file), f"pix:{bucket}/{key}")

    def put_in_one_request(self, file: Path, bucket: str, key: str) -> None:
        """Without a look at what is there and without making the bucket: the upload itself is refused."""
        self._rclone("copyto", "--no-check-dest", "--s3-no-check-bucket", str(file), f"pix:{bucket}/{key}")

    def put_as_stream(self, file: Path, bucket: str, key: str) -> None:
        """Upload from a pipe, whose length rclone does not know: in parts."""
        self._rclone("rcat", f"pix:{bucket}/{key}", stdin=file)

    def get(self, bucket: str, key: str, file: Path) -> None:
        self._rclone("copyto", f"pix:{bucket}/{key}", str(file))

    def copy(self, bucket: str, key: str, to: str) -> None:
        self._rclone("copyto", f"pix:{bucket}/{key}", f"pix:{bucket}/{to}")

    def move(self, bucket: str, key: str, to: str) -> None:
        self._rclone("moveto", f"pix:{bucket}/{key}", f"pix:{bucket}/{to}")

    def delete(self, bucket: str, key: str) -> None:
        self._rclone("deletefile", f"pix:{bucket}/{key}")

    def list(self, bucket: str, prefix: str = "") -> Sequence[str]:
        names = self._rclone("lsf", "--recursive", "--files-only", f"pix:{bucket}/{prefix}").splitlines()
        return [prefix + name for name in names]

    def upload_tree(self, folder: Path, bucket: str, prefix: str) -> None:
        self._rclone("sync", str(folder), f"pix:{bucket}/{prefix}")

    def download_tree(self, bucket: str, prefix: str, folder: Path) -> None:
        self._rclone("sync", f"pix:{bucket}/{prefix}", str(folder))
