"""kill -9, and what they stand on taken away, in the middle of uploads: what was acknowledged is there, and nothing in half."""

from __future__ import annotations

import hashlib
import http.client
import random
import secrets
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests import images
from tests.functional.api.client import SECRET, Api
from tests.services import Server

_WRITERS = 6
_LOST = (OSError, http.client.HTTPException)
ENVIRONMENT = {"PIXGATE_JWT_SECRET": SECRET, "PIXGATE_BCRYPT_COST": "4"}
_PHOTOS = (images.jpeg((80, 60)), images.jpeg((900, 700), quality=92), images.jpeg((1800, 1300), quality=95))


def _upload(who: Api, acknowledged: dict[str, str], stop: threading.Event, seed: int) -> None:
    dice = random.Random(seed)
    while not stop.is_set():
        # Some bytes come twice, so that their content is shared.
        tail = secrets.token_bytes(4) if dice.random() < 0.7 else b"same"
        data = dice.choice(_PHOTOS) + tail
        try:
            answer = who.upload(data, visibility="private", timeout=30)
        except _LOST:
            return
        if answer.status == 201:
            acknowledged[answer.json["id"]] = hashlib.sha256(data).hexdigest()


def _all_of(who: Api) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor = None
    while True:
        answer = who.get("users/me/images", query={"limit": "100"} | ({"cursor": cursor} if cursor else {}))
        assert answer.status == 200, answer.body
        found += answer.json["images"]
        cursor = answer.json["next_cursor"]
        if cursor is None:
            return found


def _check(who: Api, acknowledged: dict[str, str]) -> None:
    """What was acknowledged is there, each with its bytes, its checksum and its job; and of the rest nothing in half."""
    listed = {image["id"]: image for image in _all_of(who)}
    assert set(acknowledged) <= set(listed), "an upload was acknowledged and is gone"
    for image_id, image in listed.items():
        body = who.get(f"images/{image_id}/file").body
        digest = hashlib.sha256(body).hexdigest()
        assert digest == image["checksum"]
        assert len(body) == image["file_size"]
        assert digest == acknowledged.get(image_id, digest)
        assert who.get(f"images/jobs/{image['job_id']}").json["image_id"] == image_id


def _rounds(folder: Path, rounds: int) -> None:
    server, acknowledged, dice = Server(folder / "data", environment=ENVIRONMENT), {}, random.Random(rounds)
    server.start()
    try:
        user = Api(server).app_user("uploading").token
        for number in range(rounds):
            stop, before = threading.Event(), len(acknowledged)
            who = Api(server, user)
            with ThreadPoolExecutor(_WRITERS) as pool:
                jobs = [
                    pool.submit(_upload, who, acknowledged, stop, number * 100 + writer) for writer in range(_WRITERS)
                ]
                deadline = time.monotonic() + 60
                while len(acknowledged) < before + _WRITERS + 2 and time.monotonic() < deadline:
                    time.sleep(0.01)
                time.sleep(dice.uniform(0, 0.5))
                server.kill()
                stop.set()
                for job in jobs:
                    job.result(60)
            server.start()
            _check(Api(server, user), acknowledged)
            server.fsck()
        assert len(acknowledged) > rounds * _WRITERS, "too little was uploaded to prove anything"
    finally:
        if server.running:
            server.stop()
    server.fsck()


def test_one_round(tmp_path: Path) -> None:
    _rounds(tmp_path, 1)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_thirty_rounds(tmp_path: Path) -> None:
    _rounds(tmp_path, 30)
