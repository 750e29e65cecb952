"""What tests of adoption do on both sides of the gateway: put, adopt, list, read and wait."""

from __future__ import annotations

import io
import json
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner
from PIL import Image

from gateway.cli import pixgate as commands
from tests.services import Server, environment_of


def adopt(server: Server, bucket: str, *options: str) -> dict[str, Any]:
    """Adopt a bucket of the same name, and give the report."""
    report: dict[str, Any] = json.loads(command(server, "adopt", "--bucket", bucket, "--json", *options))
    return report


def command(server: Server, *arguments: str) -> str:
    """What a command prints, run in this process: there are many of them."""
    runner = CliRunner(env=environment_of(server.data))
    done = runner.invoke(commands, [*arguments, "--data", str(server.data)])
    assert done.exit_code == 0, done.output
    return done.stdout


def changes(report: dict[str, Any]) -> tuple[int, int, int]:
    return report["new"], report["changed"], report["gone"]


def keys(client: Any, bucket: str, **options: str) -> list[str]:
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, **options)
    return [one["Key"] for page in pages for one in page.get("Contents", ())]


def code(raised: pytest.ExceptionInfo[ClientError]) -> str:
    return str(raised.value.response["Error"]["Code"])


def body(client: Any, bucket: str, key: str, **options: Any) -> bytes:
    read: bytes = client.get_object(Bucket=bucket, Key=key, **options)["Body"].read()
    return read


def put(upstream: Any, bucket: str, **objects: bytes) -> None:
    for key, data in objects.items():
        upstream.put_object(Bucket=bucket, Key=key, Body=data)


def stored(upstream: Any, server: Server) -> list[str]:
    """The blobs that the gateway itself keeps."""
    bucket = environment_of(server.data)["PIXGATE_STORE_URL"].rpartition("/")[2].partition("?")[0]
    return [key for key in keys(upstream, bucket) if key != "deployment" and not key.startswith("probe-")]


def some(client: Any, bucket: str) -> bool:
    try:
        return bool(client.list_objects_v2(Bucket=bucket, MaxKeys=1).get("Contents"))
    except ClientError:
        return False


def wait_for(holds: Any, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def rendered(server: Server, bucket: str, key: str) -> Image.Image:
    """What an SDK gets that asks for `x-img`."""
    client = server.target().client()

    def add(request: Any, **_: object) -> None:
        request.url += "?x-img=w:50"

    client.meta.events.register_first("before-sign.s3.GetObject", add)
    data = body(client, bucket, key)
    client.close()
    return Image.open(io.BytesIO(data))


def headers(client: Any, bucket: str, key: str) -> dict[str, str]:
    found: dict[str, str] = client.head_object(Bucket=bucket, Key=key)["ResponseMetadata"]["HTTPHeaders"]
    return found


def status_of(client: Any, bucket: str, key: str) -> int:
    try:
        client.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        return int(error.response["ResponseMetadata"]["HTTPStatusCode"])
    return 200
