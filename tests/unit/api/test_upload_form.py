"""The form of an upload as its body comes."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.api.errors import ApiError
from gateway.api.v1 import upload_form
from gateway.api.v1.upload_form import UploadForm, parse_metadata

HEAD = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
TIMEOUT = 100.0
NOTHING_CHOSEN = b'--b\r\nContent-Disposition: form-data; name="file"; filename=""\r\n\r\n\r\n'


class Dripping:
    """A body of which each piece takes `seconds` on the clock that it moves."""

    def __init__(self, size: int, seconds: float, behind: bytes = b"", files: int = 1) -> None:
        self.clock = 0.0
        file = [*[b"x" * size] * 40, b"\r\n" + behind]
        self._pieces = [HEAD, *file, *[HEAD, *file] * (files - 1), b"--b--\r\n"]
        self._seconds = seconds

    def put_before_the_end(self, pieces: list[bytes]) -> None:
        self._pieces[-1:-1] = pieces

    async def read(self) -> bytes:
        self.clock += self._seconds
        return self._pieces.pop(0) if self._pieces else b""


async def taken(body: Dripping, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(upload_form, "time", SimpleNamespace(monotonic=lambda: body.clock))
    call: Any = SimpleNamespace(
        incoming=body,
        headers={"content-type": "multipart/form-data; boundary=b"},
        body_sha256=None,
        settings=SimpleNamespace(upload_min_rate=1000, upload_file_timeout=TIMEOUT),
    )
    form = UploadForm(call, 10_000_000, frozenset({"file"}))
    size = 0
    while await form.next_file() is not None:
        while piece := await form.read():
            size += len(piece)
    return size


async def test_a_body_that_drips_is_refused_and_one_of_the_least_rate_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await taken(Dripping(1100, 1.0), monkeypatch) == 44_000
    with pytest.raises(ApiError) as raised:
        await taken(Dripping(900, 1.0), monkeypatch)
    assert (raised.value.status, raised.value.code) == (408, "REQUEST_TIMEOUT")
    # A little patience: a short one may come as it likes.
    assert await taken(Dripping(1, 0.2), monkeypatch) == 40


@pytest.mark.parametrize("behind", [b"", NOTHING_CHOSEN * 3])
async def test_a_file_has_its_time_however_fast_it_comes(monkeypatch: pytest.MonkeyPatch, behind: bytes) -> None:
    assert await taken(Dripping(5000, 2.0, behind), monkeypatch) == 200_000
    with pytest.raises(ApiError) as raised:
        await taken(Dripping(50_000, 3.0, behind), monkeypatch)
    assert (raised.value.status, raised.value.code) == (408, "REQUEST_TIMEOUT")
    # Each of several has as much.
    assert await taken(Dripping(5000, 2.0, behind, files=3), monkeypatch) == 600_000


async def test_what_stands_behind_a_file_gets_no_time_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    body = Dripping(5000, 1.5)
    dripped = [b'--b\r\nContent-Disposition: form-data; name="one"\r\n\r\n', *[bytes(1000)] * 30, b"\r\n"]
    body.put_before_the_end([NOTHING_CHOSEN] * 10 + dripped)
    with pytest.raises(ApiError) as raised:
        await taken(body, monkeypatch)
    assert (raised.value.status, raised.value.code) == (408, "REQUEST_TIMEOUT")


@pytest.mark.parametrize("text", ["\\u0000", "C:\\u0000path", 'a"\\ud800'])
def test_metadata_may_speak_of_escapes(text: str) -> None:
    """A backslash before `u0000` is escaped in JSON, and no NUL."""
    for metadata in ({"a": text}, {"a": [{"b": text}]}, {text: 1}):
        assert parse_metadata(json.dumps(metadata)) == metadata


@pytest.mark.parametrize("metadata", [{"a": "\0"}, {"a": [{"b": "x\0"}]}, {"a\0": 1}, {"a": "\ud800"}])
def test_metadata_hold_text_alone(metadata: dict[str, object]) -> None:
    with pytest.raises(ApiError) as raised:
        parse_metadata(json.dumps(metadata))
    assert raised.value.code == "VALIDATION_ERROR"
