"""kill -9 in the middle of uploads: what was acknowledged is there, and nothing is there in half."""

from __future__ import annotations

import hashlib
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import botocore.exceptions
import pytest

from tests.services import Server

_WRITERS = 6
_PART = 5 * 1024 * 1024
_LOST = (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError)


@dataclass
class Ledger:
    """What was sent and what was acknowledged, key by key, in order; each key has one writer."""

    sent: dict[str, list[str]] = field(default_factory=dict)
    acknowledged: dict[str, int] = field(default_factory=dict)

    def send(self, key: str, body: bytes) -> int:
        """Note a body that is about to be sent; its number among those of the key."""
        bodies = self.sent.setdefault(key, [])
        bodies.append(hashlib.sha256(body).hexdigest())
        return len(bodies) - 1

    def check(self, found: dict[str, str]) -> None:
        """What is found is the last body acknowledged, or one that was sent after it."""
        assert set(found) <= set(self.sent), "a key that nobody wrote"
        for key, bodies in self.sent.items():
            acknowledged = self.acknowledged.get(key, -1)
            if acknowledged >= 0:
                assert key in found, f"{key} was acknowledged and is gone"
            if key in found:
                possible = bodies[max(acknowledged, 0) :]
                assert found[key] in possible, f"{key} holds what was not sent last, or half of something"


def _bodies(seed: int) -> Callable[[], bytes]:
    dice = random.Random(seed)
    return lambda: dice.randbytes(dice.choice([0, 1, 100, 4096, 70_000, 1_500_000]))


def _put(server: Server, ledger: Ledger, writer: int, stop: threading.Event, seed: int) -> None:
    client, body_of = server.client(), _bodies(seed)
    count = 0
    while not stop.is_set():
        key = f"w{writer}/{count % 7 if writer % 2 else f'{seed}-{count}'}"
        body = body_of()
        number = ledger.send(key, body)
        try:
            client.put_object(Bucket="killed", Key=key, Body=body)
        except _LOST:
            return
        ledger.acknowledged[key] = number
        count += 1


def _multipart(server: Server, ledger: Ledger, writer: int, stop: threading.Event, seed: int) -> None:
    client, dice = server.client(), random.Random(seed)
    count = 0
    while not stop.is_set():
        key = f"m{writer}/{count % 3}"
        parts = [dice.randbytes(_PART), dice.randbytes(1000)]
        number = ledger.send(key, b"".join(parts))
        try:
            upload = client.create_multipart_upload(Bucket="killed", Key=key)["UploadId"]
            done = [
                {
                    "PartNumber": index,
                    "ETag": client.upload_part(Bucket="killed", Key=key, UploadId=upload, PartNumber=index, Body=part)[
                        "ETag"
                    ],
                }
                for index, part in enumerate(parts, 1)
            ]
            client.complete_multipart_upload(Bucket="killed", Key=key, UploadId=upload, MultipartUpload={"Parts": done})
        except _LOST:
            return
        ledger.acknowledged[key] = number
        count += 1


def _found(server: Server) -> dict[str, str]:
    client = server.client()
    pages = client.get_paginator("list_objects_v2").paginate(Bucket="killed")
    found = {}
    for page in pages:
        for entry in page.get("Contents", []):
            body = client.get_object(Bucket="killed", Key=entry["Key"])["Body"].read()
            assert len(body) == entry["Size"]
            found[entry["Key"]] = hashlib.sha256(body).hexdigest()
    return found


def _rounds(folder: Path, rounds: int) -> None:
    server, ledger, dice = Server(folder / "data"), Ledger(), random.Random(rounds)
    server.start()
    try:
        server.client().create_bucket(Bucket="killed")
        for number in range(rounds):
            stop = threading.Event()
            acknowledged = len(ledger.acknowledged)
            # Made before anybody is in a hurry: that takes a while.
            server.client()
            with ThreadPoolExecutor(_WRITERS) as pool:
                jobs = [
                    pool.submit(
                        _multipart if writer == 0 else _put, server, ledger, writer, stop, number * 100 + writer
                    )
                    for writer in range(_WRITERS)
                ]
                # Enough is written first, however slow the machine is.
                deadline = time.monotonic() + 60
                while len(ledger.acknowledged) < acknowledged + _WRITERS + 2 and time.monotonic() < deadline:
                    time.sleep(0.01)
                time.sleep(dice.uniform(0, 0.9))
                server.kill()
                stop.set()
                for job in jobs:
                    job.result(60)
            server.start()
            ledger.check(_found(server))
            server.fsck()
        assert len(ledger.acknowledged) > rounds * _WRITERS, "too little was written to prove anything"
    finally:
        if server.running:
            server.stop()
    server.fsck()


def test_five_rounds(tmp_path: Path) -> None:
    _rounds(tmp_path, 5)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_fifty_rounds(tmp_path: Path) -> None:
    _rounds(tmp_path, 50)


def test_the_ledger_notices_each_kind_of_loss() -> None:
    """The judge of the rounds above is no yes-man."""
    ledger = Ledger()
    bodies = [b"one", b"two", b"three"]
    digests = [hashlib.sha256(body).hexdigest() for body in bodies]
    for body in bodies:
        ledger.send("key", body)
    ledger.check({})  # nothing acknowledged, nothing there
    ledger.acknowledged["key"] = 1
    ledger.check({"key": digests[1]})
    ledger.check({"key": digests[2]})  # sent later, its answer lost
    with pytest.raises(AssertionError, match="is gone"):
        ledger.check({})
    with pytest.raises(AssertionError, match="half"):
        ledger.check({"key": digests[0]})
    with pytest.raises(AssertionError, match="half"):
        ledger.check({"key": hashlib.sha256(b"thr").hexdigest()})
    with pytest.raises(AssertionError, match="nobody wrote"):
        ledger.check({"key": digests[1], "other": digests[1]})
