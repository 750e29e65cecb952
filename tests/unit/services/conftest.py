"""Services over a fresh data folder, as one worker has them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.model.buckets import Bucket, Versioning
from gateway.services import Services
from tests.data_folder import open_services


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
async def services(folder: Path) -> AsyncIterator[Services]:
    async with open_services(folder, grace_ms=-1000) as opened:
        yield opened
        report = await opened.fsck.run()
        assert report.problems == []


@pytest.fixture
async def bucket(services: Services) -> Bucket:
    return await services.buckets.create("photos", services.directory.root_account)


@pytest.fixture
async def versioned(services: Services) -> Bucket:
    bucket = await services.buckets.create("versioned", services.directory.root_account)
    await services.buckets.set_versioning(bucket, Versioning.ENABLED)
    return bucket
