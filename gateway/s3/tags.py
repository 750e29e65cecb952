"""Object tags: the header's query string and the rules that AWS has for them.

Rules: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl

from gateway.model.objects import MAX_TAGS, Tags
from gateway.s3.errors import S3Error, invalid_argument

MAX_NAME = 128
MAX_VALUE = 256
"""Characters of a tag's name and value."""

_PUNCTUATION = frozenset("+-=._:/@")
_BAD_HEADER = (
    "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name "
    "duplicates."
)


def header_tags(headers: Mapping[str, str]) -> Tags:
    """The tags of x-amz-tagging. Raises S3Error InvalidArgument, InvalidTag, BadRequest."""
    text = headers.get("x-amz-tagging")
    if not text:
        return ()
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=64)
    except ValueError:
        raise invalid_argument(_BAD_HEADER, "x-amz-tagging", "") from None
    if len({name for name, _ in pairs}) != len(pairs):
        raise invalid_argument(_BAD_HEADER, "x-amz-tagging", "")
    return check_tags(pairs)


def check_tags(pairs: Iterable[tuple[str, str]]) -> Tags:
    """The tags themselves. Raises S3Error InvalidTag, or BadRequest where there are more than ten."""
    tags = tuple(pairs)
    if len(tags) > MAX_TAGS:
        raise S3Error("BadRequest", f"Object tags cannot be greater than {MAX_TAGS}")
    if len({name for name, _ in tags}) != len(tags):
        raise S3Error("InvalidTag", "Cannot provide multiple Tags with the same key")
    for name, value in tags:
        if not 1 <= len(name) <= MAX_NAME or not _is_text(name):
            raise S3Error("InvalidTag", "The TagKey you have provided is invalid", fields=(("TagKey", name[:256]),))
        if len(value) > MAX_VALUE or not _is_text(value):
            raise S3Error("InvalidTag", "The TagValue you have provided is invalid", fields=(("TagKey", name[:256]),))
        if name.lower().startswith("aws:"):
            raise S3Error("InvalidTag", "System tags cannot be added/updated by requester")
    return tags


def _is_text(text: str) -> bool:
    """Letters with their marks, digits, spaces and a few signs."""
    if any("\ud800" <= character <= "\udfff" for character in text):
        return False
    return all(character in _PUNCTUATION or unicodedata.category(character)[0] in "LMNZ" for character in text)
