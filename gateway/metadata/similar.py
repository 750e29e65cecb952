"""Images that look alike, by the bits that differ between their perceptual hashes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from gateway.metadata.images import COLUMNS, CURRENT, image
from gateway.metadata.lists import batches
from gateway.metadata.port import Reader
from gateway.model.images import ImageRow

PAGE = 1_000
"""Near images whose names are read at a time, whether they are current or not."""
BATCH = 64
"""Those of them that are looked up at a time."""


@dataclass(frozen=True, slots=True)
class Similar:
    """Which images look alike: `distance` is how many of the 64 bits of `phash` may differ. `but` is left out."""

    account_id: int
    user_id: int | None
    phash: bytes
    distance: int
    limit: int
    but: str


Near = Sequence[tuple[int, str]]
"""Distances and image ids, the nearest first."""
_Taken = Callable[[Near], Awaitable[bool]]
"""Takes what is near; whether that is enough."""

_NEAR = (
    "SELECT n.distance, n.image_id FROM (SELECT i.image_id, "
    "bit_count((i.phash # ?::bigint)::bit(64)) AS distance FROM images i "
    "WHERE i.account_id = ? AND i.phash IS NOT NULL{of_user}) n "
    "WHERE n.distance <= ? AND (n.distance, n.image_id) > (?, ?) ORDER BY n.distance, n.image_id LIMIT ?"
)
_LOOKS = "SELECT i.phash FROM images i WHERE i.account_id = ? AND i.phash IS NOT NULL"
# The plus keeps SQLite off the index of the account, which may have a million times the images of one user.
_LOOKS_OF_USER = "SELECT i.phash FROM images i WHERE +i.account_id = ? AND i.user_id = ? AND i.phash IS NOT NULL"
_LOOKING_SO = (
    "SELECT i.image_id FROM images i WHERE i.account_id = ? AND i.phash = ?{of_user} AND i.image_id > ? "
    "ORDER BY i.image_id LIMIT ?"
)
_OF_USER = " AND i.user_id = ?"


async def similar(reader: Reader, wanted: Similar) -> list[tuple[int, ImageRow]]:
    """Current images that look alike, the nearest first, with their distance."""
    found: list[tuple[int, ImageRow]] = []

    async def take(near: Near) -> bool:
        others = [one for one in near if one[1] != wanted.but]
        for start in range(0, len(others), BATCH):
            batch = others[start : start + BATCH]
            current: dict[str, ImageRow] = {}
            for marks, ids in batches([image_id for _, image_id in batch]):
                rows = await reader.all(f"SELECT {COLUMNS} {CURRENT} WHERE i.image_id IN ({marks})", ids)
                current |= {row.image_id: row for row in map(image, rows)}
            found.extend((distance, current[image_id]) for distance, image_id in batch if image_id in current)
            if len(found) >= wanted.limit:
                return True
        return False

    await (_counted_there if reader.engine == "postgresql" else _counted_here)(reader, wanted, take)
    return found[: wanted.limit]


async def _counted_there(reader: Reader, wanted: Similar, take: _Taken) -> None:
    user = () if wanted.user_id is None else (wanted.user_id,)
    statement = _NEAR.format(of_user=_OF_USER if user else "")
    looks = int.from_bytes(wanted.phash, signed=True)
    after: tuple[int, str] = (-1, "")
    while True:
        rows = await reader.all(statement, (looks, wanted.account_id, *user, wanted.distance, *after, PAGE))
        near = [(int(distance), str(image_id)) for distance, image_id in rows]
        if await take(near) or len(near) < PAGE:
            return
        after = near[-1]


async def _counted_here(reader: Reader, wanted: Similar, take: _Taken) -> None:
    """SQLite cannot count bits. Names are asked for only of what is near: to read them all takes twice the time."""
    user = () if wanted.user_id is None else (wanted.user_id,)
    statement = _LOOKING_SO.format(of_user=_OF_USER if user else "")
    looks, mask, most = int.from_bytes(wanted.phash, signed=True), (1 << 64) - 1, wanted.distance
    others = await reader.all(_LOOKS_OF_USER if user else _LOOKS, (wanted.account_id, *user))
    near = {(bits, other) for (other,) in others if (bits := ((other ^ looks) & mask).bit_count()) <= most}
    for distance, other in sorted(near):
        after = ""
        while True:
            rows = await reader.all(statement, (wanted.account_id, other, *user, after, PAGE))
            names = [str(image_id) for (image_id,) in rows]
            if await take([(distance, name) for name in names]):
                return
            if len(names) < PAGE:
                break
            after = names[-1]
