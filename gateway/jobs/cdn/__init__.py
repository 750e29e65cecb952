"""How each kind of CDN is told what to forget: pure, tags in, requests out.

PURGES["fastly"](Changes(tags=("o1...",)), token, now) -> [PurgeRequest(...)]
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from gateway.jobs.cdn import cloudflare, fastly, varnish, webhook, xkey
from gateway.jobs.cdn.request import Changes, PurgeRequest

__all__ = ["PURGES", "Changes", "PurgeKind", "PurgeRequest"]

PurgeKind = Literal["fastly", "cloudflare", "varnish", "xkey", "webhook"]

PURGES: Mapping[PurgeKind, Callable[[Changes, str | None, int], list[PurgeRequest]]] = {
    "fastly": fastly.requests,
    "cloudflare": cloudflare.requests,
    "varnish": varnish.requests,
    "xkey": xkey.requests,
    "webhook": webhook.requests,
}
"""By the value of `purge_kind`: changes, the token of the settings and the time in Unix seconds give the requests."""
