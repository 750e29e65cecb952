"""Questions that callers share: who waited for one that failed does not wait for another as long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest

from gateway.errors import DatabaseUnavailable, GatewayError
from gateway.metadata import coalesced
from gateway.metadata.coalesced import Coalesced
from gateway.metadata.postgres_hot import Batches


class Database:
    """Answers a question when it is told to."""

    def __init__(self) -> None:
        self.asked = 0
        self.fate: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def single(self) -> int:
        self.asked += 1
        return await asyncio.shield(self.fate)

    async def batch(self, asked: Sequence[int]) -> list[int | GatewayError]:
        return [await self.single() for _ in asked[:1]] * len(asked)


async def outcomes(kind: str, failure: Exception, later: Callable[[Database], None]) -> tuple[list[object], int]:
    """What the first caller and two that came during its question get, and how many questions there were."""
    database = Database()
    shared = Coalesced(database.single)
    batches = Batches(database.batch, 1)
    tasks: list[asyncio.Task[int]] = []
    for number in range(3):
        asking = shared() if kind == "question" else batches(number)
        tasks.append(asyncio.ensure_future(asking))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert database.asked == 1
    failing, database.fate = database.fate, asyncio.get_running_loop().create_future()
    later(database)
    failing.set_exception(failure)
    return list(await asyncio.gather(*tasks, return_exceptions=True)), database.asked


def _silent(database: Database) -> None:
    """It never answers again."""


def _back(database: Database) -> None:
    database.fate.set_result(7)


@pytest.mark.parametrize("kind", ["question", "batch"])
async def test_who_waited_for_a_database_that_is_away_is_told_with_the_first(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coalesced, "PATIENCE_SECONDS", -1.0)
    async with asyncio.timeout(60):
        found, asked = await outcomes(kind, DatabaseUnavailable("away"), _silent)
    assert [type(each) for each in found] == [DatabaseUnavailable] * 3
    assert asked == 1


@pytest.mark.parametrize("kind", ["question", "batch"])
@pytest.mark.parametrize(
    ("failure", "patience"), [(DatabaseUnavailable("refused at once"), 3600.0), (ValueError("its own"), -1.0)]
)
async def test_any_other_failure_is_that_of_one_question(
    kind: str, failure: Exception, patience: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coalesced, "PATIENCE_SECONDS", patience)
    async with asyncio.timeout(60):
        found, asked = await outcomes(kind, failure, _back)
    assert found == [failure, 7, 7]
    assert asked == 2
