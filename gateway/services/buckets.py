"""Buckets."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from gateway.errors import BucketExists, BucketOwnedByYou, InvalidBucketName, InvalidValue
from gateway.metadata import accounts, buckets, usage
from gateway.metadata.port import Database, Transaction
from gateway.model.accounts import Account
from gateway.model.buckets import Bucket, BucketImages, Versioning
from gateway.model.contents import Encryption
from gateway.services.audit import Action, Actor, Event, note
from gateway.services.bucket_images import MAX_WIDTH, check_images, view_readings
from gateway.services.clock import now_ms

NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])")
RESERVED = frozenset(
    {"api", "img", "ui", "health", "livez", "readyz", "metrics", "openapi.json", "imgproxy", "thumbor"}
)
"""Names that are paths of the server for good."""
RESERVED_PREFIXES = ("xn--", "sthree-", "amzn-s3-demo-")
RESERVED_SUFFIXES = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")
MAX_LADDER = 50


def check_bucket_name(name: str) -> None:
    """The rules of AWS (General purpose bucket naming rules), and our reserved names. Raises InvalidBucketName."""
    if (
        not 3 <= len(name) <= 63
        or not NAME.fullmatch(name)
        or ".." in name
        or ".-" in name
        or "-." in name
        or name.startswith(RESERVED_PREFIXES)
        or name.endswith(RESERVED_SUFFIXES)
        or name in RESERVED
        or _is_address(name)
    ):
        raise InvalidBucketName("The specified bucket is not valid.")


def _is_address(name: str) -> bool:
    try:
        ipaddress.IPv4Address(name)
    except ValueError:
        return False
    return True


class Buckets:
    def __init__(self, database: Database, region: str, stores: Collection[str] = ()) -> None:
        """`stores` are the names of those that new blobs may go to."""
        self._database = database
        self._region = region
        self._stores = frozenset(stores)
        self.server_presets: Collection[str] = ()
        """Names of presets that hold in every bucket."""

    async def create(
        self, name: str, account: Account, *, region: str | None = None, actor: Actor | None = None
    ) -> Bucket:
        """Raises InvalidBucketName, BucketOwnedByYou, BucketExists (also for the name of a view that is, or that the
        owner of another account's bucket may make)."""
        check_bucket_name(name)
        views, presets = view_readings(name), self.server_presets
        moment = now_ms()

        async def operation(tx: Transaction) -> Bucket:
            made = await buckets.create(tx, name, account, region or self._region, moment, views, presets)
            if actor is not None:
                await note(tx, Event(Action.BUCKET_CREATE, actor, moment, name, {"account": account.name}))
            return made

        return await self._database.write(operation)

    async def create_for_uploads(self, name: str, account: Account) -> Bucket:
        """A bucket for what apps upload: what S3 clients write there is known to apps, too. Raises as `create` does."""
        check_bucket_name(name)
        return await self._database.write(lambda tx: self._create_for_uploads(tx, name, account))

    async def create_home(self, account: Account, names: Sequence[str]) -> int:
        """The id of the account's bucket for uploads that name none: made under the first name that is free."""

        async def operation(tx: Transaction) -> int:
            await tx.lock("config")
            known = await accounts.by_name(tx, account.name)
            home = None if known is None else known.home_bucket_id
            if home is not None and await buckets.exists(tx, home):
                return home
            for name in names:
                try:
                    made = await self._create_for_uploads(tx, name, account)
                except (BucketExists, BucketOwnedByYou):
                    # Both are found out before anything is written.
                    continue
                await accounts.set_home_bucket(tx, account.id, made.id)
                return made.id
            raise BucketExists("There is no name left for the bucket of uploads; try again.")

        return await self._database.write(operation)

    async def _create_for_uploads(self, tx: Transaction, name: str, account: Account) -> Bucket:
        views = view_readings(name)
        made = await buckets.create(tx, name, account, self._region, now_ms(), views, self.server_presets)
        await buckets.change_images(tx, made.id, lambda images: replace(images, catalogue=True), now_ms())
        return made

    async def delete(self, bucket: Bucket, *, actor: Actor | None = None) -> None:
        """Raises BucketNotEmpty, BucketNotFound. Uploads in progress go with the bucket."""
        event = None if actor is None else Event(Action.BUCKET_DELETE, actor, now_ms(), bucket.name)

        async def operation(tx: Transaction) -> None:
            await buckets.delete(tx, bucket.id)
            if event is not None:
                await note(tx, event)

        await self._database.write(operation)

    async def list(
        self, account: Account | None = None, *, prefix: str = "", after: str = "", limit: int | None = None
    ) -> tuple[Bucket, ...]:
        """Buckets by name, those of one account or all."""
        owner = None if account is None else account.id
        return await self._database.read(lambda reader: buckets.page(reader, owner, prefix, after, limit))

    async def set_versioning(self, bucket: Bucket, versioning: Versioning) -> None:
        """Enable or suspend; a bucket never goes back to having none. Raises BucketNotFound."""
        await self._database.write(lambda tx: buckets.set_versioning(tx, bucket.id, versioning))

    async def set_encryption(self, bucket: Bucket, encryption: Encryption | None) -> None:
        """How objects are encrypted that ask for nothing else: SSE-S3, or None. Raises BucketNotFound, InvalidValue."""
        if encryption is Encryption.SSE_C:
            raise InvalidValue("A bucket's default cannot be SSE-C: its key comes with each request.")
        await self._database.write(lambda tx: buckets.set_encryption(tx, bucket.id, encryption))

    async def set_images(
        self, bucket: Bucket, *, public: bool | None = None, ladder: tuple[int, ...] | None = None
    ) -> None:
        """Open or close a bucket for unsigned image links, and set the widths that these may ask for (pixels)."""
        if ladder is not None and (len(ladder) > MAX_LADDER or any(not 1 <= width <= MAX_WIDTH for width in ladder)):
            raise InvalidValue(f"A ladder has at most {MAX_LADDER} widths of 1 to {MAX_WIDTH} pixels.")

        async def operation(tx: Transaction) -> None:
            if public is not None:
                await buckets.set_images_public(tx, bucket.id, public, now_ms())
            if ladder is not None:
                await buckets.set_ladder(tx, bucket.id, tuple(sorted(set(ladder))))

        await self._database.write(operation)

    async def change_images(self, bucket: Bucket, change: Callable[[BucketImages], BucketImages]) -> BucketImages:
        """Change how it treats its images, from what is there at that moment; gives what holds then.

        Raises BucketNotFound, InvalidValue for what would not work.
        """

        def checked(before: BucketImages) -> BucketImages:
            after = change(before)
            check_images(after, self.server_presets)
            return after

        _, after = await self._database.write(lambda tx: buckets.change_images(tx, bucket.id, checked, now_ms()))
        return after

    async def set_store(self, bucket: Bucket, store: str | None) -> None:
        """Where its new blobs go, None: where the settings of each node say. What is stored stays where it is.

        Raises BucketNotFound, InvalidValue for a store that these settings do not name.
        """
        if store is not None and store not in self._stores:
            raise InvalidValue(f"There is no store {store!r}, only {', '.join(sorted(self._stores))}.")
        await self._database.write(lambda tx: buckets.set_store(tx, bucket.id, store))

    async def usage(self) -> dict[int, tuple[int, int]]:
        """Current objects, and the bytes of all versions, of each bucket by its id: exact, not only what was folded."""
        return await self._database.read(usage.by_bucket)

    async def usage_of(self, bucket: Bucket) -> tuple[int, int]:
        """The same of one bucket."""
        return await self._database.read(lambda reader: usage.of_bucket(reader, bucket.id))

    async def held_by_all(self) -> dict[int, tuple[int, int, int]]:
        """The same of all accounts that have buckets."""
        return await self._database.read(lambda reader: usage.by_account(reader, None))

    async def held(self, account_ids: Sequence[int]) -> dict[int, tuple[int, int, int]]:
        """Buckets, current objects, and the bytes of all versions, of accounts by their ids."""
        return await self._database.read(lambda reader: usage.by_account(reader, account_ids))

    async def totals(self) -> tuple[int, int]:
        """Current objects, and the bytes of all versions, over all buckets; some seconds old where a replica is read."""
        return await self._database.read_replica(buckets.totals)
