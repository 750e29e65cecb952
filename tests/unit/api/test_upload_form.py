"""The form of an upload as its body comes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from gateway.api.errors import ApiError
from gateway.api.v1 import upload_form
from gateway.api.v1.upload_form import UploadForm

HEAD = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'


class Dripping:
    """A body of which each piece takes `seconds` on the clock that it moves."""

    def __init__(self, size: int, seconds: float) -> None:
        self.clock = 0.0
        self._pieces = [HEAD, *[b"x" * size] * 40, b"\r\n--b--\r\n"]
        self._seconds = seconds

    async def read(self) -> bytes:
        self.clock += self._seconds
        return self._pieces.pop(0) if self._pieces else b""


async def taken(body: Dripping, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(upload_form, "time", SimpleNamespace(monotonic=lambda: body.clock))
    call: Any = SimpleNamespace(
        incoming=body,
        headers={"content-type": "multipart/form-data; boundary=b"},
        body_sha256=None,
        settings=SimpleNamespace(upload_min_rate=1000),
    )
    form = UploadForm(call, 1_000_000, frozenset({"file"}))
    assert await form.next_file() is not None
    size = 0
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
