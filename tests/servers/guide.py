"""The settings that the CDN guide gives, as our tests run them: taken from the page, with addresses of the test put in."""

from __future__ import annotations

import re

from tests.servers.programs import ROOT

GUIDE = ROOT / "docs" / "guides" / "cdn.md"


def blocks(language: str) -> list[str]:
    """The fenced blocks of the guide in that language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", GUIDE.read_text(encoding="utf-8"), re.M | re.S)


def put_in(text: str, replacements: dict[str, str]) -> str:
    """The text with each of the pieces replaced; raises ValueError where one is not there."""
    for piece, other in replacements.items():
        if piece not in text:
            raise ValueError(f"the guide has no {piece!r}")
        text = text.replace(piece, other)
    return text
