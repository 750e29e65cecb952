"""Access keys. Secrets come and go sealed: only the services hold the master key."""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.errors import KeyNotFound
from gateway.metadata import accounts, key_scopes, meta
from gateway.metadata.port import Reader, Row, Transaction
from gateway.model.accounts import Account, KeyKind, KeyScope

COLUMNS = (
    "k.access_key, k.sealed_secret, k.kind, k.admin, k.enabled, k.generated_root, k.bucket, k.prefix, k.description, "
    f"k.created_ms, k.expires_ms, k.scope, {accounts.COLUMNS}"
)
FROM = "FROM access_keys k JOIN accounts a ON a.id = k.account_id"
BY_KEY = f"SELECT {COLUMNS} {FROM} WHERE k.access_key = ?"


@dataclass(frozen=True, slots=True)
class SealedKey:
    access_key: str
    sealed_secret: bytes = field(repr=False)
    kind: KeyKind
    admin: bool
    enabled: bool
    generated_root: bool
    bucket: str | None
    prefix: str | None
    description: str
    created_ms: int
    expires_ms: int | None
    account: Account
    scope: KeyScope | None = None


def sealed_key(row: Row) -> SealedKey:
    access_key, secret, kind, admin, enabled, root, bucket, prefix, description, created, expires, *rest = row
    scope, *account = rest
    return SealedKey(
        access_key,
        bytes(secret),
        KeyKind(kind),
        bool(admin),
        bool(enabled),
        bool(root),
        bucket,
        prefix,
        description,
        created,
        expires,
        accounts.account(tuple(account)),
        key_scopes.load(scope),
    )


async def get(reader: Reader, access_key: str) -> SealedKey:
    row = await reader.one(BY_KEY, (access_key,))
    if row is None:
        raise KeyNotFound(f"There is no access key {access_key!r}.")
    return sealed_key(row)


async def generated_root(reader: Reader) -> SealedKey | None:
    row = await reader.one(f"SELECT {COLUMNS} {FROM} WHERE k.generated_root = 1")
    return None if row is None else sealed_key(row)


async def list_all(reader: Reader) -> list[SealedKey]:
    return [sealed_key(row) for row in await reader.all(f"SELECT {COLUMNS} {FROM} ORDER BY a.name, k.created_ms")]


async def insert(tx: Transaction, key: SealedKey) -> None:
    await tx.lock("config")
    await tx.run(
        "INSERT INTO access_keys (access_key, account_id, sealed_secret, kind, admin, enabled, generated_root, bucket, "
        "prefix, description, created_ms, expires_ms, scope) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            key.access_key,
            key.account.id,
            key.sealed_secret,
            key.kind.value,
            int(key.admin),
            int(key.enabled),
            int(key.generated_root),
            key.bucket,
            key.prefix,
            key.description,
            key.created_ms,
            key.expires_ms,
            key_scopes.dump(key.scope),
        ),
    )
    await meta.bump_generation(tx)


async def set_enabled(tx: Transaction, access_key: str, enabled: bool) -> None:
    if not await tx.run("UPDATE access_keys SET enabled = ? WHERE access_key = ?", (int(enabled), access_key)):
        raise KeyNotFound(f"There is no access key {access_key!r}.")
    await meta.bump_generation(tx)


async def set_expiry(tx: Transaction, access_key: str, expires_ms: int | None) -> None:
    """When it ends; None: not by itself."""
    if not await tx.run("UPDATE access_keys SET expires_ms = ? WHERE access_key = ?", (expires_ms, access_key)):
        raise KeyNotFound(f"There is no access key {access_key!r}.")
    await meta.bump_generation(tx)


async def set_scope(tx: Transaction, access_key: str, scope: KeyScope | None) -> None:
    changed = await tx.run(
        "UPDATE access_keys SET scope = ? WHERE access_key = ?", (key_scopes.dump(scope), access_key)
    )
    if not changed:
        raise KeyNotFound(f"There is no access key {access_key!r}.")
    await meta.bump_generation(tx)


async def page(reader: Reader, account_id: int | None, *, after: str, limit: int) -> list[SealedKey]:
    """Keys by name behind `after`, of one account or of all."""
    owner, values = ("", ()) if account_id is None else ("AND k.account_id = ? ", (account_id,))
    rows = await reader.all(
        f"SELECT {COLUMNS} {FROM} WHERE k.access_key > ? {owner}ORDER BY k.access_key LIMIT ?", (after, *values, limit)
    )
    return [sealed_key(row) for row in rows]


async def of_account(reader: Reader, account_id: int) -> list[SealedKey]:
    """An account's keys, the oldest first."""
    rows = await reader.all(f"SELECT {COLUMNS} {FROM} WHERE k.account_id = ? ORDER BY k.created_ms", (account_id,))
    return [sealed_key(row) for row in rows]


async def delete(tx: Transaction, access_key: str) -> None:
    if not await tx.run("DELETE FROM access_keys WHERE access_key = ?", (access_key,)):
        raise KeyNotFound(f"There is no access key {access_key!r}.")
    await meta.bump_generation(tx)


async def reseal(tx: Transaction, access_key: str, sealed_secret: bytes) -> None:
    await tx.run("UPDATE access_keys SET sealed_secret = ? WHERE access_key = ?", (sealed_secret, access_key))
