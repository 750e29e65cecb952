"""Where uploads go: the bucket that is named, or the account's bucket for what names none."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from gateway.errors import (
    AccessRefused,
    AccountExists,
    AccountNotFound,
    BucketExists,
    BucketOwnedByYou,
    InvalidBucketName,
)
from gateway.model.accounts import Account
from gateway.model.buckets import Bucket
from gateway.policy.decide import CREATE_BUCKET, decide
from gateway.policy.principal import Principal
from gateway.services.buckets import check_bucket_name
from gateway.settings.uploads import UploadSettings

if TYPE_CHECKING:
    from gateway.services.services import Services

WRITE = "s3:PutObject"


class UploadPlaces:
    def __init__(self, services: Services, settings: UploadSettings) -> None:
        self._services = services
        self._settings = settings

    async def account(self, principal: Principal) -> Account:
        """Whose storage an upload takes: the asker's account, or the one for what nobody in particular uploads.

        Raises AccessRefused where that is switched off.
        """
        if principal.account is not None:
            return principal.account
        if not self._settings.anonymous_uploads:
            raise AccessRefused("Uploads need a login here.")
        name = self._settings.anonymous_account
        try:
            return await self._services.accounts.get(name)
        except AccountNotFound:
            pass
        try:
            return await self._services.accounts.create(name)
        except AccountExists:
            return await self._services.accounts.get(name)

    async def find(self, principal: Principal, name: str | None, key: bytes) -> Bucket:
        """The bucket of that name, or the home of the account, for an upload under `key`; made where it is missing.

        Raises AccessRefused where the asker may not write there, InvalidBucketName.
        """
        bucket = await self._home(principal) if name is None else await self._named(principal, name)
        if not self._may_write(principal, bucket, key):
            raise AccessRefused("You may not upload to this bucket.")
        return bucket

    def _may_write(self, principal: Principal, bucket: Bucket, key: bytes) -> bool:
        if decide(principal, WRITE, bucket, key):
            return True
        if principal.anonymous:
            owner = bucket.owner
            return self._settings.anonymous_uploads and owner.enabled and owner.name == self._settings.anonymous_account
        # One of the users of an app: where the app's account has its uploads, and nowhere else.
        user = principal.user
        return (
            user is not None
            and user.confined
            and user.account.enabled
            and bucket.owner.id == user.account.id
            and bucket.images.catalogue
        )

    async def _home(self, principal: Principal) -> Bucket:
        account = await self.account(principal)
        if account.home_bucket_id is not None:
            bucket = await self._services.directory.bucket_by_id(account.home_bucket_id)
            if bucket is not None and bucket.owner.id == account.id:
                return bucket
        made = await self._services.buckets.create_home(account, _names(account))
        return await self._now(made)

    async def _named(self, principal: Principal, name: str) -> Bucket:
        bucket = await self._services.directory.bucket(name)
        if bucket is not None:
            return bucket
        user = principal.user
        may_make = decide(principal, CREATE_BUCKET, None) or (user is not None and user.confined)
        if principal.account is None or not (may_make and self._settings.upload_new_buckets):
            raise AccessRefused("There is no bucket of this name that you may upload to.")
        try:
            made = await self._services.buckets.create_for_uploads(name, principal.account)
        except (BucketExists, BucketOwnedByYou):
            # Somebody was faster, or it is kept for a view.
            await self._services.directory.refresh()
            bucket = await self._services.directory.bucket(name)
            if bucket is None:
                raise AccessRefused("You may not upload to this bucket.") from None
            return bucket
        return await self._now(made.id)

    async def _now(self, bucket_id: int) -> Bucket:
        """A bucket that was made or found just now."""
        await self._services.directory.refresh()
        bucket = await self._services.directory.bucket_by_id(bucket_id)
        if bucket is None:
            raise AccessRefused("The bucket was deleted just now.")
        return bucket


def _names(account: Account) -> list[str]:
    """Names that the home of an account may have, the best one first."""
    names = [f"uploads-{secrets.token_hex(8)}" for _ in range(2)]
    try:
        check_bucket_name(account.name)
    except InvalidBucketName:
        return names
    return [account.name, *names]
