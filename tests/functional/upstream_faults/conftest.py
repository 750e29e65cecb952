"""A service for a test, and the store on it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gateway.blobs.upstream.store import UpstreamStore
from tests.functional.upstream_faults.service import Service, opened


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    service = Service()
    await service.start()
    yield service
    await service.stop()


@pytest.fixture
async def store(service: Service) -> AsyncIterator[UpstreamStore]:
    async with opened(service) as store:
        yield store
