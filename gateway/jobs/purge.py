"""Tells the CDN what changed: the tags that answers carry go to the URL of the settings, and nowhere else.

Each change is told twice, the second time when every answer that was on its way when it was committed has left: one that
was begun before and reached the cache after the first purge would stay there.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence

import aiohttp

from gateway.jobs.cdn import PURGES, PurgeKind
from gateway.jobs.cdn.request import Change, Changes, PurgeRequest
from gateway.jobs.kind import Effect, Kind
from gateway.metadata import jobs
from gateway.metadata.jobs import Job
from gateway.metadata.port import Transaction
from gateway.services.cache_tags import CacheTags
from gateway.services.clock import now_ms

log = logging.getLogger("pixgate.jobs")

AT_ONCE = 500
"""Changes that are told together."""
ATTEMPTS = 14
"""Over some half an hour."""
TIMEOUT = aiohttp.ClientTimeout(total=15, connect=5)
ANSWER_BYTES = 64 * 1024


class PurgeRefused(Exception):
    """The CDN did not say that it was done."""


class Purger:
    """Sends to each of `urls`: several Varnish servers know nothing of one another. `again_seconds` later once more."""

    def __init__(
        self,
        urls: Sequence[str],
        kind: PurgeKind,
        token: str | None,
        tags: CacheTags,
        *,
        again_seconds: float,
    ) -> None:
        self._urls = tuple(urls)
        self._requests = PURGES[kind]
        self._token = token
        self._tags = tags
        self._again_ms = int(again_seconds * 1000)

    @property
    def kind(self) -> Kind:
        """The kind `purge`."""
        return Kind(jobs.PURGE, self._work, at_once=AT_ONCE, attempts=ATTEMPTS)

    async def _work(self, claimed: Sequence[Job]) -> Effect | None:
        if not self._urls:
            raise PurgeRefused("purge_url is not set on this node")
        await self.send([job.payload for job in claimed])
        first = [job for job in claimed if not job.payload.get("again")]
        if not first or not self._again_ms:
            return None
        moment = now_ms()

        async def tell_again(tx: Transaction) -> None:
            for job in first:
                payload = {**job.payload, "again": True}
                await jobs.add(tx, jobs.PURGE, payload, job.created_ms, run_at_ms=moment + self._again_ms)

        return tell_again

    async def send(self, payloads: Sequence[dict[str, object]]) -> None:
        """Tell every URL of these changes. Raises PurgeRefused; those that were told then are told again."""
        changes: dict[str, Change] = {}
        for payload in payloads:
            change = self._change(payload)
            changes[change.tag] = change
        requests = self._requests(Changes(tuple(changes.values())), self._token, int(time.time()))
        async with aiohttp.ClientSession(timeout=TIMEOUT, trust_env=False) as session:
            results = await asyncio.gather(
                *(self._send(session, url, requests) for url in self._urls), return_exceptions=True
            )
        failed = [result for result in results if isinstance(result, BaseException)]
        if failed:
            raise PurgeRefused("; ".join(map(_said, failed)))
        log.info("purged %s tags", len(changes))

    def _change(self, payload: dict[str, object]) -> Change:
        bucket_id, name, key = payload["bucket"], payload["name"], payload.get("key")
        assert isinstance(bucket_id, int)
        if key is None:
            return Change(self._tags.of_bucket(bucket_id), str(name), None)
        raw = bytes.fromhex(str(key))
        return Change(self._tags.of_object(bucket_id, raw), str(name), raw)

    async def _send(self, session: aiohttp.ClientSession, url: str, requests: Sequence[PurgeRequest]) -> None:
        for request in requests:
            async with session.request(
                request.method, url, headers=list(request.headers), data=request.body, allow_redirects=False
            ) as answer:
                body = await answer.content.read(ANSWER_BYTES)
                if not request.accepted(answer.status, body):
                    raise PurgeRefused(f"{request.method} was answered {answer.status}")


def _said(error: BaseException) -> str:
    """What went wrong, without what a library says of the URL: it may hold a secret."""
    if isinstance(error, PurgeRefused):
        return str(error)
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, aiohttp.ClientError):
        return type(error).__name__
    raise error
