"""Limits: who counts as one, what is left, and what happens where nothing can count."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.cache.port import CacheUnavailable
from gateway.errors import RateLimited, Unavailable, UploadsBusy
from gateway.metadata.rate_windows import RateWindowFile, RateWindowsUnavailable
from gateway.model.accounts import AccessKey, Account, KeyKind, Role, User
from gateway.policy.principal import ANONYMOUS, Principal
from gateway.services.limits import UNLIMITED, Allowance, Limits, counted_as
from gateway.services.upload_slots import UploadSlots
from gateway.settings.limits import LimitSettings

ACCOUNT = Account(7, "someone", "c" * 64, True, 0)
USER = User(3, ACCOUNT, "", "s", None, None, Role.USER, True, 0)
KEY = AccessKey("KEY", "secret", ACCOUNT, KeyKind.S3, False, True, 0)


@pytest.fixture
async def limits(tmp_path: Path) -> AsyncIterator[Limits]:
    found = Limits(LimitSettings(rate_limit_uploads_minute=3), RateWindowFile(tmp_path / "limits"), None)
    yield found
    await found.close()


async def test_the_fourth_upload_of_a_minute_waits_until_the_first_is_a_minute_ago(limits: Limits) -> None:
    began = time.time()
    for _ in range(3):
        await limits.uploads_minute("192.0.2.1")
    with pytest.raises(RateLimited) as refused:
        await limits.uploads_minute("192.0.2.1")
    assert (refused.value.limit, refused.value.remaining) == (3, 0)
    assert began + 59 < refused.value.reset_s < time.time() + 62
    assert 1 <= refused.value.retry_after <= 61
    await limits.uploads_minute("192.0.2.2")


async def test_what_is_refused_does_not_count(tmp_path: Path) -> None:
    file = RateWindowFile(tmp_path / "limits")
    assert [file.take("a", 2, 60, 1, now) for now in (0.0, 30.0, 31.0, 59.0, 60.5, 61.0, 90.5)] == [
        True,
        True,
        False,
        False,
        True,
        False,
        True,
    ]
    assert file.window("a", 60, 91.0) == (60.5, 2)
    assert file.window("b", 60, 91.0) == (91.0, 0)
    file.close()


async def test_several_at_once_are_taken_whole_or_not(tmp_path: Path) -> None:
    file = RateWindowFile(tmp_path / "limits")
    assert file.take("a", 3, 60, 2, 1.0)
    assert not file.take("a", 3, 60, 2, 1.0)
    assert file.take("a", 3, 60, 1, 1.0)
    file.close()


async def test_a_file_of_windows_is_for_its_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        file = RateWindowFile(tmp_path / "limits")
        assert file.take("a", 3, 60, 2, 1.0)
        assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
        file.close()
    finally:
        os.umask(before)


async def test_the_workers_of_a_node_count_together(tmp_path: Path) -> None:
    both = [Limits(LimitSettings(), RateWindowFile(tmp_path / "limits"), None) for _ in range(2)]
    results = await asyncio.gather(
        *(both[number % 2].uploads_minute("192.0.2.1") for number in range(14)), return_exceptions=True
    )
    assert sum(isinstance(one, RateLimited) for one in results) == 4
    assert sum(one is None for one in results) == 10
    for one in both:
        await one.close()


async def test_a_file_that_another_worker_is_making_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "limits"
    with contextlib.closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as making:
        making.execute("BEGIN IMMEDIATE")
        made = threading.Timer(0.2, making.execute, ["COMMIT"])
        made.start()
        try:
            file = RateWindowFile(path)
            assert file.take("a", 1, 60, 1, 1.0)
            file.close()
        finally:
            made.join()


async def test_what_is_past_is_forgotten(tmp_path: Path) -> None:
    file = RateWindowFile(tmp_path / "limits")
    for number in range(50):
        file.take(f"somebody-{number}", 5, 60, 1, 1000.0)
    file.take("other", 5, 60, 1, 2000.0)
    assert file.forget_all() == 1
    file.close()


async def test_a_file_that_is_no_database_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "limits"
    path.write_bytes(b"no database " * 1000)
    file = RateWindowFile(path)
    with pytest.raises(RateWindowsUnavailable):
        file.take("a", 1, 60, 1, 1.0)
    assert file.take("a", 1, 60, 1, 1.0)
    assert not file.take("a", 1, 60, 1, 1.0)
    file.close()


async def test_uploads_go_on_where_nothing_counts_and_passwords_do_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    limits = Limits(LimitSettings(rate_limit_uploads_minute=1), RateWindowFile(tmp_path / "no" / "folder"), None)
    for _ in range(5):
        await limits.uploads_minute("192.0.2.1")
    assert [record.message for record in caplog.records if "not limited" in record.message] == [
        caplog.records[0].message
    ], "it is said once"
    with pytest.raises(Unavailable):
        await limits.passwords("192.0.2.1", "a@example.org")
    with pytest.raises(Unavailable):
        await limits.mails("192.0.2.1", "a@example.org")
    await limits.close()


class AwayRedis:
    """A Redis that is away."""

    prefix = "pixgate:test:"
    asked = 0

    async def script(self, *_: object) -> object:
        self.asked += 1
        raise CacheUnavailable("away")

    async def close(self) -> None:
        return


async def test_where_redis_is_away_the_node_counts(tmp_path: Path) -> None:
    redis = AwayRedis()
    settings = LimitSettings(rate_limit_passwords_email=2, rate_limit_uploads_minute=1)
    limits = Limits(settings, RateWindowFile(tmp_path / "limits"), redis)  # type: ignore[arg-type]
    for number in range(2):
        await limits.passwords(f"192.0.2.{number}", "A@example.org ")
    with pytest.raises(RateLimited):
        await limits.passwords("192.0.2.9", "a@EXAMPLE.org")
    await limits.uploads_minute("192.0.2.1")
    with pytest.raises(RateLimited):
        await limits.uploads_minute("192.0.2.1")
    assert redis.asked > 4
    await limits.close()


async def test_passwords_count_by_address_too(tmp_path: Path) -> None:
    limits = Limits(LimitSettings(rate_limit_passwords_address=2), RateWindowFile(tmp_path / "limits"), None)
    await limits.passwords("192.0.2.1", "a@example.org")
    await limits.passwords("192.0.2.1", "b@example.org")
    with pytest.raises(RateLimited):
        await limits.passwords("192.0.2.1")
    await limits.passwords("192.0.2.2")
    await limits.close()


async def test_the_file_holds_no_mail_address(tmp_path: Path) -> None:
    limits = Limits(LimitSettings(), RateWindowFile(tmp_path / "limits"), None)
    await limits.passwords("192.0.2.1", "somebody@example.org")
    await limits.mails("192.0.2.1", "somebody@example.org")
    await limits.close()
    content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"192.0.2.1" in content
    assert b"somebody" not in content


async def test_refresh_tokens_count_by_address_and_by_session_and_fail_open(tmp_path: Path) -> None:
    settings = LimitSettings(rate_limit_refreshes_address=2, rate_limit_refreshes_session=1)
    limits = Limits(settings, RateWindowFile(tmp_path / "limits"), None)
    for _ in range(2):
        await limits.refreshes("2001:db8::1")
    with pytest.raises(RateLimited):
        await limits.refreshes("2001:db8::2")
    await limits.refreshes_of("one session")
    await limits.refreshes_of("another")
    with pytest.raises(RateLimited) as refused:
        await limits.refreshes_of("one session")
    assert (refused.value.limit, refused.value.remaining) == (1, 0)
    await limits.close()
    away = Limits(settings, RateWindowFile(tmp_path / "no" / "folder"), None)
    for _ in range(3):
        await away.refreshes("192.0.2.1")
        await away.refreshes_of("one session")
    await away.close()


@pytest.mark.parametrize(
    "settings",
    [
        LimitSettings(rate_limits_enabled=False, rate_limit_uploads_minute=1),
        LimitSettings(rate_limit_uploads_minute=0, rate_limit_passwords_address=0, rate_limit_passwords_email=0),
    ],
    ids=["all off", "each off"],
)
async def test_limits_can_be_switched_off(tmp_path: Path, settings: LimitSettings) -> None:
    limits = Limits(settings, RateWindowFile(tmp_path / "no" / "file"), None)
    for _ in range(40):
        await limits.uploads_minute("192.0.2.1")
        await limits.passwords("192.0.2.1", "a@example.org")
    await limits.close()


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::ffff", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::/64"),
        (None, "unknown"),
        ("", "unknown"),
        ("nonsense", "unknown"),
    ],
)
def test_an_address_counts_as(address: str | None, expected: str) -> None:
    assert counted_as(address) == expected


def test_who_an_upload_counts_for() -> None:
    assert Limits.who(Principal(user=USER), "192.0.2.1") == "user:3"
    assert Limits.who(Principal(access_key=KEY), "192.0.2.1") == "account:7"
    assert Limits.who(ANONYMOUS, "2001:db8::1") == "address:2001:db8::/64"


async def test_an_upload_takes_of_the_share_of_its_address_and_of_who_signed_in(limits: Limits) -> None:
    assert limits.clients(Principal(user=USER), "2001:db8::1") == {"user:3": 5, "address:2001:db8::/64": 8}
    assert limits.clients(Principal(access_key=KEY), "192.0.2.1") == {"account:7": 8, "address:192.0.2.1": 8}
    assert limits.clients(ANONYMOUS, "192.0.2.1") == {"address:192.0.2.1": 8}


async def test_users_and_keys_of_an_account_share_slots_where_that_is_bounded(tmp_path: Path) -> None:
    limits = Limits(LimitSettings(upload_slots_account=3), RateWindowFile(tmp_path / "limits"), None)
    slots = UploadSlots(tmp_path / "slots", 10, 0)
    other = replace(ACCOUNT, id=8)

    def taken(principal: Principal, number: int) -> AbstractAsyncContextManager[None]:
        return slots.taken(limits.clients(principal, f"192.0.2.{number}"))

    async with AsyncExitStack() as held:
        for number, principal in enumerate((Principal(user=USER), Principal(user=USER), Principal(access_key=KEY))):
            await held.enter_async_context(taken(principal, number))
        for principal in (Principal(user=USER), Principal(user=replace(USER, id=4)), Principal(access_key=KEY)):
            with pytest.raises(UploadsBusy):
                await held.enter_async_context(taken(principal, 100))
        for principal in (Principal(user=replace(USER, id=5, account=other)), ANONYMOUS):
            await held.enter_async_context(taken(principal, 101))
    async with taken(Principal(user=USER), 102):
        pass
    slots.close()
    await limits.close()


@pytest.mark.parametrize(("slots", "each", "user"), [(10, 8, 5), (5, 3, 2), (4, 2, 2), (3, 3, 3), (1, 1, 1)])
def test_some_slots_are_kept_from_each_where_there_are_four(slots: int, each: int, user: int) -> None:
    settings = LimitSettings(upload_slots=slots)
    assert (settings.slots_each, settings.slots_user) == (each, user)
    settings = LimitSettings(upload_slots=slots, upload_slots_each=7, upload_slots_user=9)
    assert (settings.slots_each, settings.slots_user) == (7, 9)


def test_an_allowance_tells_itself_in_headers() -> None:
    assert Allowance(50, 49, 7200).headers == (
        ("X-RateLimit-Limit", "50"),
        ("X-RateLimit-Remaining", "49"),
        ("X-RateLimit-Reset", "7200"),
    )
    assert UNLIMITED.headers == ()
    Limits.refuse(UNLIMITED)
    with pytest.raises(RateLimited) as refused:
        Limits.refuse(Allowance(50, 0, int(time.time()) + 100))
    assert 99 <= refused.value.retry_after <= 101
