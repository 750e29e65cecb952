"""What is found wrong before any worker starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config import load
from gateway.first_start import prepare
from gateway.settings.address import Address
from gateway.supervisor.roles import AWAY


def test_a_private_key_that_is_none_refuses_the_start(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key = tmp_path / "tokens.pem"
    key.write_text("-----BEGIN PRIVATE KEY-----\nnothing\n-----END PRIVATE KEY-----\n")
    environ = {"PIXGATE_JWT_ALGORITHM": "RS256", "PIXGATE_JWT_PRIVATE_KEY": str(key)}
    settings = load({"data": tmp_path / "data"}, environ=environ)
    assert prepare(settings, Address("127.0.0.1", 1)) == 1
    assert "Error:" in capsys.readouterr().err


def test_a_store_that_is_waited_for_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    environ = {"PIXGATE_STORE_URL": f"file://{tmp_path}/cold"}
    settings = load({"data": tmp_path / "data"}, environ=environ)
    assert prepare(settings, Address("127.0.0.1", 1)) == AWAY
    told = capsys.readouterr().err
    assert told == f"Waiting: The store does not answer. (store main, folder {tmp_path}/cold: it is not there)\n"
    (tmp_path / "cold").mkdir()
    assert prepare(settings, Address("127.0.0.1", 1), again=True) == 0
