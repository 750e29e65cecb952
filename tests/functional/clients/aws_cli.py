"""aws-cli, version 1 and version 2."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.functional.clients.port import Client, command


@functools.cache
def installed(major: int) -> str | None:
    """The first aws-cli of that major version on the path (beside this Python first), or None."""
    folders = [str(Path(sys.executable).parent), *os.environ.get("PATH", "").split(os.pathsep), "/usr/bin"]
    for folder in dict.fromkeys(folders):
        binary = Path(folder) / "aws"
        if not os.access(binary, os.X_OK):
            continue
        try:
            said = subprocess.run([str(binary), "--version"], capture_output=True, text=True, timeout=30)
        except (OSError, subprocess.TimeoutExpired):
            continue
        if (said.stdout + said.stderr).strip().startswith(f"aws-cli/{major}."):
            return str(binary)
    return None


class AwsCli(Client):
    """`aws s3` for files and trees; `aws s3api` for keys that `aws s3` would take for folders."""

    major = 1
    name = "aws-cli v1"

    def _aws(self, *arguments: str) -> str:
        binary = installed(self.major)
        assert binary is not None
        environment = {
            "HOME": str(self.home),
            "AWS_ACCESS_KEY_ID": self.keys.access_key,
            "AWS_SECRET_ACCESS_KEY": self.keys.secret_key,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_PAGER": "",
            "PYTHONWARNINGS": "ignore",
        }
        if self.server.ca_file:
            environment["AWS_CA_BUNDLE"] = self.server.ca_file
        return command(binary, "--endpoint-url", self.server.url, *arguments, environment=environment)

    @staticmethod
    def _for_the_api(key: str) -> bool:
        return key.endswith("/") or "//" in key or ".." in key.split("/")

    def put(self, file: Path, bucket: str, key: str) -> None:
        if self._for_the_api(key):
            self.put_in_one_request(file, bucket, key)
        else:
            self._aws("s3", "cp", str(file), f"s3://{bucket}/{key}")

    def put_in_one_request(self, file: Path, bucket: str, key: str) -> None:
        self._aws("s3api", "put-object", "--bucket", bucket, "--key", key, "--body", str(file))

    def get(self, bucket: str, key: str, file: Path) -> None:
        if self._for_the_api(key):
            self._aws("s3api", "get-object", "--bucket", bucket, "--key", key, str(file))
        else:
            self._aws("s3", "cp", f"s3://{bucket}/{key}", str(file))

    def copy(self, bucket: str, key: str, to: str) -> None:
        self._aws("s3", "cp", f"s3://{bucket}/{key}", f"s3://{bucket}/{to}")

    def move(self, bucket: str, key: str, to: str) -> None:
        self._aws("s3", "mv", f"s3://{bucket}/{key}", f"s3://{bucket}/{to}")

    def delete(self, bucket: str, key: str) -> None:
        self._aws("s3", "rm", f"s3://{bucket}/{key}")

    def list(self, bucket: str, prefix: str = "") -> Sequence[str]:
        lines = self._aws("s3", "ls", "--recursive", f"s3://{bucket}/{prefix}").splitlines()
        return [line.split(None, 3)[3] for line in lines]

    def upload_tree(self, folder: Path, bucket: str, prefix: str) -> None:
        self._aws("s3", "sync", "--delete", str(folder), f"s3://{bucket}/{prefix}")

    def download_tree(self, bucket: str, prefix: str, folder: Path) -> None:
        self._aws("s3", "sync", "--delete", f"s3://{bucket}/{prefix}", str(folder))


class AwsCli2(AwsCli):
    """Version 2 as found on the machine."""

    major = 2
    name = "aws-cli v2"
