"""Every client over http and https, with an account and a bucket of its own."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from tests.functional.clients.aws_cli import AwsCli, AwsCli2, installed
from tests.functional.clients.boto3_client import Boto3
from tests.functional.clients.minio_py import MinioPy
from tests.functional.clients.port import Client
from tests.functional.clients.rclone import Rclone
from tests.functional.clients.s3cmd import S3cmd
from tests.services import Server

ALL = (Boto3, AwsCli, AwsCli2, Rclone, S3cmd, MinioPy)


def _made(kind: type[Client], server: Server, home: Path) -> Client:
    if issubclass(kind, AwsCli) and installed(kind.major) is None:
        pytest.skip(f"no aws-cli {kind.major} is installed")
    home.mkdir()
    return kind(server, server.keys("clients"), home)


@pytest.fixture(params=ALL, ids=lambda kind: kind.name.replace(" ", "-"))
def client(request: pytest.FixtureRequest, server: Server, tmp_path: Path) -> Client:
    """A client over http, then over https."""
    return _made(request.param, server, tmp_path / "home")


@pytest.fixture(params=ALL, ids=lambda kind: kind.name.replace(" ", "-"))
def https_client(request: pytest.FixtureRequest, https_server: Server, tmp_path: Path) -> Client:
    """A client over https only."""
    return _made(request.param, https_server, tmp_path / "home")


@pytest.fixture(params=ALL, ids=lambda kind: kind.name.replace(" ", "-"))
def http_client(request: pytest.FixtureRequest, http_server: Server, tmp_path: Path) -> Client:
    """A client over http only."""
    return _made(request.param, http_server, tmp_path / "home")


def new_bucket(client: Client) -> str:
    """A new bucket of the client's account."""
    name = f"clients-{secrets.token_hex(6)}"
    client.server.client(client.keys).create_bucket(Bucket=name)
    return name
