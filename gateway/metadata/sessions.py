"""Sessions, the tokens that renew them, and tokens that set a password anew. Of tokens only hashes are kept."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.metadata import users
from gateway.metadata.port import Reader, Transaction
from gateway.metadata.users import UserRow

FORGOTTEN = 1_000
"""Rows of each kind that one call forgets at most."""

BY_ID = (
    f"SELECT s.created_ms, s.expires_ms, s.ended_ms, {users.COLUMNS} FROM sessions s JOIN users u ON u.id = s.user_id "
    "JOIN accounts a ON a.id = u.account_id WHERE s.id = ?"
)
BY_SUBJECT = (
    f"SELECT r.hash, {users.COLUMNS} {users.FROM} LEFT JOIN revoked_tokens r ON r.hash = ? "
    "WHERE u.issuer = ? AND u.subject = ?"
)


@dataclass(frozen=True, slots=True)
class Session:
    """`live`: it was neither ended, nor all that its user or account had, nor left alone for too long."""

    row: UserRow
    live: bool


async def get(reader: Reader, session: str, now_ms: int) -> Session | None:
    """A session with its user and account, in one look-up."""
    row = await reader.one(BY_ID, (session,))
    if row is None:
        return None
    created_ms, expires_ms, ended_ms, *rest = row
    user = users.user_row(tuple(rest))
    return Session(user, ended_ms is None and user.tokens_from_ms <= created_ms and now_ms < expires_ms)


async def of_token(reader: Reader, token_hash: bytes, issuer: str, subject: str) -> Session | None:
    """The user whom somebody else's token names, and whether that token was logged out, in one look-up."""
    row = await reader.one(BY_SUBJECT, (token_hash, issuer, subject))
    if row is None:
        return None
    revoked, *rest = row
    return Session(users.user_row(tuple(rest)), revoked is None)


async def begin(tx: Transaction, session: str, user_id: int, now_ms: int, expires_ms: int, address: str | None) -> None:
    await tx.run(
        "INSERT INTO sessions (id, user_id, created_ms, expires_ms, address) VALUES (?, ?, ?, ?, ?)",
        (session, user_id, now_ms, expires_ms, address),
    )


async def end(tx: Transaction, session: str, now_ms: int) -> None:
    await tx.run("UPDATE sessions SET ended_ms = ? WHERE id = ? AND ended_ms IS NULL", (now_ms, session))


async def end_all(tx: Transaction, user_id: int, now_ms: int) -> None:
    """End every session of somebody; links to a new password end, too."""
    await tx.run("UPDATE sessions SET ended_ms = ? WHERE user_id = ? AND ended_ms IS NULL", (now_ms, user_id))
    await tx.run("DELETE FROM password_resets WHERE user_id = ?", (user_id,))


async def add_refresh(tx: Transaction, token_hash: bytes, session: str, now_ms: int, expires_ms: int) -> None:
    await tx.run(
        "INSERT INTO refresh_tokens (hash, session_id, created_ms, expires_ms) VALUES (?, ?, ?, ?)",
        (token_hash, session, now_ms, expires_ms),
    )


async def of_refresh(reader: Reader, token_hash: bytes) -> tuple[str, bool] | None:
    """The session of a refresh token, and whether that was used; None where nobody has such a token."""
    row = await reader.one("SELECT session_id, used_ms FROM refresh_tokens WHERE hash = ?", (token_hash,))
    return None if row is None else (str(row[0]), row[1] is not None)


@dataclass(frozen=True, slots=True)
class Renewed:
    """What a refresh token was good for. `reused`: it had been used before, and its session ended by that."""

    session: str
    row: UserRow
    reused: bool


async def renew(tx: Transaction, old: bytes, new: bytes, now_ms: int, expires_ms: int) -> Renewed | None:
    """Use up a refresh token and put another in its place; the session lasts until `expires_ms` by that.

    None where the token, its session, the user or the account is not valid (any more).
    """
    first = await tx.run(
        "UPDATE refresh_tokens SET used_ms = ? WHERE hash = ? AND used_ms IS NULL AND expires_ms > ?",
        (now_ms, old, now_ms),
    )
    found = await of_refresh(tx, old)
    if found is None or not found[1]:
        return None
    identity = found[0]
    session = await get(tx, identity, now_ms)
    if session is None or not session.live:
        return None
    if not first:
        await end(tx, identity, now_ms)
        return Renewed(identity, session.row, reused=True)
    user = session.row.user
    if not (user.enabled and user.account.enabled):
        return None
    await tx.run("UPDATE sessions SET expires_ms = ? WHERE id = ?", (expires_ms, identity))
    await add_refresh(tx, new, identity, now_ms, expires_ms)
    return Renewed(identity, session.row, reused=False)


async def revoke(tx: Transaction, token_hash: bytes, expires_ms: int) -> None:
    """Log out a token that has no session here."""
    await tx.run(
        "INSERT INTO revoked_tokens (hash, expires_ms) VALUES (?, ?) ON CONFLICT (hash) DO NOTHING",
        (token_hash, expires_ms),
    )


async def add_reset(tx: Transaction, token_hash: bytes, user_id: int, expires_ms: int) -> None:
    await tx.run(
        "INSERT INTO password_resets (hash, user_id, expires_ms) VALUES (?, ?, ?)", (token_hash, user_id, expires_ms)
    )


async def reset_of(reader: Reader, token_hash: bytes, now_ms: int) -> int | None:
    """Whose password a token sets anew."""
    row = await reader.one(
        "SELECT user_id FROM password_resets WHERE hash = ? AND expires_ms > ?", (token_hash, now_ms)
    )
    return None if row is None else int(row[0])


async def take_reset(tx: Transaction, token_hash: bytes, now_ms: int) -> bool:
    """Use such a token up; whether it was there."""
    return bool(await tx.run("DELETE FROM password_resets WHERE hash = ? AND expires_ms > ?", (token_hash, now_ms)))


async def forget_expired(tx: Transaction, now_ms: int) -> int:
    """Delete what has expired, at most FORGOTTEN rows of each kind; gives how many."""
    gone = 0
    for table, key in (
        ("refresh_tokens", "hash"),
        ("password_resets", "hash"),
        ("revoked_tokens", "hash"),
        ("sessions", "id"),
    ):
        gone += await tx.run(
            f"DELETE FROM {table} WHERE {key} IN (SELECT {key} FROM {table} WHERE expires_ms <= ? LIMIT {FORGOTTEN})",
            (now_ms,),
        )
    return gone
