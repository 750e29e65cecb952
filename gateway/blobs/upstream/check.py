"""Is a store fit for use? Asked at the start and by `pixgate doctor`."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import partial

from gateway.blobs.upstream.errors import UpstreamError
from gateway.blobs.upstream.explain import explain
from gateway.blobs.upstream.features import Features
from gateway.blobs.upstream.listing import list_prefixes
from gateway.blobs.upstream.multipart import abort
from gateway.blobs.upstream.request import Request
from gateway.blobs.upstream.store import UpstreamStore
from gateway.errors import GatewayError
from gateway.settings.stores import S3Store

CHECK_SECONDS = 10.0
SKEW_SECONDS = 300
"""Services refuse what was signed more than a quarter of an hour away from their clock; a third of it is worth a word."""


@dataclass(frozen=True, slots=True)
class StoreCheck:
    """`problems` stop the store from working, `warnings` do not; `missing` is what the service cannot do.

    `clock_difference` is the service's clock minus ours in seconds, None where it does not say.
    """

    name: str
    problems: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    clock_difference: float | None = None
    features: Features | None = None

    @property
    def ok(self) -> bool:
        return not self.problems


async def check_store(settings: S3Store, *, timeout: float = CHECK_SECONDS) -> StoreCheck:
    """Reach the service, find the bucket, write, read and delete a probe, and see what is missing. Raises nothing."""
    store = UpstreamStore(settings, "check")
    try:
        async with asyncio.timeout(timeout):
            return await _check(store)
    except TimeoutError:
        return StoreCheck(settings.name, (f"no answer within {timeout:g} s",))
    except UpstreamError as error:
        return StoreCheck(settings.name, (explain(error, settings),))
    except GatewayError as error:
        return StoreCheck(settings.name, (str(error),))
    finally:
        await store.close()


async def _check(store: UpstreamStore) -> StoreCheck:
    settings, client = store.settings, store.client
    head = await client.call(Request("HeadBucket", "HEAD", settings.bucket), accept=(400, 403, 404))
    difference = clock_difference(head.headers.get("date"), time.time())
    if not head.ok:
        # A HEAD has no body, so it does not say why.
        await client.call(Request("ListObjectsV2", "GET", settings.bucket, query="list-type=2&max-keys=1"))
    warnings = []
    if difference is not None and abs(difference) > SKEW_SECONDS:
        warnings.append(f"its clock differs by {difference:.0f} s from this machine's")
    if not settings.tls and not settings.is_loopback:
        warnings.append("bytes and names go over the network unencrypted (tls=off)")
    features = await store.learn()
    missing = list(features.missing())
    try:
        await list_prefixes(client, settings.bucket, b"pixgate-check/")
    except UpstreamError:
        missing.append("listing with ListObjectsV2")
    if not await store.probes.run(partial(_multipart, store)):
        missing.append("multipart uploads")
    await store.probe()
    fatal = [
        f"it lacks {what}" for what in missing if what in ("ranges", "multipart uploads", "listing with ListObjectsV2")
    ]
    return StoreCheck(settings.name, tuple(fatal), tuple(warnings), tuple(missing), difference, features)


async def _multipart(store: UpstreamStore, key: bytes) -> bool:
    bucket = store.settings.bucket
    try:
        answer = await store.client.call(Request("CreateMultipartUpload", "POST", bucket, key, "uploads="))
        upload = answer.xml("InitiateMultipartUpload").get("UploadId")
    except UpstreamError:
        return False
    await abort(store.client, bucket, key, upload)
    return bool(upload)


def clock_difference(date: str | None, now: float) -> float | None:
    """A Date header minus `now`, in seconds."""
    try:
        return None if date is None else parsedate_to_datetime(date).timestamp() - now
    except ValueError:
        return None
