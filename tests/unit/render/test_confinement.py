"""What is said about layers of the sandbox that are missing."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from gateway.render import confinement, sandbox
from gateway.render.errors import BrokerUnavailable


class Stats:
    """A broker's figures, one after the other."""

    def __init__(self, *answers: dict[str, Any] | Exception) -> None:
        self._answers = list(answers)

    async def stats(self) -> dict[str, Any]:
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_every_layer_says_what_it_takes() -> None:
    assert set(confinement.WHAT_IT_TAKES) == set(sandbox.LAYERS)
    assert "landlock (needs Linux 5.13" in confinement.lacking(["landlock"])


async def test_the_log_names_what_is_missing_once_a_decoder_has_said(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(confinement, "_ASK_AGAIN_SECONDS", 0)
    stats = Stats(
        BrokerUnavailable("It starts."),
        {"vips": None, "sandbox_missing": []},
        {"vips": "8.18.7", "sandbox_missing": ["seccomp", "network"]},
    )
    with caplog.at_level(logging.WARNING, "pixgate.render"):
        await asyncio.wait_for(confinement.announce(stats), 30)  # type: ignore[arg-type]
    [record] = caplog.records
    assert record.getMessage().startswith("decoders run without network (needs")
    assert "seccomp" in record.getMessage()
    assert "landlock" not in record.getMessage()


async def test_nothing_is_said_where_nothing_is_missing(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "pixgate.render"):
        await confinement.announce(Stats({"vips": "8.18.7", "sandbox_missing": []}))  # type: ignore[arg-type]
    assert not caplog.records


def test_the_probe_finds_what_this_machine_lacks() -> None:
    assert set(confinement.probe()) <= set(sandbox.LAYERS)
