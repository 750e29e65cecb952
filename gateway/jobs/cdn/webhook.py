"""Anything else: JSON that is signed with the token as its secret.

    POST <purge_url>
    X-Pixgate-Signature: t=1700000000,v1=<hexadecimal HMAC-SHA256 over "1700000000." and the body>

    {"tags": ["o..."], "objects": [{"tag": "o...", "bucket": "photos", "key": "a/b.jpg"}, {"tag": "b...", "bucket": "photos"}]}

A key that is not UTF-8 has its odd bytes replaced; the tag is exact.
"""

from __future__ import annotations

import hmac
import json

from gateway.jobs.cdn.request import Change, Changes, PurgeRequest

SIGNATURE = "X-Pixgate-Signature"


def requests(changes: Changes, token: str | None, now: int) -> list[PurgeRequest]:
    """One request with all."""
    document = {"tags": list(changes.tags), "objects": [_named(change) for change in changes.items]}
    body = json.dumps(document, ensure_ascii=False).encode()
    headers = [("Content-Type", "application/json")]
    if token is not None:
        headers.append((SIGNATURE, signature(token, now, body)))
    return [PurgeRequest("POST", tuple(headers), body)]


def _named(change: Change) -> dict[str, str]:
    named = {"tag": change.tag, "bucket": change.bucket}
    if change.key is not None:
        named["key"] = change.key.decode("utf-8", "replace")
    return named


def signature(secret: str, now: int, body: bytes) -> str:
    """The header's value. Whoever checks it compares in constant time and refuses what is older than some minutes."""
    return f"t={now},v1={hmac.new(secret.encode(), b'%d.' % now + body, 'sha256').hexdigest()}"
