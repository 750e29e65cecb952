"""A rendition that the broker is to make, and who waits for it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from gateway.render.endpoint import Endpoint
from gateway.render.memory import Stored
from gateway.render.pool import Job
from gateway.render.task import Task


@dataclass(frozen=True, slots=True)
class Waiter:
    """A worker's request: its connection and its own number of the request."""

    endpoint: Endpoint
    number: int
    looks: bool = field(default=False, compare=False)
    """Whether it knows memories beyond this node."""


@dataclass(slots=True, eq=False)
class Flight:
    """A rendition that is being made; the first waiter is the one that was told "look" and "need"."""

    key: str
    content: str
    task: Task
    reduced: dict[str, Any] | None
    waiters: list[Waiter] = field(default_factory=list)
    later: bool = False
    """Whether nobody waits for it but what goes on in the background."""
    parts: dict[str, str] = field(default_factory=dict)
    """Names of what is made along with it, by their keys."""
    joined: dict[str, list[Waiter]] = field(default_factory=dict)
    """Who waits for a part alone, by its key."""
    timer: asyncio.TimerHandle | None = None
    job: Job | None = None
    draws: bool = False
    """Whether the source itself is a drawing."""


def deliver(waiter: Waiter, stored: Stored, tier: str | None, *, first: bool = False) -> None:
    """Sends what was made; `tier` is the memory that it comes from, `first` says that it was made for this waiter."""
    head = {**stored.head, "id": waiter.number, "tier": tier, "first": first}
    waiter.endpoint.send(head, stored.payload, stored.fds)
