"""Names of files: whatever is sent, what is kept is short, visible and no path."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.services.filenames import MAX_BYTES, MAX_CHARACTERS, safe_filename


@given(st.text(max_size=600) | st.text("/\\.\0\u202e😀", max_size=600))
def test_every_name_becomes_a_harmless_one(name: str) -> None:
    kept = safe_filename(name, "image")
    assert 0 < len(kept) <= MAX_CHARACTERS
    assert len(kept.encode()) <= MAX_BYTES
    assert "/" not in kept
    assert "\\" not in kept
    assert kept.strip(".")
    assert not any(unicodedata.category(character) in ("Cc", "Cs", "Cf") for character in kept)


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        (None, "image"),
        ("", "image"),
        ("a/", "image"),
        (" a b.jpg ", "a b.jpg"),
        (".hidden", ".hidden"),
        ("a." + "x" * 300, ("a." + "x" * 300)[:255]),
        ("é" * 600 + ".png", "é" * 251 + ".png"),
        ("😀" * 300 + ".png", "😀" * 224 + ".png"),
    ],
)
def test_names(name: str | None, kept: str) -> None:
    assert safe_filename(name, "image") == kept
