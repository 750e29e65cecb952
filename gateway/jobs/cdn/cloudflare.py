"""Cloudflare: `https://api.cloudflare.com/client/v4/zones/<id>/purge_cache`, by cache tags.

Source: https://developers.cloudflare.com/api/resources/cache/methods/purge/ (purge cached content by tag).
"""

from __future__ import annotations

import json

from gateway.jobs.cdn.request import Changes, PurgeRequest, batches

TAGS = 30
"""Tags in one request at most, on every plan."""


def requests(changes: Changes, token: str | None, now: int) -> list[PurgeRequest]:  # noqa: ARG001 -- all kinds are told
    """Requests with `tags` in JSON and the token as bearer; the answer must say `success`."""
    bearer = () if token is None else (("Authorization", f"Bearer {token}"),)
    headers = (("Content-Type", "application/json"), *bearer)
    return [
        PurgeRequest("POST", headers, json.dumps({"tags": list(tags)}).encode(), success="success")
        for tags in batches(changes.tags, TAGS)
    ]
