"""What tells that two uploads are of equal bytes: a MAC of their SHA-256, so that the rows tell nobody who has which file."""

from __future__ import annotations

import hmac

from gateway.metadata import same_bytes
from gateway.metadata.contents import NewContent
from gateway.metadata.port import Transaction
from gateway.model.contents import Encryption
from gateway.policy.principal import Principal
from gateway.services.secrets import MasterKey

PURPOSE = b"equal bytes"


class Dedup:
    """Equal bytes share one content within an account and a way of encrypting, never beyond.

    The users of an app are strangers to one another, so each has only his own; what nobody in particular uploads is never
    shared. Else a rendition that is there already would tell that somebody has the file.
    """

    def __init__(self, master: MasterKey) -> None:
        self._secret = master.derive(PURPOSE)

    async def hold(self, tx: Transaction, account_id: int, sha256: bytes) -> None:
        """Have whoever comes with the same bytes at the same time wait for this transaction."""
        await same_bytes.hold(tx, account_id, self._mark(account_id, None, sha256))

    def _mark(self, account_id: int, user_id: int | None, sha256: bytes) -> bytes:
        who = b"%d " % account_id if user_id is None else b"%d/%d " % (account_id, user_id)
        return hmac.digest(self._secret, who + sha256, "sha256")

    async def share(
        self, tx: Transaction, account_id: int, uploader: Principal, sha256: bytes, new: NewContent, store: str
    ) -> NewContent | int:
        """What a new version of these bytes is to refer to: the id of a live content, which may be `new`.

        What only a customer's key opens is never shared, nor what nobody in particular uploads.
        """
        if new.encryption is Encryption.SSE_C or uploader.anonymous:
            return new
        user = uploader.user
        mark = self._mark(account_id, user.id if user is not None and user.confined else None, sha256)
        encryption = "" if new.encryption is None else new.encryption.value
        # A bucket whose bytes belong into one store must not refer to those of another.
        return await same_bytes.share(tx, account_id, f"{encryption}@{store}", mark, new)
