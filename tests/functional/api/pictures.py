"""Images that tests of the JSON door upload, and waiting for what is made of them."""

from __future__ import annotations

import secrets
import time
from typing import Any

from tests.functional.api.client import Answer, Api, File
from tests.images import jpeg

DEADLINE = 60.0
"""Seconds."""


def uploaded(api: Api, data: bytes | None = None, name: str = "photo.jpg", **fields: str) -> dict[str, Any]:
    """A new image: what the upload answered."""
    if data is None:
        data = jpeg((320, 213), seed=secrets.randbelow(1 << 30))
    answer = api.upload(File(data, name), **fields)
    assert answer.status == 201, answer.body
    document: dict[str, Any] = answer.json
    return document


def processed(api: Api, image_id: str) -> dict[str, Any]:
    """The image when its job is done."""
    end = time.monotonic() + DEADLINE
    while True:
        answer = api.get(f"images/{image_id}")
        assert answer.status == 200, answer.body
        if answer.json["status"] == "completed":
            document: dict[str, Any] = answer.json
            return document
        assert answer.json["status"] != "failed", answer.json
        assert time.monotonic() < end, answer.json
        time.sleep(0.1)


def eventually(ask: Any, status: int) -> Answer:
    """What `ask()` answers when it answers with that status."""
    end = time.monotonic() + DEADLINE
    while True:
        answer: Answer = ask()
        if answer.status == status:
            return answer
        assert time.monotonic() < end, (answer.status, answer.body[:300])
        time.sleep(0.1)
