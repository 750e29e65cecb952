"""Whether stored bytes still are what was uploaded."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from gateway.errors import StoreUnavailable
from gateway.model.checksums import ChecksumAlgorithm
from gateway.model.objects import ObjectVersion
from gateway.services.ingest import digest_stored

if TYPE_CHECKING:
    from gateway.services import Services


async def digest(services: Services, version: ObjectVersion) -> bytes:
    """SHA-256 of the version's bytes, read from their store. Raises StoreUnavailable, BlobDamaged."""
    content = version.content
    assert content is not None
    segments = await services.objects.segments(content, 0, content.size)
    reading = services.stores.begin_read()
    try:
        _, checksum = await digest_stored(
            services.stores, services.executor, segments, ChecksumAlgorithm.SHA256, md5=False
        )
    except OSError as error:
        raise StoreUnavailable("The stored image cannot be read.") from error
    finally:
        services.stores.end_read(reading)
    assert checksum is not None
    return base64.b64decode(checksum.value)
