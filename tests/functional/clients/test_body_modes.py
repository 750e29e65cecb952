"""Which form of body each client sends by default: a counter of the server proves that each form was met."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.runner import run_case, select
from tests.functional.clients.aws_cli import AwsCli
from tests.functional.clients.boto3_client import Boto3
from tests.functional.clients.conftest import new_bucket
from tests.functional.clients.minio_py import MinioPy
from tests.functional.clients.port import Client
from tests.functional.clients.rclone import Rclone
from tests.functional.clients.s3cmd import S3cmd
from tests.services import Server, sample

_MODES = [
    (Boto3, "http", {"sha256"}),
    (Boto3, "https", {"chunked-unsigned-trailer"}),
    (AwsCli, "http", {"sha256"}),
    (AwsCli, "https", {"chunked-unsigned-trailer"}),
    (Rclone, "http", {"sha256", "unsigned"}),  # the first makes the bucket, the second carries the file
    (Rclone, "https", {"sha256", "unsigned"}),
    (S3cmd, "http", {"sha256"}),
    (S3cmd, "https", {"sha256"}),
    (MinioPy, "http", {"sha256"}),
    (MinioPy, "https", {"unsigned"}),
]


def _named(value: object) -> str:
    return str(getattr(value, "name", value)) if not isinstance(value, set) else "+".join(sorted(value))


def _count(server: Server) -> dict[str, float]:
    modes = ("sha256", "unsigned", "chunked-signed", "chunked-signed-trailer", "chunked-unsigned-trailer")
    text = server.fetch("/metrics")[1].decode()
    return {mode: sample(text, "pixgate_s3_body_mode_total", mode=mode) for mode in modes}


@pytest.mark.parametrize(("kind", "scheme", "expected"), _MODES, ids=_named)
def test_mode_of_a_plain_upload(
    request: pytest.FixtureRequest, tmp_path: Path, kind: type[Client], scheme: str, expected: set[str]
) -> None:
    server: Server = request.getfixturevalue(f"{scheme}_server")
    client = kind(server, server.keys("clients"), tmp_path)
    bucket = new_bucket(client)
    source = tmp_path / "source"
    source.write_bytes(b"x" * 1000)
    before = _count(server)
    client.put(source, bucket, "key")
    after = _count(server)
    assert {mode for mode in after if after[mode] > before[mode]} == expected


@pytest.mark.parametrize(
    ("case", "mode"),
    [("signed_chunks_are_joined", "chunked-signed"), ("signed_trailers", "chunked-signed-trailer")],
)
def test_modes_that_no_client_here_sends(server: Server, case: str, mode: str) -> None:
    """SDKs of other languages sign chunks; the conformance suite does it in their stead."""
    before = _count(server)
    for found in select([f"PutObject/{case}"]):
        run_case(found, server.target())
    assert _count(server)[mode] > before[mode]
