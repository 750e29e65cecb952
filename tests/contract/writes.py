"""Writes to a database in tests: what they are given, how they end, and whether the rows fit together afterwards."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from gateway.errors import GatewayError
from gateway.metadata import sweep
from gateway.metadata.port import Database
from gateway.metadata.versions import NewVersion, Written
from gateway.model.checksums import ChecksumAlgorithm, ChecksumType
from gateway.model.objects import WriteConditions
from gateway.model.uploads import MultipartUpload

Opened = Callable[[], Database]
NO_CONDITIONS = WriteConditions()
Put = Callable[[Database, NewVersion, WriteConditions], Awaitable[Written]]


async def outcome(call: Awaitable[Any]) -> Any:
    try:
        return await call
    except GatewayError as error:
        return type(error)


async def assert_sound(database: Database) -> None:
    assert await database.read(sweep.inconsistencies) == {}


def new_upload(bucket: int, key: bytes = b"key") -> MultipartUpload:
    return MultipartUpload(
        0,
        secrets.token_hex(8),
        bucket,
        key,
        (),
        (),
        ChecksumAlgorithm.CRC64NVME,
        ChecksumType.FULL_OBJECT,
        False,
        "me",
        1,
    )
