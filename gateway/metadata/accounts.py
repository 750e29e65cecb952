"""Accounts."""

from __future__ import annotations

from typing import Any

from gateway.errors import AccountExists, AccountNotFound
from gateway.metadata import meta
from gateway.metadata.port import Reader, Transaction
from gateway.model.accounts import Account, Duplicates

COLUMNS = (
    "a.id, a.name, a.canonical_id, a.enabled, a.created_ms, a.is_root, a.quota_bytes, a.quota_images, a.duplicates, "
    "a.home_bucket_id"
)


def account(row: tuple[Any, ...]) -> Account:
    identity, name, canonical_id, enabled, created_ms, is_root, quota_bytes, quota_images, duplicates, home = row
    return Account(
        identity,
        name,
        canonical_id,
        bool(enabled),
        created_ms,
        bool(is_root),
        quota_bytes,
        quota_images,
        Duplicates(duplicates),
        home,
    )


async def by_name(reader: Reader, name: str) -> Account | None:
    row = await reader.one(f"SELECT {COLUMNS} FROM accounts a WHERE a.name = ?", (name,))
    return None if row is None else account(row)


async def by_id(reader: Reader, account_id: int) -> Account | None:
    row = await reader.one(f"SELECT {COLUMNS} FROM accounts a WHERE a.id = ?", (account_id,))
    return None if row is None else account(row)


async def root(reader: Reader) -> Account | None:
    row = await reader.one(f"SELECT {COLUMNS} FROM accounts a WHERE a.is_root = 1")
    return None if row is None else account(row)


async def list_all(reader: Reader) -> tuple[Account, ...]:
    return tuple(account(row) for row in await reader.all(f"SELECT {COLUMNS} FROM accounts a ORDER BY a.name"))


async def create(tx: Transaction, name: str, canonical_id: str, now_ms: int, *, is_root: bool = False) -> Account:
    await tx.lock("config")
    if await by_name(tx, name) is not None:
        raise AccountExists(f"There is an account {name!r} already.")
    made = await insert(tx, name, canonical_id, now_ms, is_root=is_root)
    await meta.bump_generation(tx)
    return made


async def insert(tx: Transaction, name: str, canonical_id: str, now_ms: int, *, is_root: bool = False) -> Account:
    """An account of a name that is chance, so that nobody has asked for it before and no cache has to forget anything."""
    identity = await tx.insert(
        "INSERT INTO accounts (name, canonical_id, is_root, created_ms) VALUES (?, ?, ?, ?)",
        (name, canonical_id, int(is_root), now_ms),
    )
    return Account(identity, name, canonical_id, True, now_ms, is_root)


async def set_enabled(tx: Transaction, name: str, enabled: bool) -> None:
    if not await tx.run("UPDATE accounts SET enabled = ? WHERE name = ?", (int(enabled), name)):
        raise AccountNotFound(f"There is no account {name!r}.")
    await meta.bump_generation(tx)


async def end_tokens(tx: Transaction, account_id: int, now_ms: int) -> None:
    """No session or token of the account's users from before `now_ms` holds any more, nor any link to a new password."""
    await tx.run("UPDATE accounts SET tokens_from_ms = ? WHERE id = ?", (now_ms, account_id))
    # There are few: each is good for an hour.
    await tx.run(
        "DELETE FROM password_resets WHERE user_id IN "
        "(SELECT r.user_id FROM password_resets r JOIN users u ON u.id = r.user_id WHERE u.account_id = ?)",
        (account_id,),
    )


async def page(reader: Reader, *, after: str, limit: int) -> tuple[Account, ...]:
    """Accounts by name, those behind `after`."""
    rows = await reader.all(
        f"SELECT {COLUMNS} FROM accounts a WHERE a.name > ? ORDER BY a.name LIMIT ?", (after, limit)
    )
    return tuple(account(row) for row in rows)


async def set_limits(
    tx: Transaction, name: str, quota_bytes: int | None, quota_images: int | None, duplicates: Duplicates
) -> None:
    """Quotas in bytes and images, None for none; and what becomes of uploads of the same bytes. Raises AccountNotFound."""
    changed = await tx.run(
        "UPDATE accounts SET quota_bytes = ?, quota_images = ?, duplicates = ? WHERE name = ?",
        (quota_bytes, quota_images, duplicates.value, name),
    )
    if not changed:
        raise AccountNotFound(f"There is no account {name!r}.")
    await meta.bump_generation(tx)


async def set_home_bucket(tx: Transaction, account_id: int, bucket_id: int) -> None:
    """The bucket of uploads that name none."""
    await tx.run("UPDATE accounts SET home_bucket_id = ? WHERE id = ?", (bucket_id, account_id))
    await meta.bump_generation(tx)
