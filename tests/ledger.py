"""What clients sent and what they were told: the judge of every test that breaks something under load."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, field

ABSENT = ""
"""In the place of a digest: there is no such key."""


def digest_of(body: bytes) -> str:
    """As the ledger notes bytes."""
    return hashlib.sha256(body).hexdigest()


@dataclass
class Ledger:
    """What each key may hold now. A key is changed by one client at a time; clients may be many.

    Before a change is sent it is announced (`sending`); then its outcome is noted: `acknowledged`, `refused` (it must not
    be visible, ever), or neither, as where an answer was lost: then both are possible until the next acknowledged change.
    """

    _possible: dict[str, set[str]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    acknowledgements: int = 0
    refusals: int = 0
    unknown: int = 0

    def sending(self, key: str, body: bytes | None) -> str:
        """Announce a body, or a deletion (None), for a key; gives its digest."""
        digest = ABSENT if body is None else digest_of(body)
        with self._lock:
            self._possible.setdefault(key, {ABSENT}).add(digest)
            self.unknown += 1
        return digest

    def acknowledged(self, key: str, digest: str) -> None:
        """The key holds this from now on."""
        with self._lock:
            self._possible[key] = {digest}
            self.acknowledgements += 1
            self.unknown -= 1

    def refused(self, key: str, digest: str, before: frozenset[str]) -> None:
        """Nothing changed: what was possible `before` still is."""
        with self._lock:
            if digest not in before:
                self._possible[key].discard(digest)
            self.refusals += 1
            self.unknown -= 1

    def possible(self, key: str) -> frozenset[str]:
        """What a read of the key may give."""
        with self._lock:
            return frozenset(self._possible.get(key, {ABSENT}))

    def check(self, found: dict[str, str]) -> None:
        """Compare with the digests of everything that is there; raises AssertionError naming the first difference."""
        assert set(found) <= set(self._possible), (
            f"keys that nobody wrote: {sorted(set(found) - set(self._possible))[:3]}"
        )
        for key, possible in self._possible.items():
            digest = found.get(key, ABSENT)
            if digest in possible:
                continue
            if digest == ABSENT:
                raise AssertionError(f"{key} was acknowledged and is gone")
            if possible == {ABSENT}:
                raise AssertionError(f"{key} was refused or deleted, and is there")
            raise AssertionError(f"{key} holds what was not sent last, or half of something")
