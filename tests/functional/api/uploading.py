"""What tests of uploads send, and what they look for afterwards."""

from __future__ import annotations

from typing import Any

from tests import images
from tests.functional.api.client import Api
from tests.services import Server

JPEG = images.jpeg()


def keys_of(server: Server, bucket: str) -> list[str]:
    return [entry["Key"] for entry in server.client().list_objects_v2(Bucket=bucket).get("Contents", [])]


def mine(who: Api) -> list[dict[str, Any]]:
    answer = who.get("users/me/images")
    assert answer.status == 200
    return list(answer.json["images"])
