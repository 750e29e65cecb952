"""What `v=` must equal."""

from __future__ import annotations

import re

import pytest

from gateway.model.contents import Content
from gateway.model.objects import ObjectVersion
from gateway.services.content_tag import content_tag, rendition_tag
from transforms.options import Options, parse_query

UID = b"u" * 16


def version(*headers: tuple[str, str], uid: bytes | None = UID) -> ObjectVersion:
    content = None if uid is None else Content(1, uid, 5, "etag", None, 0, 1, None)
    return ObjectVersion(1, b"k", 1, "v", True, uid is None, 0, headers, 0, "I" + "A" * 26, content)


def test_a_content_has_one_tag_and_what_else_decides_the_picture_changes_it() -> None:
    plain = content_tag(UID)
    assert re.fullmatch(r"[0-9a-f]{16}", plain)
    assert rendition_tag(version(), Options()) == plain
    assert rendition_tag(version(("content-type", "image/png")), Options()) == plain
    tags = [
        plain,
        content_tag(b"w" * 16),
        rendition_tag(version(), Options(), preset="w:5"),
        rendition_tag(version(), Options(), preset="w:6"),
        rendition_tag(version(), Options(), overlays=(b"o" * 16,)),
        rendition_tag(version(("x-amz-meta-focal-point", "0.1,0.2")), Options()),
        content_tag(UID, b"ab", b"c"),
        content_tag(UID, b"a", b"bc"),
    ]
    assert len(set(tags)) == len(tags)
    # Where the URL says what is kept, the stored focal point is not asked.
    assert rendition_tag(version(("x-amz-meta-focal-point", "0.1,0.2")), parse_query([("g", "n")])) == plain
    with pytest.raises(ValueError, match="delete marker"):
        rendition_tag(version(uid=None), Options())
