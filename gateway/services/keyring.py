"""The keys that open encrypted blobs: the master keys in force and before, and what customers bring.

While the master key is exchanged (`Keys.rotate_master`), keys of blobs are wrapped by the old one or the new one. The old
one lies in the database until the last of them is wrapped anew, sealed by the new one, so that whoever has that can read
all; a process that still has only the old one finds the new one where the settings say. Every transaction that writes a
wrapped key looks first which master key is in force, under a lock that an exchange takes alone: so there is a last one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from gateway.blobs.encryption.keys import DataKey, Wrapper, WrappingKey, head, new_data_key
from gateway.errors import AccessRefused, BlobDamaged, InvalidValue, StoreUnavailable, Unavailable
from gateway.metadata import meta, sealed_keys
from gateway.metadata.contents import NewContent
from gateway.metadata.port import Database, Transaction
from gateway.model.buckets import Bucket
from gateway.model.contents import Content, Sealed, Sealing
from gateway.services.directory import Directory
from gateway.services.secrets import CHECK_NAME, MasterKey, parse_master_key

BATCH = 500
"""Keys that are wrapped anew in one transaction."""


@dataclass(frozen=True, slots=True)
class BlobKey:
    """The key of a blob to be, and the same wrapped, for its row: by a customer's key or the master key."""

    key: DataKey = field(repr=False)
    wrapped: bytes = field(repr=False)
    customers: bool = False


def sealing_of(bucket: Bucket, asked: Sealing | None) -> Sealing | None:
    """How new bytes in a bucket are encrypted: as the request asks, else as the bucket says."""
    if asked is None and bucket.encryption is not None:
        return Sealing()
    return asked


def copy_sealing(bucket: Bucket, asked: Sealing | None, source: Content) -> Sealing | None:
    """How a copy is encrypted. What was encrypted is never stored in the clear because nobody asked for anything."""
    found = sealing_of(bucket, asked)
    return Sealing() if found is None and source.encryption is not None else found


def same_encryption(source: Content, sealing: Sealing | None, source_key: bytes | None) -> bool:
    """Whether a content can be shared by what is to be encrypted so: the same keys open both."""
    if sealing is None:
        return source.encryption is None
    return sealing.encryption is source.encryption and sealing.customer_key == source_key


class Keyring:
    def __init__(self, database: Database, directory: Directory, master: MasterKey) -> None:
        self._database = database
        self._directory = directory
        self._master = master
        self._masters = {master.wrapping.id: master}

    def new_key(self, sealing: Sealing | None) -> BlobKey | None:
        """A key for one new blob; None where it is not to be encrypted."""
        if sealing is None:
            return None
        key = new_data_key()
        if sealing.customer_key is None:
            return BlobKey(key, self._master.wrapping.wrap(key))
        return BlobKey(key, WrappingKey(sealing.customer_key, Wrapper.CUSTOMER).wrap(key), customers=True)

    async def settle(self, tx: Transaction, new: NewContent) -> NewContent:
        """The same content, its blob's key wrapped by the master key that is in force in this transaction.

        Belongs into each that names a new blob. Raises Unavailable where another master key is in force than is known.
        """
        blob = new.blob
        if blob is None or blob.sealed_key is None or head(blob.sealed_key).wrapper is Wrapper.CUSTOMER:
            return new
        await tx.lock("master_key", shared=True)
        in_force = await meta.get(tx, CHECK_NAME)
        used = self._masters[head(blob.sealed_key).wrapper_id]
        if used.check_value() == in_force:
            return new
        for master in self._directory.rotated_masters():
            if master.check_value() == in_force:
                self._master = self._masters[master.wrapping.id] = master
                wrapped = master.wrapping.wrap(used.wrapping.unwrap(blob.sealed_key))
                return replace(new, blob=replace(blob, sealed_key=wrapped))
        raise Unavailable("The master key was exchanged, and this server does not have the new one yet.")

    async def open(self, sealed: Sealed) -> DataKey:
        """The key of a stored blob.

        Raises AccessRefused without the customer's key that it needs, BlobDamaged where it does not open, and
        StoreUnavailable where this process does not have the master key.
        """
        told = head(sealed.key)
        if told.wrapper is Wrapper.CUSTOMER:
            if sealed.customer_key is None:
                raise AccessRefused("Only the key that the object was stored with opens it.")
            return WrappingKey(sealed.customer_key, Wrapper.CUSTOMER).unwrap(sealed.key)
        master = self._masters.get(told.wrapper_id)
        if master is None:
            await self._find_masters()
            master = self._masters.get(told.wrapper_id)
            if master is None:
                raise StoreUnavailable("The bytes are encrypted under a master key that this server does not have.")
        return master.wrapping.unwrap(sealed.key)

    async def _find_masters(self) -> None:
        """Learn the master key that took the place of ours, and those before it."""
        for master in self._directory.rotated_masters():
            self._masters.setdefault(master.wrapping.id, master)
        for name, value in await sealed_keys.earlier_masters(self._database):
            for master in tuple(self._masters.values()):
                try:
                    earlier = parse_master_key(master.unseal(value, name))
                except InvalidValue:
                    continue
                self._masters.setdefault(earlier.wrapping.id, earlier)

    async def rewrap(self) -> int:
        """Wrap the keys of all blobs by the master key in force; gives how many were wrapped by an earlier one.

        Nothing but wrapped keys is read or written. What is cut short goes on with the next call; calls at the same time
        share the work. Raises Unavailable where the master key is exchanged once more meanwhile.
        """
        earlier = await sealed_keys.earlier_masters(self._database)
        if not earlier:
            return 0
        await self._find_masters()
        in_force = await meta.get(self._database, CHECK_NAME)
        master = next((known for known in self._masters.values() if known.check_value() == in_force), None)
        if master is None:
            raise StoreUnavailable("Another master key is in force than this server has.")
        self._master = master
        count = after = 0
        while True:
            rows = await sealed_keys.after(self._database, after, BATCH)
            if not rows:
                break
            after = rows[-1][0]
            # In a thread: a batch takes some 15 ms.
            new = await asyncio.to_thread(self._wrapped_anew, rows, master)
            if new:
                await self._database.write(partial(_replace, master=master, keys=new), heavy=True)
                count += len(new)
        await self._database.write(partial(_forget, master=master, names=[name for name, _ in earlier]))
        return count

    async def unreadable(self) -> list[int]:
        """The blobs whose keys no master key opens that is known here: their bytes are lost without the right one."""
        await self._find_masters()
        found: list[int] = []
        after = 0
        while rows := await sealed_keys.after(self._database, after, BATCH):
            after = rows[-1][0]
            found += await asyncio.to_thread(self._closed, rows)
        return found

    def _closed(self, rows: Sequence[tuple[int, bytes]]) -> list[int]:
        closed = []
        for identity, wrapped in rows:
            try:
                told = head(wrapped)
                if told.wrapper is Wrapper.MASTER:
                    self._masters[told.wrapper_id].wrapping.unwrap(wrapped)
            except (BlobDamaged, KeyError):
                closed.append(identity)
        return closed

    def _wrapped_anew(self, rows: Sequence[tuple[int, bytes]], master: MasterKey) -> list[tuple[int, bytes, bytes]]:
        """(id, old key, new key) of those that another master key wraps. Raises StoreUnavailable, BlobDamaged."""
        found = []
        for identity, wrapped in rows:
            told = head(wrapped)
            if told.wrapper is Wrapper.CUSTOMER or told.wrapper_id == master.wrapping.id:
                continue
            earlier = self._masters.get(told.wrapper_id)
            if earlier is None:
                raise StoreUnavailable(f"Blob {identity} is encrypted under a master key that is nowhere to be found.")
            found.append((identity, wrapped, master.wrapping.wrap(earlier.wrapping.unwrap(wrapped))))
        return found


async def _expect_in_force(tx: Transaction, master: MasterKey) -> None:
    """Raise Unavailable where the master key was exchanged again: nothing may be wrapped by this one any more."""
    await tx.lock("master_key", shared=True)
    if await meta.get(tx, CHECK_NAME) != master.check_value():
        raise Unavailable("The master key was exchanged again; the rest is wrapped by the new one.")


async def _replace(tx: Transaction, master: MasterKey, keys: Sequence[tuple[int, bytes, bytes]]) -> None:
    await _expect_in_force(tx, master)
    await sealed_keys.replace(tx, keys)


async def _forget(tx: Transaction, master: MasterKey, names: Sequence[str]) -> None:
    await _expect_in_force(tx, master)
    await sealed_keys.forget_earlier_masters(tx, names)


def earlier_master(old: MasterKey, new: MasterKey) -> tuple[str, bytes]:
    """The row that keeps a master key for those who have the one after it."""
    name = sealed_keys.EARLIER + old.wrapping.id.hex()
    return name, new.seal(old.hex(), name)
