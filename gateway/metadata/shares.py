"""Links that show an image to whoever has them. Of what is in the link only a hash is kept."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.metadata.port import Reader, Row, Transaction


@dataclass(frozen=True, slots=True)
class ShareRow:
    """`id` names it for who made it, and opens nothing."""

    id: str
    image_id: str
    user_id: int | None
    created_ms: int
    expires_ms: int | None
    revoked_ms: int | None

    def open(self, now_ms: int) -> bool:
        """Whether it still shows the image."""
        return self.revoked_ms is None and (self.expires_ms is None or now_ms < self.expires_ms)


_COLUMNS = "id, image_id, user_id, created_ms, expires_ms, revoked_ms"
BY_HASH = (
    f"SELECT {', '.join('s.' + name for name in _COLUMNS.split(', '))} FROM shares s "
    "LEFT JOIN users u ON u.id = s.user_id LEFT JOIN accounts a ON a.id = u.account_id "
    "WHERE s.hash = ? AND coalesce(u.enabled, 1) = 1 AND coalesce(a.enabled, 1) = 1"
)
MOST = 100
"""Open links of one image."""


def _share(row: Row) -> ShareRow:
    return ShareRow(*row)


async def insert(tx: Transaction, digest: bytes, share: ShareRow) -> None:
    await tx.run(
        f"INSERT INTO shares ({_COLUMNS}, hash) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            share.id,
            share.image_id,
            share.user_id,
            share.created_ms,
            share.expires_ms,
            share.revoked_ms,
            digest,
        ),
    )


async def by_hash(reader: Reader, digest: bytes) -> ShareRow | None:
    """The link of a token; None, too, while whoever made it is switched off, or the account that he is of."""
    row = await reader.one(BY_HASH, (digest,))
    return None if row is None else _share(row)


async def of_image(reader: Reader, image_id: str, now_ms: int) -> tuple[ShareRow, ...]:
    """The open links of an image, the oldest first."""
    rows = await reader.all(
        f"SELECT {_COLUMNS} FROM shares WHERE image_id = ? AND revoked_ms IS NULL "
        "AND (expires_ms IS NULL OR expires_ms > ?) ORDER BY created_ms, id",
        (image_id, now_ms),
    )
    return tuple(_share(row) for row in rows)


async def revoke(tx: Transaction, image_id: str, share_id: str | None, now_ms: int) -> int:
    """Close one link of an image, or (None) all; gives how many were open."""
    which, values = ("", ()) if share_id is None else (" AND id = ?", (share_id,))
    return await tx.run(
        "UPDATE shares SET revoked_ms = ? WHERE image_id = ? AND revoked_ms IS NULL "
        f"AND (expires_ms IS NULL OR expires_ms > ?){which}",
        (now_ms, image_id, now_ms, *values),
    )


async def forget_ended(tx: Transaction, before_ms: int) -> int:
    """Delete links that ended before then, some 1,000 at a time; gives how many."""
    return await tx.run(
        "DELETE FROM shares WHERE id IN (SELECT id FROM shares WHERE revoked_ms < ? OR expires_ms < ? LIMIT 1000)",
        (before_ms, before_ms),
    )
