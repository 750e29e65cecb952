"""Accounts and their access keys."""

from __future__ import annotations

import dataclasses
import hashlib
import re
import secrets
from collections.abc import Awaitable, Callable

from gateway.errors import AccountNotFound, InvalidName, InvalidValue
from gateway.metadata import accounts, key_scopes, keys, meta, sealed_keys
from gateway.metadata.port import Database, Transaction
from gateway.model.accounts import AccessKey, Account, KeyKind, KeyScope
from gateway.services.audit import CLI, Action, Actor, Event, note
from gateway.services.clock import now_ms
from gateway.services.directory import Directory, opened
from gateway.services.keyring import earlier_master
from gateway.services.secrets import CHECK_NAME, MasterKey

ACCOUNT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
ACCESS_KEY_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
ACCESS_KEY_LENGTH = 20
SECRET_BYTES = 30
MAX_DESCRIPTION = 500


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

    async def create(self, name: str, *, actor: Actor = CLI) -> Account:
        """Raises InvalidName, AccountExists."""
        check_account_name(name)
        canonical_id, event = new_canonical_id(), Event(Action.ACCOUNT_CREATE, actor, now_ms(), name)

        async def operation(tx: Transaction) -> Account:
            made = await accounts.create(tx, name, canonical_id, event.at_ms)
            await note(tx, event)
            return made

        return await self._database.write(operation)

    async def get(self, name: str) -> Account:
        """Raises AccountNotFound."""
        found = await accounts.by_name(self._database, name)
        if found is None:
            raise AccountNotFound(f"There is no account {name!r}.")
        return found

    async def list(self) -> tuple[Account, ...]:
        return await accounts.list_all(self._database)

    async def page(self, *, after: str = "", limit: int) -> tuple[Account, ...]:
        """Accounts by name, those behind `after`."""
        return await self._database.read(lambda reader: accounts.page(reader, after=after, limit=limit))

    async def set_enabled(self, name: str, enabled: bool, *, actor: Actor = CLI) -> None:
        """Switch an account, with all its keys and links; every token of its users ends for good.

        Raises AccountNotFound; the root account stays on.
        """
        await self.change(name, enabled=enabled, actor=actor)

    async def change(
        self,
        name: str,
        made: Callable[[Account], Account] = lambda before: before,
        *,
        enabled: bool | None = None,
        actor: Actor = CLI,
    ) -> Account:
        """Change quotas and what becomes of duplicates, from what holds now, and whether it is on; gives what holds then.

        Raises AccountNotFound, InvalidValue.
        """

        async def operation(tx: Transaction) -> Account:
            await tx.lock("config")
            before = await accounts.by_name(tx, name)
            if before is None:
                raise AccountNotFound(f"There is no account {name!r}.")
            after = made(before)
            _check_quotas(after)
            limits = (after.quota_bytes, after.quota_images, after.duplicates)
            if limits != (before.quota_bytes, before.quota_images, before.duplicates):
                await accounts.set_limits(tx, name, *limits)
            if enabled is not None:
                if before.is_root and not enabled:
                    raise InvalidValue("The root account cannot be disabled.")
                after = dataclasses.replace(after, enabled=enabled)
                await accounts.set_enabled(tx, name, enabled)
                if enabled != before.enabled:
                    # On again, too: a login may have been under way when it was switched off.
                    await accounts.end_tokens(tx, before.id, moment)
            detail = {
                field: getattr(after, field)
                for field in ("enabled", "quota_bytes", "quota_images", "duplicates")
                if getattr(after, field) != getattr(before, field)
            }
            if detail:
                await note(tx, Event(Action.ACCOUNT_CHANGE, actor, moment, name, detail))
            return after

        moment = now_ms()
        return await self._database.write(operation)


def _check_quotas(account: Account) -> None:
    for quota in (account.quota_bytes, account.quota_images):
        if quota is not None and not 0 <= quota < 1 << 62:
            raise InvalidValue("A quota is a number of bytes or images from 0 up.")


def check_account_name(name: str) -> None:
    if not ACCOUNT_NAME.fullmatch(name):
        raise InvalidName(
            f"{name!r} is no account name: 1 to 64 letters, digits and . _ @ -, beginning with a letter or digit."
        )


def _check_scope(scope: KeyScope | None, kind: KeyKind, *, admin: bool) -> None:
    if scope is None:
        return
    if kind is KeyKind.LINK:
        raise InvalidValue("A link key is narrowed to a bucket and a prefix when it is made, and to nothing else.")
    if admin:
        raise InvalidValue("An admin's key cannot be narrowed: the admin API knows no such bounds.")


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
        scope: KeyScope | None = None,
        actor: Actor = CLI,
    ) -> AccessKey:
        """Make a key, and its account where that is new. Raises InvalidName, InvalidValue."""
        check_account_name(account_name)
        if kind is KeyKind.LINK and admin:
            raise InvalidValue("A link key opens nothing but image links: it cannot be an admin's.")
        if kind is not KeyKind.LINK and (bucket is not None or prefix is not None):
            raise InvalidValue("Only a link key can be narrowed to a bucket or a prefix.")
        _check_scope(scope, kind, admin=admin)
        if len(description) > MAX_DESCRIPTION or not description.isprintable():
            raise InvalidValue(f"A description has at most {MAX_DESCRIPTION} characters that can be printed.")
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
                    scope=scope,
                ),
            )
            detail = {"account": account_name, "admin": admin, "kind": kind.value}
            await note(tx, Event(Action.KEY_CREATE, actor, now_ms(), access_key, detail))
            return account

        await self._database.write(operation)
        return await self.get(access_key)

    async def get(self, access_key: str) -> AccessKey:
        """Raises KeyNotFound."""
        return opened(await keys.get(self._database, access_key), self._master)

    async def list(self) -> tuple[AccessKey, ...]:
        return tuple(opened(sealed, self._master) for sealed in await keys.list_all(self._database))

    async def page(self, account: Account | None, *, after: str = "", limit: int) -> tuple[AccessKey, ...]:
        """Keys by name behind `after`, of one account or of all."""
        owner = None if account is None else account.id
        found = await self._database.read(lambda reader: keys.page(reader, owner, after=after, limit=limit))
        return tuple(opened(sealed, self._master) for sealed in found)

    async def of_account(self, account: Account) -> tuple[AccessKey, ...]:
        """An account's keys, the oldest first."""
        found = await self._database.read(lambda reader: keys.of_account(reader, account.id))
        return tuple(opened(sealed, self._master) for sealed in found)

    async def set_enabled(self, access_key: str, enabled: bool, *, actor: Actor = CLI) -> None:
        """Raises KeyNotFound."""
        event = Event(Action.KEY_CHANGE, actor, now_ms(), access_key, {"enabled": enabled})
        await self._write(event, lambda tx: keys.set_enabled(tx, access_key, enabled))

    async def set_expiry(self, access_key: str, expires_ms: int | None, *, actor: Actor = CLI) -> None:
        """When it ends (also in the past: now); None: not by itself. Raises KeyNotFound."""
        event = Event(Action.KEY_CHANGE, actor, now_ms(), access_key, {"expires_ms": expires_ms})
        await self._write(event, lambda tx: keys.set_expiry(tx, access_key, expires_ms))

    async def set_scope(self, access_key: str, scope: KeyScope | None, *, actor: Actor = CLI) -> None:
        """Narrow a key, or (None) widen it to all that its account may. Raises KeyNotFound, InvalidValue."""
        event = Event(Action.KEY_CHANGE, actor, now_ms(), access_key, {"scope": key_scopes.dump(scope)})

        async def change(tx: Transaction) -> None:
            await tx.lock("config")
            key = await keys.get(tx, access_key)
            _check_scope(scope, key.kind, admin=key.admin)
            await keys.set_scope(tx, access_key, scope)

        await self._write(event, change)

    async def delete(self, access_key: str, *, actor: Actor = CLI) -> None:
        """Raises KeyNotFound."""
        event = Event(Action.KEY_DELETE, actor, now_ms(), access_key)
        await self._write(event, lambda tx: keys.delete(tx, access_key))

    async def _write(self, event: Event, change: Callable[[Transaction], Awaitable[None]]) -> None:
        async def operation(tx: Transaction) -> None:
            await change(tx)
            await note(tx, event)

        await self._database.write(operation)

    async def rotate(self, access_key: str, *, end_old: bool = False, actor: Actor = CLI) -> AccessKey:
        """A new pair with the rights of an old one, which stays valid until it is disabled or deleted, or ends at once."""
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
            elif end_old:
                await keys.set_enabled(tx, old.access_key, False)
            await keys.insert(tx, new)
            detail = {"new": new_key, "old ends": end_old or old.generated_root}
            await note(tx, Event(Action.KEY_ROTATE, actor, new.created_ms, access_key, detail))

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
