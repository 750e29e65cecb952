"""Users, sessions and their tokens as rows, on both engines."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable

import pytest

from gateway.errors import EmailExists, UserNotFound
from gateway.metadata import accounts, sessions, users
from gateway.metadata.port import Database, Transaction
from gateway.metadata.users import HERE, NewUser
from gateway.model.accounts import Role, User

HOUR = 3_600_000


async def new_user(
    database: Database, email: str | None = None, *, issuer: str = HERE, subject: str | None = None, account: str = ""
) -> User:
    """A user of an account of their own, or of one that there is; `password_hash` is `hash`."""

    async def operation(tx: Transaction) -> User:
        owner = await accounts.by_name(tx, account) if account else None
        if owner is None:
            owner = await accounts.insert(tx, account or f"user-{secrets.token_hex(4)}", secrets.token_hex(16), 1)
        new = NewUser(owner, issuer, subject or secrets.token_hex(4), email, email, "Ann", "hash", Role.USER, 5)
        return await users.insert(tx, new)

    return await database.write(operation)


async def new_session(database: Database, user: User, *, now_ms: int = 1, expires_ms: int = HOUR) -> str:
    session = secrets.token_hex(8)

    async def operation(tx: Transaction) -> None:
        await sessions.begin(tx, session, user.id, now_ms, expires_ms, "192.0.2.1")
        await sessions.add_refresh(tx, session.encode(), session, now_ms, expires_ms)

    await database.write(operation)
    return session


async def live(database: Database, session: str, now_ms: int = 10) -> bool:
    found = await sessions.get(database, session, now_ms)
    assert found is not None
    return found.live


async def test_a_user_is_read_as_written(database: Database) -> None:
    made = await new_user(database, "ann@example.org")
    assert (made.email, made.name, made.role, made.enabled, made.created_ms) == (
        "ann@example.org",
        "Ann",
        Role.USER,
        True,
        5,
    )
    assert await users.get(database, made.id) == made
    found = await users.by_email(database, "ann@example.org")
    assert found is not None
    assert (found.user, found.password_hash) == (made, "hash")
    assert "hash" not in repr(found)
    assert await users.by_subject(database, HERE, made.subject) == made
    assert await users.by_email(database, "nobody@example.org") is None
    with pytest.raises(UserNotFound):
        await users.get(database, made.id + 1000)


async def test_of_many_who_register_an_address_at_once_one_has_it(opened: Callable[[], Database]) -> None:
    first, second = opened(), opened()
    done = await asyncio.gather(
        *(new_user(one, "same@example.org") for one in (first, second) * 5), return_exceptions=True
    )
    assert [type(one) for one in done].count(User) == 1
    assert [type(one) for one in done].count(EmailExists) == 9


async def test_users_without_an_address_to_sign_in_with_are_many(database: Database) -> None:
    for subject in "ab":

        async def operation(tx: Transaction, subject: str = subject) -> User:
            owner = await accounts.insert(tx, f"of-{subject}", secrets.token_hex(16), 1)
            return await users.insert(tx, NewUser(owner, "app", subject, "x@y.z", None, None, None, Role.USER, 1))

        made = await database.write(operation)
        assert made.email == "x@y.z"
    assert await users.by_email(database, "x@y.z") is None


async def test_a_page_of_users_is_of_one_account_or_of_all(database: Database) -> None:
    made = [await new_user(database, f"{n}@example.org", account="shop" if n < 3 else "") for n in range(5)]
    everyone = await users.page(database, account_id=None, after_id=0, limit=100)
    assert [user.id for user in everyone] == [user.id for user in made]
    shop = await users.page(database, account_id=made[0].account.id, after_id=made[0].id, limit=1)
    assert shop == (made[1],)
    assert await users.count_of(database, made[0].account.id) == 3


async def test_who_is_found_by_address_before_anybody_by_subject(database: Database) -> None:
    here = await new_user(database, "ann@example.org")
    guest = await new_user(database, issuer="one", subject="ann@example.org")
    other = await new_user(database, issuer="two", subject="bob")
    more = await new_user(database, issuer="three", subject="bob")
    assert await users.find(database, "ann@example.org", "ann@example.org") == (here,)
    assert await users.find(database, "bob", "bob") == (other, more)
    assert guest not in await users.find(database, "bob", "bob")
    assert await users.find(database, "", "") == ()


async def test_a_login_counts_only_while_the_password_is_the_one_that_was_compared(database: Database) -> None:
    user = await new_user(database)
    assert await database.write(lambda tx: users.signed_in(tx, user.id, "hash", 9))
    assert not await database.write(lambda tx: users.signed_in(tx, user.id, "another", 9))
    assert not await database.write(lambda tx: users.set_password(tx, user.id, "new", instead_of="another"))
    assert await database.write(lambda tx: users.set_password(tx, user.id, "new", instead_of="hash"))
    assert not await database.write(lambda tx: users.signed_in(tx, user.id, "hash", 9))
    await database.write(lambda tx: users.set_enabled(tx, user.id, False, 9))
    assert not await database.write(lambda tx: users.signed_in(tx, user.id, "new", 9))


async def test_one_look_up_tells_of_session_user_and_account(database: Database) -> None:
    user = await new_user(database)
    session = await new_session(database, user)
    found = await sessions.get(database, session, 10)
    assert found is not None
    assert found.live
    assert (found.row.user, found.row.tokens_from_ms) == (user, 0)
    assert not await live(database, session, HOUR)
    await database.write(lambda tx: users.set_enabled(tx, user.id, False, 77))
    await database.write(lambda tx: accounts.set_enabled(tx, user.account.name, False))
    await database.write(lambda tx: users.set_role(tx, user.id, Role.ADMIN))
    found = await sessions.get(database, session, 10)
    assert found is not None
    changed = found.row.user
    assert (changed.enabled, changed.account.enabled, changed.role, found.row.tokens_from_ms) == (
        False,
        False,
        Role.ADMIN,
        77,
    )
    assert await sessions.get(database, "another", 10) is None


async def test_a_session_ends_alone_or_with_all_of_its_user(database: Database) -> None:
    user, other = await new_user(database), await new_user(database)
    first, second, third = [await new_session(database, user) for _ in range(3)]
    elsewhere = await new_session(database, other)
    await database.write(lambda tx: sessions.end(tx, first, 7))
    assert [await live(database, one) for one in (first, second, third)] == [False, True, True]
    await database.write(lambda tx: sessions.end_all(tx, user.id, 8))
    assert [await live(database, one) for one in (second, third, elsewhere)] == [False, False, True]


async def test_sessions_and_tokens_end_with_all_of_an_account(database: Database) -> None:
    ann, bob = [await new_user(database, account="shop", issuer=issuer) for issuer in (HERE, "https://app.example")]
    eve = await new_user(database)
    kept, *ended = [await new_session(database, user) for user in (eve, ann, ann, bob)]
    await database.write(lambda tx: sessions.add_reset(tx, b"r", ann.id, HOUR))
    await database.write(lambda tx: sessions.add_reset(tx, b"e", eve.id, HOUR))
    await database.write(lambda tx: accounts.end_tokens(tx, ann.account.id, 10))
    assert [await live(database, session) for session in (kept, *ended)] == [True, False, False, False]
    assert await sessions.reset_of(database, b"r", 11) is None
    assert await sessions.reset_of(database, b"e", 11) == eve.id
    # What begins from then on holds, and no row of a user was written.
    later = await new_session(database, bob, now_ms=10)
    assert await live(database, later)
    assert await database.all("SELECT DISTINCT tokens_from_ms FROM users") == [(0,)]
    for user, since in ((ann, 10), (bob, 10), (eve, 0)):
        found = await sessions.of_token(database, b"t", user.issuer, user.subject)
        assert found is not None
        assert found.row.tokens_from_ms == since


async def test_what_ended_with_an_account_stays_ended_for_who_is_moved_to_another(database: Database) -> None:
    ann, eve = await new_user(database, account="left"), await new_user(database)
    before = await new_session(database, ann)
    await database.write(lambda tx: accounts.end_tokens(tx, ann.account.id, 10))
    after = await new_session(database, ann, now_ms=10)
    await database.write(lambda tx: users.set_account(tx, ann.id, eve.account.id))
    assert (await users.get(database, ann.id)).account == eve.account
    assert [await live(database, session) for session in (before, after)] == [False, True]
    # What the user's own moment says is kept where it is the later one.
    await database.write(lambda tx: users.set_enabled(tx, ann.id, True, 20))
    await database.write(lambda tx: users.set_account(tx, ann.id, ann.account.id))
    found = await sessions.get(database, after, 21)
    assert found is not None
    assert (found.row.tokens_from_ms, found.live) == (20, False)


async def test_a_refresh_token_is_good_for_one_use_and_its_second_ends_the_session(database: Database) -> None:
    user = await new_user(database)
    session = await new_session(database, user)

    async def renew(old: bytes, new: bytes, now_ms: int = 10) -> sessions.Renewed | None:
        return await database.write(lambda tx: sessions.renew(tx, old, new, now_ms, now_ms + HOUR))

    done = await renew(session.encode(), b"next")
    assert done is not None
    assert (done.session, done.reused, done.row.user) == (session, False, user)
    assert await live(database, session, HOUR + 9)
    done = await renew(b"next", b"after")
    assert done is not None
    assert not done.reused
    stolen = await renew(session.encode(), b"stolen")
    assert stolen is not None
    assert stolen.reused
    assert not await live(database, session)
    assert await renew(b"after", b"late") is None
    assert await renew(b"stolen", b"late") is None
    assert await renew(b"nobody's", b"late") is None


async def test_of_two_uses_at_once_one_renews_and_the_other_ends_the_session(opened: Callable[[], Database]) -> None:
    first, second = opened(), opened()
    session = await new_session(first, await new_user(first))
    done = await asyncio.gather(
        *(
            one.write(lambda tx, n=n: sessions.renew(tx, session.encode(), f"n{n}".encode(), 10, HOUR))  # type: ignore[misc]
            for n, one in enumerate((first, second) * 3)
        )
    )
    reused = [one.reused for one in done if one is not None]
    assert reused.count(False) == 1
    assert True in reused
    assert not await live(first, session)


@pytest.mark.parametrize("why", ["expired", "ended", "user", "account"])
async def test_what_is_over_is_not_renewed(database: Database, why: str) -> None:
    user = await new_user(database)
    session = await new_session(database, user)
    now = HOUR if why == "expired" else 10
    if why == "ended":
        await database.write(lambda tx: sessions.end(tx, session, 5))
    elif why == "user":
        await database.write(lambda tx: users.set_enabled(tx, user.id, False, 5))
    elif why == "account":
        await database.write(lambda tx: accounts.set_enabled(tx, user.account.name, False))
    assert await database.write(lambda tx: sessions.renew(tx, session.encode(), b"new", now, 2 * HOUR)) is None
    assert await database.one("SELECT 1 FROM refresh_tokens WHERE hash = ?", (b"new",)) is None


async def test_a_token_of_others_is_found_with_its_user_until_it_is_logged_out(database: Database) -> None:
    user = await new_user(database, issuer="shared:shop", subject="bob")
    for _ in range(2):  # twice is once
        found = await sessions.of_token(database, b"token", "shared:shop", "bob")
        assert found is not None
        assert (found.live, found.row.user) == (True, user)
    for _ in range(2):
        await database.write(lambda tx: sessions.revoke(tx, b"token", HOUR))
    found = await sessions.of_token(database, b"token", "shared:shop", "bob")
    assert found is not None
    assert not found.live
    other = await sessions.of_token(database, b"other", "shared:shop", "bob")
    assert other is not None
    assert other.live
    assert await sessions.of_token(database, b"other", "shared:", "bob") is None


async def test_a_reset_is_good_once_and_not_after_its_time_or_another_password(database: Database) -> None:
    user = await new_user(database)

    async def add(token: bytes) -> None:
        await database.write(lambda tx: sessions.add_reset(tx, token, user.id, HOUR))

    async def take(token: bytes, now_ms: int = 10) -> bool:
        return await database.write(lambda tx: sessions.take_reset(tx, token, now_ms))

    await add(b"one")
    assert await sessions.reset_of(database, b"one", 10) == user.id
    assert await sessions.reset_of(database, b"one", HOUR) is None
    assert not await take(b"one", HOUR)
    assert await take(b"one")
    assert not await take(b"one")
    assert await sessions.reset_of(database, b"one", 10) is None
    await add(b"two")
    await database.write(lambda tx: sessions.end_all(tx, user.id, 11))
    assert await sessions.reset_of(database, b"two", 10) is None


async def test_what_expired_is_forgotten_and_nothing_else(database: Database) -> None:
    user = await new_user(database)
    old, new = await new_session(database, user, expires_ms=5), await new_session(database, user, expires_ms=20)

    async def fill(tx: Transaction) -> None:
        await sessions.add_reset(tx, b"old", user.id, 5)
        await sessions.add_reset(tx, b"new", user.id, 20)
        await sessions.revoke(tx, b"old", 5)
        await sessions.revoke(tx, b"new", 20)

    await database.write(fill)
    assert await database.write(lambda tx: sessions.forget_expired(tx, 10)) == 4
    assert await database.write(lambda tx: sessions.forget_expired(tx, 10)) == 0
    assert await sessions.get(database, old, 1) is None
    assert await live(database, new)
    assert await sessions.reset_of(database, b"new", 10) == user.id
    for table in ("refresh_tokens", "password_resets", "revoked_tokens"):
        row = await database.one(f"SELECT count(*) FROM {table}")
        assert row is not None
        assert row[0] == 1
