"""MinIO on one drive, with its console off."""

from __future__ import annotations

import http.client
import os
import secrets
from pathlib import Path

from tests.servers.keeper import Launch
from tests.servers.ports import free_port
from tests.servers.process import Command
from tests.servers.programs import find
from tests.servers.s3 import REGION, S3Server

ACCESS_KEY = "pixgate-test"


class Minio(S3Server):
    """A MinIO server with a root user of its own."""

    kind = "minio"
    variable = "PIXGATE_TEST_S3_URL"

    @staticmethod
    def prepare(folder: Path) -> Launch:
        """An empty server."""
        (folder / "data").mkdir()
        port, secret = free_port(), secrets.token_hex(16)
        environment = {
            "PATH": os.defpath,
            "HOME": str(folder),
            "MINIO_ROOT_USER": ACCESS_KEY,
            "MINIO_ROOT_PASSWORD": secret,
            "MINIO_REGION": REGION,
            "MINIO_BROWSER": "off",
            "MINIO_UPDATE": "off",
            "GOMEMLIMIT": "512MiB",
        }
        command = (str(find("minio")), "server", "--quiet", "--address", f"127.0.0.1:{port}", str(folder / "data"))
        details = {"endpoint": f"http://127.0.0.1:{port}", "access_key": ACCESS_KEY, "secret_key": secret}
        return Launch(Command(command, environment), details, lambda _: _answers(port))


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        # Its own probes say that all is well before it serves S3: what refuses a stranger does.
        connection.request("GET", "/")
        return connection.getresponse().status == 403
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
