"""Services over a fresh data folder, with a private bucket and one that is open for images."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.model.buckets import Bucket
from gateway.services import Services
from tests import images
from tests.data_folder import open_services, put


@pytest.fixture
async def services(tmp_path: Path) -> AsyncIterator[Services]:
    async with open_services(tmp_path / "data") as opened:
        yield opened


@dataclass(frozen=True, slots=True)
class Gallery:
    """Ann's buckets, each with `cat.jpg`; `hidden_id` and `shown_id` are its image ids."""

    services: Services
    hidden: Bucket
    shown: Bucket
    hidden_id: str
    shown_id: str


@pytest.fixture
async def gallery(services: Services) -> Gallery:
    ann = await services.accounts.create("ann")
    hidden = await services.buckets.create("hidden", ann)
    shown = await services.buckets.create("shown", ann)
    await services.buckets.set_images(shown, public=True, ladder=(100, 200))
    ids = [(await put(services, bucket, b"cat.jpg", images.jpeg((64, 48)))).image_id for bucket in (hidden, shown)]
    await services.directory.refresh()
    assert ids[0] is not None
    assert ids[1] is not None
    return Gallery(services, hidden, shown, ids[0], ids[1])
