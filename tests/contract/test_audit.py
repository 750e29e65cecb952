"""The audit log, on both engines: events are kept as they were noted, found by what they tell, and swept when old."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from gateway.errors import DatabaseUnavailable
from gateway.metadata import accounts, audit
from gateway.metadata.audit import Action, Actor, Event, Wanted
from gateway.metadata.port import Database, Transaction
from gateway.services.audit import ADDRESSES, Audit

MADE = 1_790_000_000_000


async def account(database: Database, name: str) -> int:
    return (await database.write(lambda tx: accounts.create(tx, name, name * 8, MADE))).id


def event(action: Action = Action.UPLOAD, at: int = MADE, **values: Any) -> Event:
    target, detail, once = values.pop("target", None), values.pop("detail", {}), values.pop("once", None)
    return Event(action, Actor("api", **values), at, target=target, detail=detail, once=once)


async def read(database: Database, **wanted: Any) -> list[audit.Record]:
    return await database.read(lambda reader: audit.page(reader, Wanted(**wanted), before=None, limit=100))


async def test_an_event_is_read_as_it_was_noted(database: Database) -> None:
    owner = await account(database, "ada")
    told = {"bytes": 5, "name": "\u00fc\u0000.jpg", "of": ["a", None]}
    values: dict[str, Any] = {
        "account_id": owner,
        "user_id": 77,
        "access_key": "PGX",
        "address": "2001:db8::1",
        "request_id": "ABC",
    }
    await database.write(lambda tx: audit.note(tx, event(target="I\0\udc80", detail=told, **values)))
    (found,) = await read(database)
    assert found == audit.Record(
        found.id, MADE, "image.upload", "api", "ada", 77, None, "PGX", "I\\udc80", "2001:db8::1", "ABC", told
    )


async def test_an_event_is_undone_with_what_it_tells_of(database: Database) -> None:
    async def work(tx: Transaction) -> None:
        await audit.note(tx, event())
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await database.write(work)
    assert await read(database) == []


async def test_what_happens_once_is_kept_once(database: Database) -> None:
    for text in ("a", "a", "b", None, None):
        await database.write(partial(audit.note, event=event(once=text, target=text)))
    assert sorted(str(one.target) for one in await read(database)) == ["None", "None", "a", "b"]


async def test_filters_find_what_fits_all_of_them_and_pages_have_no_gap(database: Database) -> None:
    owner, other = await account(database, "ada"), await account(database, "bob")
    events = [
        event(
            Action.LOGIN if n % 2 else Action.DELETE,
            MADE + n,
            account_id=owner if n % 3 else other,
            user_id=n % 4,
            access_key=f"K{n % 5}",
            target=f"t{n % 2}",
            address=f"10.0.0.{n % 3}",
        )
        for n in range(30)
    ]
    await database.write(lambda tx: audit.note_many(tx, events))
    everything = await read(database)
    assert [one.at_ms for one in everything] == [MADE + n for n in reversed(range(30))]

    def expected(**wanted: object) -> list[int]:
        return [
            one.at_ms
            for one in reversed(events)
            if all(
                getattr(one, name, None) == value or getattr(one.actor, name, None) == value
                for name, value in wanted.items()
            )
        ]

    cases: list[dict[str, object]] = [
        {"action": "user.login"},
        {"account_id": other},
        {"user_id": 3},
        {"access_key": "K2"},
        {"target": "t1"},
        {"address": "10.0.0.2"},
        {"action": "user.login", "account_id": owner, "address": "10.0.0.1"},
    ]
    for wanted in cases:
        found = [one.at_ms for one in await read(database, **wanted)]
        assert found
        assert found == expected(**wanted)
    assert [one.at_ms - MADE for one in await read(database, since_ms=MADE + 3, until_ms=MADE + 6)] == [5, 4, 3]

    seen: list[int] = []
    before: int | None = None
    while some := await Audit(database).page(Wanted(), before=before, limit=7):
        seen += [one.id for one in some]
        before = some[-1].id
    assert seen == [one.id for one in everything]


async def test_old_events_are_swept_and_no_others(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "SWEPT", 4)
    now = 10_000_000_000_000  # far ahead of every clock
    monkeypatch.setattr("gateway.services.audit.now_ms", lambda: now)
    ages = [0, 50, 99, 100, 101, 150, 200, 300, 400, 500]
    await database.write(lambda tx: audit.note_many(tx, [event(at=now - age) for age in ages]))
    assert await Audit(database).forget(100) == 6
    assert sorted(now - one.at_ms for one in await read(database)) == [0, 50, 99, 100]
    assert await Audit(database).forget(100) == 0


async def test_the_use_of_a_key_is_noted_once_for_an_address_and_an_hour(database: Database) -> None:
    owner = await account(database, "ada")
    workers = [Audit(database), Audit(database)]
    for log in workers:
        for hour in (500_000, 500_001):
            for address in ("10.0.0.1", "10.0.0.2", None):
                for minute in (0, 59):
                    log.key_used("PGA", owner, address, hour * 3600 + minute * 60, "s3")
        await log.flush()
    found = await read(database, action="key.use")
    assert len(found) == 2 * 3
    assert {(one.account, one.access_key, one.via) for one in found} == {("ada", "PGA", "s3")}
    assert {one.address for one in found} == {"10.0.0.1", "10.0.0.2", None}


async def test_a_key_that_everybody_uses_does_not_fill_the_log(database: Database) -> None:
    owner = await account(database, "ada")
    log = Audit(database)
    for n in range(ADDRESSES + 500):
        log.key_used("PGA", owner, f"10.1.{n // 250}.{n % 250}", 1_800_000_000, "img")
    await log.close()
    row = await database.one("SELECT count(*), count(detail) FROM audit")
    assert row == (ADDRESSES + 1, 1)


async def test_events_wait_while_the_database_is_away_and_no_more_than_some(
    database: Database, opened: Callable[[], Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.services.audit.GATHERED", 20)
    monkeypatch.setattr("gateway.services.audit.WRITTEN", 7)
    away = opened()
    await away.close()
    log = Audit(away)
    for n in range(25):
        log.later(event(at=MADE + n))
    for _ in range(2):
        with pytest.raises(DatabaseUnavailable):
            await log.flush()
    log._database = database  # it is back
    await log.flush()
    assert [one.at_ms for one in await read(database)] == [MADE + n for n in reversed(range(20))]
    await log.flush()
    assert len(await read(database)) == 20


async def test_what_is_gathered_is_written_by_itself_and_at_the_end(database: Database) -> None:
    log = Audit(database)
    log.begin()
    log.later(event(target="soon"))
    deadline = asyncio.get_running_loop().time() + 30
    while not await read(database):
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.05)
    log.later(event(target="at the end"))
    await log.close()
    assert [one.target for one in await read(database)] == ["at the end", "soon"]
