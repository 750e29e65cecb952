"""Documents that services name otherwise than AWS does."""

from __future__ import annotations

import pytest

from gateway.blobs.upstream.errors import BadResponse
from gateway.blobs.upstream.store import UpstreamStore
from gateway.model.buckets import Versioning
from tests.functional.upstream_faults.service import Exchange, Service


@pytest.mark.parametrize("root", ["VersioningConfiguration", "GetBucketVersioningResponse"])
async def test_versions_are_seen_by_either_name_of_the_document(
    store: UpstreamStore, service: Service, root: str
) -> None:
    async def versioned(exchange: Exchange) -> None:
        exchange.answer(200, f"<{root}><Status>Enabled</Status></{root}>".encode())

    service.behave = versioned
    assert await store.source.versioning("bucket") is Versioning.ENABLED


async def test_a_document_of_another_name_is_no_answer(store: UpstreamStore, service: Service) -> None:
    async def other(exchange: Exchange) -> None:
        exchange.answer(200, b"<ListBucketResult/>")

    service.behave = other
    with pytest.raises(BadResponse) as raised:
        await store.source.versioning("bucket")
    assert "is a ListBucketResult, not a VersioningConfiguration" in raised.value.detail


async def test_an_object_without_a_size_is_named(store: UpstreamStore, service: Service) -> None:
    async def folder(exchange: Exchange) -> None:
        exchange.answer(200, b"<ListBucketResult><Contents><Key>some dir/</Key></Contents></ListBucketResult>")

    service.behave = folder
    pages = store.source.pages("bucket", b"", None, versions=False, metadata=False)
    with pytest.raises(BadResponse) as raised:
        await anext(pages)
    assert "'some dir/'" in raised.value.detail
