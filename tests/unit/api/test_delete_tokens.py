"""Delete tokens: which opens which image, and until when."""

from __future__ import annotations

import secrets
from dataclasses import replace

import pytest

from gateway.api.v1.changes import _opens
from gateway.services.uploading import token_hash
from tests.contract.image_rows import image_row

TOKEN = secrets.token_urlsafe(32)
OTHERS = ("", TOKEN[:-1], TOKEN + "A", TOKEN.swapcase(), "\ud800", "ü" * 43)
ROW = replace(image_row("I" * 27, 1, 1, 1), delete_hash=token_hash(TOKEN), delete_expires_ms=None)


@pytest.mark.parametrize("token", OTHERS, ids=range(len(OTHERS)))
def test_another_token_opens_nothing(token: str) -> None:
    assert _opens(ROW, TOKEN, 5)
    assert not _opens(ROW, token, 5)


def test_a_token_may_expire() -> None:
    row = replace(ROW, delete_expires_ms=10)
    assert _opens(row, TOKEN, 9)
    assert not _opens(row, TOKEN, 10)


def test_an_image_without_a_token_is_opened_by_none() -> None:
    row = replace(ROW, delete_hash=None)
    for token in ("", TOKEN, "None"):
        assert not _opens(row, token, 5)
