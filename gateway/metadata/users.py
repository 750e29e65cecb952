"""Users: who registered here, and who came with a token of an app or of a foreign issuer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from gateway.errors import EmailExists, UserNotFound
from gateway.metadata import accounts
from gateway.metadata.port import Reader, Row, Transaction
from gateway.model.accounts import Account, Role, User

HERE = ""
"""The issuer of who registered here."""

COLUMNS = (
    "u.id, u.issuer, u.subject, u.email, u.name, u.role, u.enabled, u.created_ms, u.tokens_from_ms, a.tokens_from_ms, "
    + accounts.COLUMNS
)
FROM = "FROM users u JOIN accounts a ON a.id = u.account_id"


@dataclass(frozen=True, slots=True)
class UserRow:
    """A user (as if none were confined: that is a setting), and since when (ms) tokens of theirs, and of their account, are valid."""

    user: User
    tokens_from_ms: int


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user who may sign in with an address, and the hash of the password (None: with a token only)."""

    user: User
    password_hash: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class NewUser:
    """`email_key` is the address as it is compared: of nobody else's, and None for who cannot sign in with one."""

    account: Account
    issuer: str
    subject: str
    email: str | None
    email_key: str | None
    name: str | None
    password_hash: str | None = field(repr=False)
    role: Role
    created_ms: int


def user_row(row: tuple[Any, ...]) -> UserRow:
    identity, issuer, subject, email, name, role, enabled, created_ms, since_ms, account_since_ms, *account = row
    owner = accounts.account(tuple(account))
    user = User(identity, owner, issuer, subject, email, name, Role(role), bool(enabled), created_ms)
    return UserRow(user, max(since_ms, account_since_ms))


def _user(row: Row | None) -> User | None:
    return None if row is None else user_row(tuple(row)).user


async def by_email(reader: Reader, email_key: str) -> Credentials | None:
    row = await reader.one(f"SELECT u.password_hash, {COLUMNS} {FROM} WHERE u.email_key = ?", (email_key,))
    return None if row is None else Credentials(user_row(tuple(row[1:])).user, row[0])


async def credentials(reader: Reader, identity: int) -> Credentials | None:
    row = await reader.one(f"SELECT u.password_hash, {COLUMNS} {FROM} WHERE u.id = ?", (identity,))
    return None if row is None else Credentials(user_row(tuple(row[1:])).user, row[0])


async def by_subject(reader: Reader, issuer: str, subject: str) -> User | None:
    return _user(await reader.one(f"SELECT {COLUMNS} {FROM} WHERE u.issuer = ? AND u.subject = ?", (issuer, subject)))


async def get(reader: Reader, identity: int) -> User:
    """Raises UserNotFound."""
    found = _user(await reader.one(f"SELECT {COLUMNS} {FROM} WHERE u.id = ?", (identity,)))
    if found is None:
        raise UserNotFound("There is no such user.")
    return found


async def find(reader: Reader, email_key: str, subject: str) -> tuple[User, ...]:
    """Who has that address, or else that `sub`: several apps may know the same."""
    rows = await reader.all(f"SELECT {COLUMNS} {FROM} WHERE u.email_key = ?", (email_key,))
    if not rows:
        rows = await reader.all(f"SELECT {COLUMNS} {FROM} WHERE u.subject = ? ORDER BY u.id LIMIT 10", (subject,))
    return tuple(user_row(tuple(row)).user for row in rows)


async def page(reader: Reader, *, account_id: int | None, after_id: int, limit: int) -> tuple[User, ...]:
    """Users in the order in which they came, of one account or of all."""
    if account_id is None:
        rows = await reader.all(f"SELECT {COLUMNS} {FROM} WHERE u.id > ? ORDER BY u.id LIMIT ?", (after_id, limit))
    else:
        rows = await reader.all(
            f"SELECT {COLUMNS} {FROM} WHERE u.account_id = ? AND u.id > ? ORDER BY u.id LIMIT ?",
            (account_id, after_id, limit),
        )
    return tuple(user_row(tuple(row)).user for row in rows)


async def count_of(reader: Reader, account_id: int) -> int:
    """How many users an account has."""
    row = await reader.one("SELECT count(*) FROM users WHERE account_id = ?", (account_id,))
    assert row is not None
    return int(row[0])


async def insert(tx: Transaction, new: NewUser) -> User:
    """Raises EmailExists. The caller knows that nobody has the subject, by a lock or by chance."""
    if new.email_key is not None:
        await tx.lock("email", new.email_key)
        if await tx.one("SELECT 1 FROM users WHERE email_key = ?", (new.email_key,)) is not None:
            raise EmailExists("Somebody has registered with this address.")
    identity = await tx.insert(
        "INSERT INTO users (account_id, issuer, subject, email, email_key, name, password_hash, role, created_ms) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            new.account.id,
            new.issuer,
            new.subject,
            new.email,
            new.email_key,
            new.name,
            new.password_hash,
            new.role.value,
            new.created_ms,
        ),
    )
    return User(identity, new.account, new.issuer, new.subject, new.email, new.name, new.role, True, new.created_ms)


async def signed_in(tx: Transaction, identity: int, password_hash: str, now_ms: int) -> bool:
    """Note a login; whether user and password are still what they were when the password was compared."""
    return bool(
        await tx.run(
            "UPDATE users SET last_login_ms = ? WHERE id = ? AND password_hash = ? AND enabled = 1",
            (now_ms, identity, password_hash),
        )
    )


async def set_password(tx: Transaction, identity: int, password_hash: str, *, instead_of: str | None = None) -> bool:
    """Whether it was set: not where another is there by now than `instead_of`."""
    if instead_of is None:
        return bool(await tx.run("UPDATE users SET password_hash = ? WHERE id = ?", (password_hash, identity)))
    return bool(
        await tx.run(
            "UPDATE users SET password_hash = ? WHERE id = ? AND password_hash = ?",
            (password_hash, identity, instead_of),
        )
    )


async def set_role(tx: Transaction, identity: int, role: Role) -> None:
    await tx.run("UPDATE users SET role = ? WHERE id = ?", (role.value, identity))


async def set_account(tx: Transaction, identity: int, account_id: int) -> None:
    """Make somebody a user of another account. Tokens that ended with the account that they leave stay ended."""
    since = "(SELECT a.tokens_from_ms FROM accounts a WHERE a.id = users.account_id)"
    await tx.run(
        f"UPDATE users SET account_id = ?, tokens_from_ms = CASE WHEN tokens_from_ms < {since} THEN {since} "
        "ELSE tokens_from_ms END WHERE id = ?",
        (account_id, identity),
    )


async def set_enabled(tx: Transaction, identity: int, enabled: bool, tokens_from_ms: int) -> None:
    """Switch somebody on or off; tokens from before `tokens_from_ms` stay invalid."""
    await tx.run(
        "UPDATE users SET enabled = ?, tokens_from_ms = ? WHERE id = ?", (int(enabled), tokens_from_ms, identity)
    )
