"""What a key is narrowed to, as JSON in its row."""

from __future__ import annotations

import json
from typing import Any

from gateway.model.accounts import KeyScope

NOTHING = KeyScope(buckets={})
_NAMES = frozenset({"buckets", "read_only", "networks"})


def dump(scope: KeyScope | None) -> str | None:
    """None for a key that may do all that its account may."""
    if scope is None or scope == KeyScope():
        return None
    said: dict[str, Any] = {}
    if scope.buckets is not None:
        said["buckets"] = {name: [prefix.decode() for prefix in prefixes] for name, prefixes in scope.buckets.items()}
    if scope.read_only:
        said["read_only"] = True
    if scope.networks:
        said["networks"] = list(scope.networks)
    return json.dumps(said, separators=(",", ":"), sort_keys=True)


def load(text: str | None) -> KeyScope | None:
    """The inverse. Of what a later version wrote that is not known here nothing is allowed: it narrows, so it counts."""
    if text is None:
        return None
    said: dict[str, Any] = json.loads(text)
    if not said.keys() <= _NAMES:
        return NOTHING
    buckets = said.get("buckets")
    return KeyScope(
        None if buckets is None else {name: tuple(one.encode() for one in found) for name, found in buckets.items()},
        bool(said.get("read_only", False)),
        tuple(said.get("networks", ())),
    )
