"""The conditional headers of reads, evaluated in the order of RFC 9110, section 13.2.2."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping

from gateway.http.dates import parse_http_date
from gateway.model.objects import ReadConditions

_ETAG = re.compile(r'\s*(?:(W/)?"([^"]*)"|([^\s",]+))\s*(?:,|$)')


class Verdict(enum.Enum):
    """What to answer. A failed condition's value is the header's name, which S3 tells the client."""

    PROCEED = ""
    NOT_MODIFIED = "not modified"
    IF_MATCH_FAILED = "If-Match"
    IF_UNMODIFIED_SINCE_FAILED = "If-Unmodified-Since"

    @property
    def failed(self) -> bool:
        return self in (Verdict.IF_MATCH_FAILED, Verdict.IF_UNMODIFIED_SINCE_FAILED)


NO_CONDITIONS = ReadConditions()


def parse_etags(text: str) -> tuple[str, ...]:
    """The entity tags of a list, without quotes and weakness marks; `*` is itself. Tags without quotes are taken too.

    Many S3 clients leave the quotes out. A list that is no list gives what could be read before the fault.
    """
    tags: list[str] = []
    position = 0
    while position < len(text):
        match = _ETAG.match(text, position)
        if match is None:
            break
        quoted, bare = match.group(2), match.group(3)
        tags.append(quoted if quoted is not None else bare)
        position = match.end()
    return tuple(tags)


def parse_conditions(headers: Mapping[str, str], prefix: str = "") -> ReadConditions:
    """The conditions in `headers` (names in any case that the mapping finds in lower case).

    `prefix` is put before each name: `x-amz-copy-source-`. A date that is none is ignored (RFC 9110, section 13.1.3).
    """
    if_match = headers.get(prefix + "if-match")
    if_none_match = headers.get(prefix + "if-none-match")
    modified = headers.get(prefix + "if-modified-since")
    unmodified = headers.get(prefix + "if-unmodified-since")
    if if_match is None and if_none_match is None and modified is None and unmodified is None:
        return NO_CONDITIONS
    return ReadConditions(
        if_match=None if if_match is None else parse_etags(if_match),
        if_none_match=None if if_none_match is None else parse_etags(if_none_match),
        if_modified_since=None if modified is None else parse_http_date(modified),
        if_unmodified_since=None if unmodified is None else parse_http_date(unmodified),
    )


def evaluate(conditions: ReadConditions, *, etag: str, modified: int, now: int) -> Verdict:
    """What a read of something with this ETag (no quotes) and time of change (whole Unix seconds) is answered with.

    An `If-Modified-Since` later than `now` is no valid one and ignored, as S3 does.
    """
    if conditions is NO_CONDITIONS:
        return Verdict.PROCEED
    if conditions.if_match is not None:
        if not _matches(conditions.if_match, etag):
            return Verdict.IF_MATCH_FAILED
    elif conditions.if_unmodified_since is not None and modified > conditions.if_unmodified_since:
        return Verdict.IF_UNMODIFIED_SINCE_FAILED
    if conditions.if_none_match is not None:
        if _matches(conditions.if_none_match, etag):
            return Verdict.NOT_MODIFIED
    elif (
        conditions.if_modified_since is not None
        and modified <= conditions.if_modified_since
        and conditions.if_modified_since <= now
    ):
        return Verdict.NOT_MODIFIED
    return Verdict.PROCEED


def _matches(tags: tuple[str, ...], etag: str) -> bool:
    return "*" in tags or etag in tags
