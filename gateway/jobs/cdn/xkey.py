"""Varnish with its module xkey: PURGE with the tags as `X-Key-Purge`, which the VCL of the guide hands to `xkey.purge`.

Source: https://github.com/varnish/varnish-modules (vmod_xkey).
"""

from __future__ import annotations

from gateway.jobs.cdn.request import Changes, PurgeRequest, batches

TAGS = 200
"""Tags in one request: some 4,000 bytes of a header."""


def requests(changes: Changes, token: str | None, now: int) -> list[PurgeRequest]:  # noqa: ARG001 -- all kinds are told
    """PURGE requests with the tags, and the token as bearer."""
    bearer = () if token is None else (("Authorization", f"Bearer {token}"),)
    return [PurgeRequest("PURGE", (("X-Key-Purge", " ".join(tags)), *bearer)) for tags in batches(changes.tags, TAGS)]
