"""Which workers live: each says so again and again, in the Redis that brings it its work.

A name in a sorted set, scored by the time of Redis, so that the clocks of machines do not matter. Who has said nothing for
the time that the settings give counts as gone, and is remembered for an hour: people want to know who it was. Redis may
forget all of it: the next word of each worker is seconds away.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis.exceptions import RedisError

from gateway.cache.redis import RedisServer
from gateway.redis_address import RedisAddress

log = logging.getLogger("pixgate.jobs")

REMEMBERED_MS = 3_600_000
BUDGET = 2.0
"""Seconds that Redis has to answer."""
MOST_BEAT_SECONDS = 2.0
"""Between two words of a worker, at most: as often as Celery tells its own monitors."""
BEATS = 3
"""So many words must be missing before a worker counts as gone."""

_NOW = "local time = redis.call('TIME') local now = time[1] * 1000 + math.floor(time[2] / 1000) "
_SAY = (
    f"{_NOW}redis.call('ZADD', KEYS[1], now, ARGV[1]) "
    "redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2]) "
    "return redis.call('PEXPIRE', KEYS[1], ARGV[2])"
)
_ASK = (
    f"{_NOW}local rows = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES') "
    "for place = 2, #rows, 2 do rows[place] = now - rows[place] end return rows"
)


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker, what it takes, how many jobs at a time; and for how many seconds it has said nothing."""

    name: str
    kinds: tuple[str, ...]
    concurrency: int
    silent: float


@dataclass(frozen=True, slots=True)
class Roll:
    """The workers that live, and those that have said nothing for too long; first who was heard of last."""

    living: tuple[Worker, ...]
    gone: tuple[Worker, ...]

    def problem(self, kinds: Sequence[str]) -> str | None:
        """What is wrong where all of these kinds of work have to be done, and what to do about it."""
        taken = {kind for worker in self.living for kind in worker.kinds}
        lacking = [kind for kind in kinds if kind not in taken]
        if not lacking:
            return None
        what = f"no worker takes jobs of the kinds {', '.join(lacking)}" if taken else "no worker lives"
        last = f"; {self.gone[0].name} was last heard of {self.gone[0].silent:.0f} s ago" if self.gone else ""
        return f"{what}: jobs wait until `pixgate worker` is started{last}"


def beat_seconds(timeout: float) -> float:
    """How often a worker says that it lives, where it counts as gone after `timeout` seconds."""
    return min(MOST_BEAT_SECONDS, timeout / BEATS)


class Presence:
    """The workers of a deployment, as others ask for them."""

    def __init__(self, address: RedisAddress, deployment: str, *, timeout: float) -> None:
        self._redis = RedisServer(address, deployment, budget=BUDGET)
        self._timeout = timeout

    async def call(self) -> Roll:
        """Raises CacheUnavailable where Redis does not say."""
        rows = await self._redis.script(_ASK, self._redis.prefix + "workers")
        found = sorted(map(_worker, rows[::2], rows[1::2]), key=lambda worker: worker.silent)
        living = tuple(worker for worker in found if worker.silent <= self._timeout)
        return Roll(living, tuple(found[len(living) :]))

    async def close(self) -> None:
        await self._redis.close()


def _worker(member: bytes, silent_ms: int) -> Worker:
    about = json.loads(member)
    return Worker(about["name"], tuple(about["kinds"]), about["concurrency"], max(0, silent_ms) / 1000)


class Voice:
    """A worker's: it speaks whenever Celery tells its monitors that the worker lives.

    That is done by the process that takes messages, between two of them: where it hangs, nothing is said.
    """

    def __init__(self, deployment: str, name: str, kinds: Sequence[str], concurrency: int) -> None:
        self._place = f"pixgate:{deployment}:workers"
        about = {"name": name, "kinds": sorted(kinds), "concurrency": concurrency}
        self._member = json.dumps(about, sort_keys=True)
        self._leaving = False

    def say(self, sender: Any, **_: Any) -> None:
        """Celery's signal `heartbeat_sent`, with its connection."""
        try:
            with sender.eventer.connection.default_channel.conn_or_acquire() as client:
                if self._leaving:
                    client.zrem(self._place, self._member)
                else:
                    client.eval(_SAY, 1, self._place, self._member, REMEMBERED_MS)
        except (RedisError, OSError) as error:
            # Celery finds out by itself, and connects again.
            log.warning("nobody hears that this worker lives: %s", type(error).__name__)

    def leave(self, **_: Any) -> None:
        """Celery's signal `worker_shutting_down`: what is said from now on is good-bye."""
        self._leaving = True
