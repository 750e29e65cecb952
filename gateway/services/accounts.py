"""Accounts and their access keys."""

from __future__ import annotations

import dataclasses
import hashlib
import re
import secrets

from gateway.errors import AccountNotFound, InvalidName, InvalidValue
from gateway.metadata import accounts, keys, meta, sealed_keys
from gateway.metadata.port import Database, Transaction
from gateway.model import AccessKey, Account, KeyKind
from gateway.services.clock import now_ms
from gateway.services.directory import Directory, opened
from gateway.services.keyring import earlier_master
from gateway.services.secrets import CHECK_NAME, MasterKey

ACCOUNT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
ACCESS_KEY_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
ACCESS_KEY_LENGTH = 20
SECRET_BYTES = 30


def new_canonical_id() -> str:
    """64 hex digits, as AWS gives them."""
    return hashlib.sha256(secrets.token_bytes(32)).hexdigest()


def new_access_key(kind: KeyKind) -> str:
    """20 characters: `PG` for an S3 key, `PL` for a link key, and chance."""
    prefix = "PG" if kind is KeyKind.S3 else "PL"
    return prefix + "".join(secrets.choice(ACCESS_KEY_ALPHABET) for _ in range(ACCESS_KEY_LENGTH - len(prefix)))


def new_secret() -> str:
    """40 characters of base64url: 240 bits."""
    return secrets.token_urlsafe(SECRET_BYTES)


class Accounts:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, name: str) -> Account:
        """Raises InvalidName, AccountExists."""
        check_account_name(name)
        return await self._database.write(lambda tx: accounts.create(tx, name, new_canonical_id(), now_ms()))

    async def get(self, name: str) -> Account:
        """Raises AccountNotFound."""
        found = await accounts.by_name(self._database, name)
        if found is None:
            raise AccountNotFound(f"There is no account {name!r}.")
        return found

    async def list(self) -> tuple[Account, ...]:
        return await accounts.list_all(self._database)

    async def set_enabled(self, name: str, enabled: bool) -> None:
        """Switch an account, with all its keys and links. Raises AccountNotFound; the root account stays on."""
        if not enabled and (await self.get(name)).is_root:
            raise InvalidValue("The root account cannot be disabled.")
        await self._database.write(lambda tx: accounts.set_enabled(tx, name, enabled))


def check_account_name(name: str) -> None:
    if not ACCOUNT_NAME.fullmatch(name):
        raise InvalidName(
            f"{name!r} is no account name: 1 to 64 letters, digits and . _ @ -, beginning with a letter or digit."
        )


class Keys:
    def __init__(self, database: Database, directory: Directory, master: MasterKey) -> None:
        self._database = database
        self._directory = directory
        self._master = master

    async def create(
        self,
        account_name: str,
        *,
        admin: bool = False,
        kind: KeyKind = KeyKind.S3,
        bucket: str | None = None,
        prefix: str | None = None,
        description: str = "",
        expires_ms: int | None = None,
    ) -> AccessKey:
        """Make a key, and its account where that is new. Raises InvalidName, InvalidValue."""
        check_account_name(account_name)
        if kind is KeyKind.LINK and admin:
            raise InvalidValue("A link key opens nothing but image links: it cannot be an admin's.")
        if kind is not KeyKind.LINK and (bucket is not None or prefix is not None):
            raise InvalidValue("Only a link key can be narrowed to a bucket or a prefix.")
        if prefix is not None and bucket is None:
            raise InvalidValue("A prefix needs its bucket.")
        if expires_ms is not None and expires_ms <= now_ms():
            raise InvalidValue("A key cannot expire in the past.")
        access_key, secret = new_access_key(kind), new_secret()

        async def operation(tx: Transaction) -> Account:
            await tx.lock("config")
            account = await accounts.by_name(tx, account_name)
            if account is None:
                account = await accounts.create(tx, account_name, new_canonical_id(), now_ms())
            await keys.insert(
                tx,
                keys.SealedKey(
                    access_key=access_key,
                    sealed_secret=self._master.seal(secret, access_key),
                    kind=kind,
                    admin=admin,
                    enabled=True,
                    generated_root=False,
                    bucket=bucket,
                    prefix=prefix,
                    description=description,
                    created_ms=now_ms(),
                    expires_ms=expires_ms,
                    account=account,
                ),
            )
            return account

        await self._database.write(operation)
        return await self.get(access_key)

    async def get(self, access_key: str) -> AccessKey:
        """Raises KeyNotFound."""
        return opened(await keys.get(self._database, access_key), self._master)

    async def list(self) -> tuple[AccessKey, ...]:
        return tuple(opened(sealed, self._master) for sealed in await keys.list_all(self._database))

    async def set_enabled(self, access_key: str, enabled: bool) -> None:
        """Raises KeyNotFound."""
        await self._database.write(lambda tx: keys.set_enabled(tx, access_key, enabled))

    async def delete(self, access_key: str) -> None:
        """Raises KeyNotFound."""
        await self._database.write(lambda tx: keys.delete(tx, access_key))

    async def rotate(self, access_key: str) -> AccessKey:
        """A new pair with the rights of an old one, which stays valid until it is disabled or deleted."""
        old = await keys.get(self._database, access_key)
        new_key, secret = new_access_key(old.kind), new_secret()
        new = dataclasses.replace(
            old,
            access_key=new_key,
            sealed_secret=self._master.seal(secret, new_key),
            enabled=True,
            created_ms=now_ms(),
        )

        async def operation(tx: Transaction) -> None:
            if old.generated_root:
                # There is one root pair: the new one takes the place of the old, which goes.
                await keys.delete(tx, old.access_key)
            await keys.insert(tx, new)

        await self._database.write(operation)
        return await self.get(new_key)

    async def root(self) -> AccessKey | None:
        """The root pair in force."""
        return await self._directory.root_key()

    async def ensure_root(self) -> AccessKey | None:
        """Make the root pair where there is none and the settings give none. Gives it only when it was made now."""
        if await self._directory.root_key() is not None:
            return None
        access_key, secret = new_access_key(KeyKind.S3), new_secret()
        root = self._directory.root_account

        async def operation(tx: Transaction) -> bool:
            await tx.lock("config")
            if await keys.generated_root(tx) is not None:
                return False
            await keys.insert(
                tx,
                keys.SealedKey(
                    access_key=access_key,
                    sealed_secret=self._master.seal(secret, access_key),
                    kind=KeyKind.S3,
                    admin=True,
                    enabled=True,
                    generated_root=True,
                    bucket=None,
                    prefix=None,
                    description="made at the first start",
                    created_ms=now_ms(),
                    expires_ms=None,
                    account=root,
                ),
            )
            return True

        return await self.get(access_key) if await self._database.write(operation) else None

    async def rotate_master(self, new: MasterKey) -> int:
        """Seal every secret anew in one transaction; gives how many. The caller puts the key where nodes find it.

        The keys of blobs follow in their own time (`Keyring.rewrap`); until then the old key is kept, sealed.
        """

        async def operation(tx: Transaction) -> int:
            await tx.lock("master_key")
            for name, value in await sealed_keys.earlier_masters(tx):
                await meta.put(tx, name, new.seal(self._master.unseal(value, name), name))
            await meta.put(tx, *earlier_master(self._master, new))
            count = 0
            for sealed in await keys.list_all(tx):
                secret = self._master.unseal(sealed.sealed_secret, sealed.access_key)
                await keys.reseal(tx, sealed.access_key, new.seal(secret, sealed.access_key))
                count += 1
            await meta.put(tx, CHECK_NAME, new.check_value())
            await meta.bump_generation(tx)
            return count

        return await self._database.write(operation, heavy=True)
