"""Writes that a service gives up, stores otherwise or takes in part."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from hashlib import md5

import pytest

from gateway.blobs.upstream.errors import UpstreamError
from gateway.blobs.upstream.store import UpstreamStore
from gateway.errors import StoreUnavailable
from tests.functional.upstream_faults.service import BODY, MEBIBYTE, Exchange, Service, opened, put, read, until, well


async def test_a_service_that_gives_up_in_the_middle_of_a_body(store: UpstreamStore, service: Service) -> None:
    async def tire(exchange: Exchange) -> None:
        exchange.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await exchange.reader.readexactly(1000)
        exchange.error(500, "InternalError")
        await exchange.writer.drain()
        await asyncio.sleep(1)
        raise ConnectionError

    service.behave = tire
    with pytest.raises(UpstreamError):
        await put(store, 64 * MEBIBYTE)


async def test_a_service_that_stored_other_bytes_is_found_out(store: UpstreamStore, service: Service) -> None:
    async def forgetful(exchange: Exchange) -> None:
        await exchange.body()
        exchange.answer(200, ETag=f'"{md5(b"other").hexdigest()}"')

    service.behave = forgetful
    store.features = replace(store.features, md5_etags=True)
    with pytest.raises(StoreUnavailable):
        await put(store, 100_000)
    with pytest.raises(StoreUnavailable):
        await store.append(b"x")


async def test_a_body_is_as_long_as_it_was_announced(store: UpstreamStore, service: Service) -> None:
    service.behave = well
    for size in (9, 11):
        with pytest.raises(StoreUnavailable):
            await put(store, size, 10)
    assert await read(store) == BODY


async def test_a_part_that_fails_fails_the_blob_and_the_upload_is_aborted(
    store: UpstreamStore, service: Service
) -> None:
    parts = 0

    async def third_fails(exchange: Exchange) -> None:
        nonlocal parts
        await exchange.body()
        if "uploads=" in exchange.target:
            exchange.answer(
                200, b"<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>"
            )
        elif exchange.method == "DELETE":
            exchange.answer(204)
        else:
            parts += 1
            if parts == 3:
                exchange.error(500, "InternalError")
            else:
                exchange.answer(200, ETag='"e"')

    service.behave = third_fails
    with pytest.raises(StoreUnavailable):
        await put(store, 100 * MEBIBYTE)
    await until(lambda: service.requests[-1].method == "DELETE")
    assert service.requests[-1].target.endswith("uploadId=u1")


async def test_encryption_at_the_service_is_asked_for_with_every_write(service: Service) -> None:
    service.behave = well
    async with opened(service, "&sse=AES256") as store:
        await store.append(b"x")
        await put(store, 70_000)
        await read(store)
    wanted = [one.headers.get("x-amz-server-side-encryption") for one in service.requests]
    assert wanted == ["AES256", "AES256", None]
