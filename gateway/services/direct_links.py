"""Presigned addresses of one size of one image: they show what whoever asked for them may see, as long as he may."""

from __future__ import annotations

import hashlib
import hmac

from gateway.errors import UserNotFound
from gateway.metadata import users
from gateway.metadata.port import Database
from gateway.policy.principal import Principal
from gateway.policy.scope import reaches
from gateway.services.directory import Directory
from gateway.services.sessions import Sessions

PURPOSE = b"direct links"


class DirectLinks:
    """`secret` signs the addresses."""

    def __init__(self, secret: bytes, database: Database, directory: Directory, sessions: Sessions) -> None:
        self._secret = secret
        self._database = database
        self._directory = directory
        self._sessions = sessions

    def signer(self, principal: Principal) -> str | None:
        """Who an address speaks for, as it says so; None for nobody."""
        if principal.user is not None:
            return f"user.{principal.user.id}"
        return None if principal.access_key is None else f"key.{principal.access_key.access_key}"

    def signature(self, image_id: str, size: str, expires: int, signer: str) -> str:
        """What the address is signed with. `expires` in Unix seconds."""
        text = "\n".join((image_id, size, str(expires), signer))
        return hmac.digest(self._secret, text.encode("utf-8", "replace"), hashlib.sha256).hex()

    async def principal(
        self, image_id: str, size: str, expires: int, signer: str, signature: str, *, now: float, address: str | None
    ) -> Principal | None:
        """Whom a signed address speaks for, now (Unix seconds); None where it does not hold, or not any more."""
        good = self.signature(image_id, size, expires, signer)
        if not hmac.compare_digest(good.encode(), signature.encode("utf-8", "replace")) or now >= expires:
            return None
        kind, _, name = signer.partition(".")
        if kind == "key":
            key = await self._directory.access_key(name)
            usable = key is not None and key.usable(int(now * 1000)) and reaches(key.scope, address)
            return Principal(access_key=key) if usable else None
        try:
            user = await users.get(self._database, int(name))
        except UserNotFound:
            return None
        return Principal(user=self._sessions.confined(user)) if user.enabled and user.account.enabled else None
