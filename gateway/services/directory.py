"""Who and what there is: keys and buckets, from memory, and never stale.

`refresh` is called once at the start of each request. Where the database can tell for nothing whether anybody committed
(SQLite: less than a microsecond), it asks that first; then it reads the generation, and only when that moved the caches
are dropped.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from gateway.errors import InvalidValue, UserNotFound
from gateway.metadata import buckets, keys, users
from gateway.metadata.port import Database
from gateway.model.accounts import AccessKey, Account, KeyKind, User
from gateway.model.buckets import Bucket
from gateway.services.secrets import MasterKey

K = TypeVar("K")
V = TypeVar("V")

CACHED = 20_000
"""Entries a cache at most: unknown names are cached too, so that they cannot be used to grow it."""


UPLOAD_KEY = "PU"
"""What the id of a user's upload key begins with; the user's number follows."""


def is_upload_key(access_key: str) -> bool:
    """Whether an id is one that `Directory.upload_key` gives."""
    digits = access_key.removeprefix(UPLOAD_KEY)
    return len(access_key) == 20 and len(digits) == 18 and digits.isascii() and digits.isdigit()


@dataclass(frozen=True, slots=True)
class RootCredentials:
    """The root key pair, where the settings give one."""

    access_key: str
    secret: str = field(repr=False)


def opened(sealed: keys.SealedKey, master: MasterKey) -> AccessKey:
    """The key behind its row, with its secret in the clear."""
    return AccessKey(
        access_key=sealed.access_key,
        secret=master.unseal(sealed.sealed_secret, sealed.access_key),
        account=sealed.account,
        kind=sealed.kind,
        admin=sealed.admin,
        enabled=sealed.enabled,
        created_ms=sealed.created_ms,
        expires_ms=sealed.expires_ms,
        bucket=sealed.bucket,
        prefix=sealed.prefix,
        description=sealed.description,
        scope=sealed.scope,
    )


class Directory:
    def __init__(
        self, database: Database, master: MasterKey, root_account: Account, root: RootCredentials | None
    ) -> None:
        self._database = database
        self._master = master
        self.root_account = root_account
        self._root = root
        self.rotated_masters: Callable[[], Iterable[MasterKey]] = tuple
        """Where to look for the master key when secrets were sealed anew while this process ran."""
        self._root_key = None
        if root is not None:
            self._root_key = AccessKey(root.access_key, root.secret, root_account, KeyKind.S3, True, True, 0)
        self._snapshot: bytes | None = None
        self._generation = -1
        self._keys: dict[str, AccessKey | None] = {}
        self._buckets: dict[str, Bucket | None] = {}
        self._by_id: dict[int, Bucket | None] = {}

    async def refresh(self) -> None:
        """Notice what changed. Raises DatabaseUnavailable."""
        snapshot = self._database.snapshot()
        if snapshot is not None and snapshot == self._snapshot:
            return
        self.notice(await self._database.generation())
        self._snapshot = snapshot

    def notice(self, generation: int) -> bool:
        """Take note of the generation that the database has; whether it is the one that was known."""
        if generation == self._generation:
            return True
        # Look-ups under way fill the dictionaries of the generation that they began in.
        self._keys = {}
        self._buckets = {}
        self._by_id = {}
        self._generation = generation
        return False

    def remembered_bucket(self, name: str) -> Bucket | None:
        """The bucket of that name if it is in memory: as of the last refresh, so never to decide anything by."""
        return self._buckets.get(name)

    @property
    def generation(self) -> int:
        """The generation of what the caches hold."""
        return self._generation

    async def access_key(self, access_key: str) -> AccessKey | None:
        """The key of that id, switched on or not; None where there is none."""
        if not access_key.isascii() or "\0" in access_key:
            return None
        root = self._root
        if root is not None and hmac.compare_digest(root.access_key, access_key):
            return self._root_key
        known = self._keys
        try:
            found = known[access_key]
        except KeyError:
            found = await self._look_up(access_key)
            _remember(known, access_key, found)
        if found is None and is_upload_key(access_key):
            # Never from memory: what switches a user off moves no generation.
            return await self._upload_key_of(int(access_key[len(UPLOAD_KEY) :]))
        return found

    async def _look_up(self, access_key: str) -> AccessKey | None:
        row = await self._database.one(keys.BY_KEY, (access_key,))
        if row is None:
            return None
        sealed = keys.sealed_key(row)
        # With root credentials in the settings, the pair that was made at the first start is not valid.
        return self._opened(sealed) if self._root is None or not sealed.generated_root else None

    async def _upload_key_of(self, user_id: int) -> AccessKey | None:
        try:
            return self.upload_key(await users.get(self._database, user_id))
        except UserNotFound:
            return None

    def upload_key(self, user: User) -> AccessKey:
        """The key that signs the addresses of a user's resumable uploads.

        It has no row: its secret is derived from the master key and never leaves the server, so that it signs nothing
        else. It is as good as the user's account, as long as the user is switched on.
        """
        name = f"{UPLOAD_KEY}{user.id:018d}"
        secret = hmac.digest(self._master.derive(b"upload addresses of users"), name.encode(), "sha256").hex()
        return AccessKey(name, secret, user.account, KeyKind.S3, False, user.enabled, user.created_ms)

    def _opened(self, sealed: keys.SealedKey) -> AccessKey | None:
        try:
            return opened(sealed, self._master)
        except InvalidValue:
            pass
        for master in self.rotated_masters():
            try:
                found = opened(sealed, master)
            except InvalidValue:
                continue
            self._master = master
            return found
        return None

    async def bucket(self, name: str) -> Bucket | None:
        known = self._buckets
        try:
            return known[name]
        except KeyError:
            # No name of a bucket has such characters, and not every database could be asked for them.
            if not name.isascii() or "\0" in name:
                return None
        row = await self._database.one(buckets.BY_NAME, (name,))
        found = None if row is None else buckets.bucket(row)
        _remember(known, name, found)
        return found

    async def bucket_by_id(self, bucket_id: int) -> Bucket | None:
        known = self._by_id
        try:
            return known[bucket_id]
        except KeyError:
            pass
        row = await self._database.one(buckets.BY_ID, (bucket_id,))
        found = None if row is None else buckets.bucket(row)
        _remember(known, bucket_id, found)
        return found

    async def root_key(self) -> AccessKey | None:
        """The root pair in force: the settings' or the one made at the first start."""
        if self._root is not None:
            return await self.access_key(self._root.access_key)
        sealed = await keys.generated_root(self._database)
        return None if sealed is None else opened(sealed, self._master)


def _remember(known: dict[K, V], name: K, found: V) -> None:
    if len(known) >= CACHED:
        known.clear()
    known[name] = found
