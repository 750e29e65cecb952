"""rclone's `serve s3` over a folder: another kind of store than MinIO, with fewer abilities and other habits."""

from __future__ import annotations

import os
import secrets
import socket
from pathlib import Path

from tests.servers.keeper import Launch
from tests.servers.ports import free_port
from tests.servers.process import Command
from tests.servers.programs import find
from tests.servers.s3 import S3Server

ACCESS_KEY = "pixgate-test"


class Rclone(S3Server):
    """rclone serving the folders of `data` as buckets. It knows no versions, no conditions and no checksums."""

    kind = "rclone"

    @staticmethod
    def prepare(folder: Path) -> Launch:
        """An empty server."""
        (folder / "data").mkdir()
        port, secret = free_port(), secrets.token_hex(16)
        environment = {"PATH": os.defpath, "HOME": str(folder), "RCLONE_CONFIG": str(folder / "rclone.conf")}
        serve = (str(find("rclone")), "serve", "s3", "--addr", f"127.0.0.1:{port}", str(folder / "data"))
        options = ("--auth-key", f"{ACCESS_KEY},{secret}", "--vfs-cache-mode", "off", "--log-level", "INFO")
        details = {"endpoint": f"http://127.0.0.1:{port}", "access_key": ACCESS_KEY, "secret_key": secret}
        return Launch(Command((*serve, *options), environment), details, lambda _: _listens(port))


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True
