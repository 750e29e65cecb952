"""A disk that fills up, under the embedded default: below the reserve PUTs and renders stop, and all that frees space goes on."""

from __future__ import annotations

import contextlib
import ctypes
import ctypes.util
import json
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import images
from tests.deployment import contents
from tests.ledger import Ledger
from tests.services import Server, pixgate, running
from tests.traffic import Traffic, ask

SIZE = 160 * 1024**2
RESERVE = 64 * 1024**2
TAKEN = 1024**2
LOOKS_SECONDS = 60
"""In which a server sees that room has gone or come: it looks once a second."""

pytestmark = pytest.mark.embedded


@dataclass(frozen=True)
class Disk:
    """A folder, the free space there below which a server is to stop, and whether nobody else writes there."""

    place: Path
    reserve: int
    own: bool


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """A small file system of the test's own; where none may be mounted, shared memory, nearly full by its reserve."""
    place = tmp_path / "disk"
    place.mkdir()
    libc = ctypes.CDLL(ctypes.util.find_library("c"), use_errno=True)
    if libc.mount(b"tmpfs", os.fsencode(place), b"tmpfs", 0, f"size={SIZE}".encode()):
        if _free(Path("/dev/shm")) < SIZE:
            pytest.skip("no file system may be mounted here, and shared memory is small")
        with tempfile.TemporaryDirectory(dir="/dev/shm") as shared:
            yield Disk(Path(shared), _free(Path(shared)) - SIZE + RESERVE, False)
        return
    try:
        yield Disk(place, RESERVE, True)
    finally:
        # Lazily: whatever still has a file open there is about to end.
        libc.umount2(os.fsencode(place), 2)


def _free(place: Path) -> int:
    found = os.statvfs(place)
    return found.f_bavail * found.f_frsize


def _fill(place: Path, left: int) -> Path:
    """Take all but `left` bytes."""
    path = place / "something else"
    taken = 0
    with path.open("wb") as file:
        # Others write meanwhile: step by step.
        while (more := min(_free(place) - left, 8 * TAKEN)) > 0:
            with contextlib.suppress(OSError):
                os.posix_fallocate(file.fileno(), taken, more)
                taken += more
    return path


def _put(server: Server, ledger: Ledger, key: str, body: bytes) -> int:
    """The status."""
    before = ledger.possible(key)
    digest = ledger.sending(key, body)
    answer = ask(server, "PUT", "kept", key, body)
    if answer.status == 200:
        ledger.acknowledged(key, digest)
    else:
        assert (answer.status, answer.code) == (503, "ServiceUnavailable")
        ledger.refused(key, digest, before)
    return answer.status


def _becomes(server: Server, ledger: Ledger, wanted: int) -> None:
    """Wait until a PUT has this status."""
    deadline = time.monotonic() + LOOKS_SECONDS
    while (status := _put(server, ledger, "looked", b"x")) != wanted:
        assert time.monotonic() < deadline, f"{status}, not {wanted}"
        time.sleep(0.1)


def test_below_the_reserve(disk: Disk) -> None:
    settings = {"PIXGATE_MIN_FREE_BYTES": str(disk.reserve), "PIXGATE_IMAGE_WORKER_CACHE_BYTES": "0"}
    server = Server(disk.place / "data", workers=1, environment=settings)
    ledger = Ledger()
    with running(server):
        assert ask(server, "PUT", "kept").status == 200
        assert _put(server, ledger, "photo", images.jpeg()) == 200
        bodies = {f"large-{number}": bytes([number]) * (8 * TAKEN) for number in range(3)}
        for key, body in bodies.items():
            assert _put(server, ledger, key, body) == 200
        for number in range(20):
            assert _put(server, ledger, f"small-{number}", b"%d" % number * 1000) == 200
        picture = [("x-img", "w:100")]
        assert ask(server, "GET", "kept", "photo", query=picture).status == 200

        other = _fill(disk.place, disk.reserve - TAKEN)
        _becomes(server, ledger, 503)
        for size in (10, 100_000):
            assert _put(server, ledger, f"refused-{size}", b"x" * size) == 503
        # What is made needs room too, and what was made is still given out.
        assert ask(server, "GET", "kept", "photo", query=[("x-img", "w:101")]).status == 503
        assert ask(server, "GET", "kept", "photo", query=picture).status == 200
        # One: what was read lately stays open in the server for a minute, and takes its space as long.
        assert ask(server, "GET", "kept", "large-0").body == bodies["large-0"]
        assert b"degraded" in server.fetch("/health")[1]

        # Deletions, the sweep and the checkpoints that keep the journal short go on, and make room.
        for key in (*bodies, *(f"small-{number}" for number in range(20))):
            digest = ledger.sending(key, None)
            assert ask(server, "DELETE", "kept", key).status == 204
            ledger.acknowledged(key, digest)
        for number in range(600):
            assert ask(
                server, "PUT", "kept", "photo", b"<Tagging><TagSet/></Tagging>", query=[("tagging", "")]
            ).status in (
                200,
                204,
            ), number
        before = _free(disk.place)
        report = json.loads(pixgate("sweep", "--grace", "0s", "--json", data=server.data).stdout)
        assert report["blobs"] >= 3
        assert _free(disk.place) > before + 14 * TAKEN
        assert (server.data / "pixgate.sqlite-wal").stat().st_size < 8 * TAKEN
        # There is room again, and nobody has to say so.
        _becomes(server, ledger, 200)
        assert _put(server, ledger, "again", b"x" * 100_000) == 200
        other.unlink()
        ledger.check(contents(server, "kept"))
    server.fsck()


def test_with_no_room_at_all_and_no_reserve(disk: Disk) -> None:
    """The disk is full to the last byte in the middle of uploads: refused or acknowledged, and never half."""
    if not disk.own:
        pytest.skip("no file system may be mounted here, and that of all others is not ours to fill")
    server = Server(disk.place / "data", workers=2, environment={"PIXGATE_MIN_FREE_BYTES": "0"})
    with running(server):
        assert ask(server, "PUT", "kept").status == 200
        traffic = Traffic([server], "kept", final=False)
        with traffic.flowing():
            traffic.until("PUT 200", 20)
            other = _fill(disk.place, 3 * TAKEN)
            traffic.until("PUT 503", 5, 60)
            other.unlink()
            traffic.until("PUT 200", 20, 60)
        traffic.ledger.check(contents(server, "kept"))
    server.fsck()
