"""Uploads in parts for apps: how they begin."""

from __future__ import annotations

import pytest

from gateway.metadata import resumable
from gateway.model.buckets import Bucket
from gateway.model.uploads import Promise
from gateway.services import Services
from gateway.services.resumable import Resumable
from gateway.settings.uploads import UploadSettings


async def test_an_upload_begins_with_its_promise_or_not_at_all(services: Services, bucket: Bucket) -> None:
    uploads = Resumable(services, UploadSettings(), None, None, region="us-east-1")  # type: ignore[arg-type]
    promised = Promise("i" * 22, "a.jpg", 10, bucket.owner.id, None)
    begun = await uploads.begin(bucket, b"i/a.jpg", promised)
    assert await resumable.find(services.database, begun.upload_id) == begun
    # What cannot be written stands for a process that is killed before it is: nobody would end an upload without it.
    broken = Promise("i" * 22, b"no text", 10, bucket.owner.id, None)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        await uploads.begin(bucket, b"i/b.jpg", broken)
    assert await services.database.all("SELECT key FROM uploads") == [(b"i/a.jpg",)]
