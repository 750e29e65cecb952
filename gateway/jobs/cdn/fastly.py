"""Fastly: `https://api.fastly.com/service/<id>/purge`, by surrogate keys.

Source: https://www.fastly.com/documentation/reference/api/purging/ (purge multiple surrogate key tags).
"""

from __future__ import annotations

from gateway.jobs.cdn.request import Changes, PurgeRequest, batches

KEYS = 256
"""Surrogate keys in one request at most."""


def requests(changes: Changes, token: str | None, now: int) -> list[PurgeRequest]:  # noqa: ARG001 -- all kinds are told
    """Requests with `Surrogate-Key` and the token as `Fastly-Key`."""
    key = () if token is None else (("Fastly-Key", token),)
    return [
        PurgeRequest("POST", (("Surrogate-Key", " ".join(tags)), ("Accept", "application/json"), *key))
        for tags in batches(changes.tags, KEYS)
    ]
