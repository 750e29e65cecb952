"""The count of a user's hour, on both engines: exact under concurrency, undone with the upload that it counted."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path

import pytest

from gateway.errors import RateLimited
from gateway.metadata import upload_windows
from gateway.metadata.port import Database, Transaction
from gateway.metadata.rate_windows import RateWindowFile
from gateway.services.limits import HOUR_MS, Limits
from gateway.settings.limits import LimitSettings

NOW = 1_700_000_000_000
WINDOW = NOW - NOW % HOUR_MS


def limits(**settings: int | bool) -> Limits:
    """What only counts in the database."""
    return Limits(LimitSettings.model_validate(settings), RateWindowFile(Path("unused")), None)


async def test_the_51st_upload_of_an_hour_is_refused(database: Database) -> None:
    mine, who = limits(), f"user:{secrets.token_hex(4)}"
    for left in range(49, -1, -1):
        allowance = await database.write(lambda tx: mine.count_upload(tx, who, NOW))
        assert (allowance.limit, allowance.remaining, allowance.reset_s) == (50, left, (WINDOW + HOUR_MS) // 1000)
    with pytest.raises(RateLimited) as refused:
        await database.write(lambda tx: mine.count_upload(tx, who, NOW))
    assert (refused.value.limit, refused.value.remaining) == (50, 0)
    assert refused.value.retry_after == -((NOW - WINDOW - HOUR_MS) // 1000)
    assert (await mine.hour(database, who, NOW)).remaining == 0
    assert (await mine.hour(database, who, NOW + HOUR_MS)).remaining == 50, "another hour"
    assert (await mine.hour(database, who + "x", NOW)).remaining == 50, "another user"
    await mine.close()


async def test_a_batch_counts_once_a_file_whole_or_not_at_all(database: Database) -> None:
    mine, who = limits(rate_limit_uploads_hour=10), f"user:{secrets.token_hex(4)}"
    assert (await database.write(lambda tx: mine.count_upload(tx, who, NOW, 7))).remaining == 3
    with pytest.raises(RateLimited) as refused:
        await database.write(lambda tx: mine.count_upload(tx, who, NOW, 4))
    assert refused.value.remaining == 3
    with pytest.raises(RateLimited):
        await database.write(lambda tx: mine.count_upload(tx, who + "new", NOW, 11))
    assert (await database.write(lambda tx: mine.count_upload(tx, who, NOW, 3))).remaining == 0
    await mine.close()


async def test_many_at_once_are_counted_exactly(database: Database) -> None:
    mine, who = limits(rate_limit_uploads_hour=20), f"user:{secrets.token_hex(4)}"

    async def one() -> bool:
        try:
            await database.write(lambda tx: mine.count_upload(tx, who, NOW))
        except RateLimited:
            return False
        return True

    assert sum(await asyncio.gather(*(one() for _ in range(32)))) == 20
    await mine.close()


async def test_an_upload_that_fails_is_not_counted(database: Database) -> None:
    mine, who = limits(), f"user:{secrets.token_hex(4)}"

    async def fails(tx: Transaction) -> None:
        await mine.count_upload(tx, who, NOW)
        raise LookupError

    with pytest.raises(LookupError):
        await database.write(fails)
    assert (await mine.hour(database, who, NOW)).remaining == 50
    await mine.close()


async def test_limits_that_are_off_write_nothing(database: Database) -> None:
    who = f"user:{secrets.token_hex(4)}"
    for mine in (limits(rate_limits_enabled=False), limits(rate_limit_uploads_hour=0)):
        allowance = await database.write(lambda tx, mine=mine: mine.count_upload(tx, who, NOW, 1000))
        assert allowance.headers == ()
        assert (await mine.hour(database, who, NOW)).headers == ()
        await mine.close()
    assert await upload_windows.counted(database, who, WINDOW) == 0


async def test_who_is_near_the_limit_and_what_is_forgotten(database: Database) -> None:
    window = secrets.randbelow(1 << 40)
    for who, count in (("user:1", 45), ("user:2", 39), ("user:3", 50)):
        await database.write(lambda tx, who=who, count=count: upload_windows.take(tx, who, window, 50, count))
    assert await database.read(lambda reader: upload_windows.near_limit(reader, window, 40)) == [
        ("user:3", 50),
        ("user:1", 45),
    ]
    assert await database.read(lambda reader: upload_windows.near_limit(reader, window + 1, 1)) == []
    await database.write(lambda tx: upload_windows.forget(tx, window))
    assert await upload_windows.counted(database, "user:1", window) == 45
    await database.write(lambda tx: upload_windows.forget(tx, window + 1))
    assert await upload_windows.counted(database, "user:1", window) == 0
