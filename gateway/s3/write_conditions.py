"""The conditional headers of writes."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.http.conditions import parse_etags
from gateway.model.objects import WriteConditions
from gateway.s3.errors import not_implemented

UNCONDITIONAL = WriteConditions()


def write_conditions(headers: Mapping[str, str]) -> WriteConditions:
    """`If-None-Match: *` and `If-Match`. Raises S3Error NotImplemented for others, as S3 does."""
    for name in ("if-modified-since", "if-unmodified-since"):
        if name in headers:
            raise not_implemented(name)
    none_match, match = headers.get("if-none-match"), headers.get("if-match")
    if none_match is None and match is None:
        return UNCONDITIONAL
    if none_match is not None and (none_match.strip() != "*" or match is not None):
        raise not_implemented("If-None-Match")
    return WriteConditions(if_none_match=none_match is not None, if_match=None if match is None else single_etag(match))


def single_etag(text: str) -> str:
    """The one entity tag of an If-Match. Raises S3Error NotImplemented for lists."""
    tags = parse_etags(text)
    if len(tags) != 1:
        raise not_implemented("If-Match")
    return tags[0]
