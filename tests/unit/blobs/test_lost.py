"""What is logged of blobs that a store does not have."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from gateway.blobs import lost
from gateway.blobs.lost import LostBlobs


def test_one_line_at_a_time(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(lost, "time", SimpleNamespace(monotonic=lambda: now))
    blobs = LostBlobs("cold")
    for _ in range(3):
        blobs.tell("7/1")
    blobs.tell("7/2")
    now += lost.PAUSE_SECONDS
    blobs.tell("7/3")
    assert [record.args for record in caplog.records] == [("cold", "7/1"), ("cold", "7/3")]
