"""The audit log. What happens in a transaction is noted in it (`note`); what happens outside of one is gathered here and
written a moment later, so that no request waits for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial

from gateway.errors import GatewayError
from gateway.metadata import audit as rows
from gateway.metadata.audit import Action, Actor, Event, Record, Wanted, note
from gateway.metadata.port import Database
from gateway.policy.principal import ANONYMOUS, Principal
from gateway.services.clock import now_ms

__all__ = ["Action", "Actor", "Audit", "Event", "Record", "Wanted", "actor", "note"]

log = logging.getLogger("pixgate.audit")

FLUSH_SECONDS = 1.0
GATHERED = 10_000
"""Events that wait to be written at most: what comes beyond them while the database is away is counted and lost."""
WRITTEN = 500
"""Events that one transaction writes at most."""
ADDRESSES = 1_000
"""Addresses that an hour tells of a key at most: a presigned URL may be opened by everybody."""
KEYS = 5_000
HOUR_SECONDS = 3600
EXPORTED = 1_000
"""Events that an export reads at a time."""

CLI = Actor("cli")
"""Somebody at the command line."""


def actor(
    principal: Principal = ANONYMOUS, *, via: str = "api", address: str | None = None, request_id: str | None = None
) -> Actor:
    """Who asks, as the audit log has it."""
    account, user, key = principal.account, principal.user, principal.access_key
    return Actor(
        via,
        None if account is None else account.id,
        None if user is None else user.id,
        None if key is None else key.access_key,
        address,
        request_id,
    )


class Audit:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._gathered: deque[Event] = deque()
        self._lost = 0
        self._hour = 0
        self._used: dict[str, set[str | None]] = {}
        self._task: asyncio.Task[None] | None = None

    def later(self, event: Event) -> None:
        """Keep an event that belongs to no transaction. Costs nothing now; written within about a second."""
        if len(self._gathered) >= GATHERED:
            self._lost += 1
        else:
            self._gathered.append(event)

    def key_used(self, access_key: str, account_id: int, address: str | None, now: float, via: str) -> None:
        """Note that a key opened something: once for the key, the address and the hour. `now` in Unix seconds."""
        hour = int(now) // HOUR_SECONDS
        if hour != self._hour:
            self._used = {}
            self._hour = hour
        seen = self._used.get(access_key)
        if seen is None:
            if len(self._used) >= KEYS:
                self._used.clear()
            seen = self._used[access_key] = set()
        if address not in seen:
            self._first_use(access_key, account_id, address, now, via, seen)

    def _first_use(
        self, access_key: str, account_id: int, address: str | None, now: float, via: str, seen: set[str | None]
    ) -> None:
        if len(seen) > ADDRESSES:
            return
        detail: dict[str, object] = {}
        if len(seen) == ADDRESSES:
            detail = {"more": f"than {ADDRESSES} addresses in this hour"}
        seen.add(address)
        self.later(
            Event(
                Action.KEY_USE,
                Actor(via, account_id, access_key=access_key, address=None if detail else address),
                int(now * 1000),
                target=access_key,
                detail=detail,
                # Other workers see the same key.
                once=f"{access_key} {'more' if detail else address} {self._hour}",
            )
        )

    def begin(self) -> None:
        """Write what is gathered now and then, until `close`."""
        self._task = asyncio.get_running_loop().create_task(self._flushing(), name="audit")

    async def _flushing(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            try:
                await self.flush()
            except GatewayError as error:
                log.warning("%s events wait for the audit log: %s", len(self._gathered), error)

    async def flush(self) -> None:
        """Write what is gathered. Raises DatabaseUnavailable, and keeps it then."""
        while self._gathered:
            events = [self._gathered.popleft() for _ in range(min(WRITTEN, len(self._gathered)))]
            try:
                await self._database.write(partial(rows.note_many, events=events))
            except GatewayError:
                # A call that was cancelled is no such thing: its write runs to its end.
                self._gathered.extendleft(reversed(events))
                raise
        if self._lost:
            log.error("%s events were lost: the audit log could not be written", self._lost)
            self._lost = 0

    async def close(self) -> None:
        """Write what is gathered, as far as that is possible, and end."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        try:
            await self.flush()
        except GatewayError as error:
            log.error("%s events were lost: %s", len(self._gathered), error)

    async def page(self, wanted: Wanted, *, before: int | None = None, limit: int = 100) -> list[Record]:
        """Events, the newest first, `before` the number of the last one that was seen."""
        return await self._database.read(lambda reader: rows.page(reader, wanted, before=before, limit=limit))

    async def all(self, wanted: Wanted) -> AsyncIterator[list[Record]]:
        """All events that are wanted, the newest first, some at a time."""
        before: int | None = None
        while True:
            found = await self.page(wanted, before=before, limit=EXPORTED)
            if found:
                yield found
            if len(found) < EXPORTED:
                return
            before = found[-1].id

    async def forget(self, older_than_ms: int) -> int:
        """Sweep what is older than that; how many events."""
        swept, before = 0, now_ms() - older_than_ms
        while True:
            count = await self._database.write(lambda tx: rows.forget(tx, before), heavy=True)
            swept += count
            if count < rows.SWEPT:
                return swept
