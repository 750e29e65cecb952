"""Renditions with text have keys of their own for every set of fonts."""

from __future__ import annotations

from pathlib import Path

from transforms.fonts import files, fingerprint
from transforms.rendering import Rendering


def test_the_fingerprint_follows_names_and_sizes(tmp_path: Path) -> None:
    seen = set()

    def look() -> None:
        fingerprint.cache_clear()
        seen.add(fingerprint(str(tmp_path)))

    look()
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "b.ttf").write_bytes(b"1")
    look()
    (tmp_path / "deep" / "b.ttf").write_bytes(b"22")
    look()
    (tmp_path / "a.OTF").write_bytes(b"1")
    look()
    assert len(seen) == 4
    (tmp_path / "notes.txt").write_text("no font")
    look()
    assert len(seen) == 4
    assert [path.name for path in files(str(tmp_path))] == ["a.OTF", "b.ttf"]


def test_only_text_depends_on_the_fonts() -> None:
    one, other = Rendering(fonts="one"), Rendering(fonts="other")
    assert one.tag_for(True) != other.tag_for(True)
    assert one.tag_for(False) == other.tag_for(False) == one.tag
