"""Links that show one image to whoever has them, for a while."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass, field

from gateway.errors import Conflict, ShareNotFound
from gateway.metadata import shares
from gateway.metadata.port import Database, Transaction
from gateway.metadata.shares import ShareRow
from gateway.services.audit import Action, Actor, Event, note
from gateway.services.clock import now_ms

TOKEN_BYTES = 32
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class Shared:
    """A new link. The token is told once, and kept nowhere."""

    row: ShareRow
    token: str = field(repr=False)


class Shares:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def make(self, image_id: str, user_id: int | None, seconds: int | None, actor: Actor) -> Shared:
        """A link that works for so many seconds, or (None) until it is revoked. Raises Conflict where there are too many."""
        token = secrets.token_urlsafe(TOKEN_BYTES)
        moment = now_ms()
        row = ShareRow(
            secrets.token_hex(8),
            image_id,
            user_id,
            moment,
            None if seconds is None else moment + seconds * 1000,
            None,
        )
        event = Event(Action.SHARE, actor, moment, target=image_id, detail={"share": row.id, "seconds": seconds})

        async def operation(tx: Transaction) -> None:
            await tx.lock("image", image_id)
            if len(await shares.of_image(tx, image_id, moment)) >= shares.MOST:
                raise Conflict(f"An image has at most {shares.MOST} links that work: revoke some.")
            await shares.insert(tx, digest_of(token), row)
            await note(tx, event)

        await self._database.write(operation)
        return Shared(row, token)

    async def find(self, token: str) -> ShareRow:
        """The link with that token, as of now.

        Raises ShareNotFound where there is none, it has ended, or whoever made it is switched off.
        """
        if not _TOKEN.fullmatch(token):
            raise ShareNotFound("There is no such link.")
        row = await shares.by_hash(self._database, digest_of(token))
        if row is None or not row.open(now_ms()):
            raise ShareNotFound("There is no such link.")
        return row

    async def of_image(self, image_id: str) -> tuple[ShareRow, ...]:
        """The links to an image that work, the oldest first."""
        return await shares.of_image(self._database, image_id, now_ms())

    async def revoke(self, image_id: str, share_id: str | None, actor: Actor) -> None:
        """End one link to an image, or all of them. Raises ShareNotFound for one that is not there."""
        moment = now_ms()
        event = Event(Action.SHARE_REVOKE, actor, moment, target=image_id, detail={"share": share_id})

        async def operation(tx: Transaction) -> int:
            count = await shares.revoke(tx, image_id, share_id, moment)
            if count:
                await note(tx, event)
            return count

        if not await self._database.write(operation) and share_id is not None:
            raise ShareNotFound("There is no such link.")


def digest_of(token: str) -> bytes:
    """What is kept of a token: it has 256 random bits, so nothing needs to slow a guess down."""
    return hashlib.sha256(token.encode()).digest()
