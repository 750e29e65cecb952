"""Varnish without modules: BAN with a regular expression over `Surrogate-Key`, which the VCL of the guide turns into a ban.

Source: https://varnish-cache.org/docs/trunk/users-guide/purging.html (bans).
"""

from __future__ import annotations

import re

from gateway.jobs.cdn.request import Changes, PurgeRequest, batches

TAGS = 50
"""Tags in one expression: some 1,000 bytes of a header."""


def requests(changes: Changes, token: str | None, now: int) -> list[PurgeRequest]:  # noqa: ARG001 -- all kinds are told
    """BAN requests with the expression as `X-Ban-Tags`, and the token as bearer."""
    bearer = () if token is None else (("Authorization", f"Bearer {token}"),)
    return [
        PurgeRequest("BAN", (("X-Ban-Tags", f"(^|\\s)({'|'.join(map(re.escape, tags))})(\\s|$)"), *bearer))
        for tags in batches(changes.tags, TAGS)
    ]
