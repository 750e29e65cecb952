"""The queue of a dispatcher, in Redis, as Celery writes it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from celery import Celery
from kombu.exceptions import KombuError, OperationalError
from redis.exceptions import RedisError

from gateway.jobs.celery_app import make_app, queue_name, task_name
from gateway.jobs.dispatcher import QueueUnavailable
from gateway.redis_address import RedisAddress

T = TypeVar("T")


class CeleryQueue:
    """Talks from a thread of its own: Celery waits for its sockets."""

    def __init__(self, address: RedisAddress, deployment: str) -> None:
        self._app: Celery = make_app(address)
        self._deployment = deployment
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="celery")

    async def send(self, kind: str, identities: Sequence[int]) -> None:
        """Raises QueueUnavailable; some may be in the queue then."""
        await self._do(lambda: self._send(kind, identities))

    async def waiting(self, kind: str) -> int:
        """How many lie in the queue and are with no worker yet. Raises QueueUnavailable."""
        return await self._do(lambda: self._waiting(kind))

    async def close(self) -> None:
        # Whatever it is at ends by itself: every socket has its time.
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._app.close()

    async def _do(self, action: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, action)
        except (OperationalError, KombuError, RedisError, OSError) as error:
            # Neither says more than the address, and that without its password.
            raise QueueUnavailable(f"{type(error).__name__}: {' '.join(str(error).split())[:200]}") from None

    def _send(self, kind: str, identities: Sequence[int]) -> None:
        queue, name = queue_name(self._deployment, kind), task_name(kind)
        with self._app.producer_or_acquire() as producer:
            for identity in identities:
                self._app.send_task(
                    name,
                    (identity,),
                    queue=queue,
                    producer=producer,
                    retry=False,
                    ignore_result=True,
                    add_to_parent=False,
                )

    def _waiting(self, kind: str) -> int:
        with self._app.connection_or_acquire() as connection:
            channel = connection.default_channel
            return int(channel._size(queue_name(self._deployment, kind)))
