"""Accounts, the users and keys that act for them, and what a key is narrowed to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class KeyKind(StrEnum):
    """What a key opens: an S3 key every door its account may use, a link key only signed image links."""

    S3 = "s3"
    LINK = "link"


class Duplicates(StrEnum):
    """What an upload of bytes that the account has already is answered with: a new image, that one, a refusal."""

    KEEP = "keep"
    RETURN = "return"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Account:
    """Who owns buckets. Quotas in bytes of all versions and in images; None is no limit."""

    id: int
    name: str
    canonical_id: str
    enabled: bool
    created_ms: int
    is_root: bool = False
    quota_bytes: int | None = None
    quota_images: int | None = None
    duplicates: Duplicates = Duplicates.KEEP
    home_bucket_id: int | None = None
    """The bucket of uploads that name none, where one was made."""

    @property
    def limited(self) -> bool:
        """Whether a write to its buckets has to look at what they hold."""
        return self.quota_bytes is not None or self.quota_images is not None


class Role(StrEnum):
    """What a user may do beyond the own account: nothing, look through images that were reported, everything."""

    USER = "user"
    MODERATOR = "moderator"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who signs in. `issuer` is empty for who registered here; `subject` is the `sub` of the tokens.

    `confined`: one of the many users of an app's account, who has the rights of that account on the own images only.
    """

    id: int
    account: Account
    issuer: str
    subject: str
    email: str | None
    name: str | None
    role: Role
    enabled: bool
    created_ms: int
    confined: bool = False


@dataclass(frozen=True, slots=True)
class KeyScope:
    """What a key is narrowed to. `buckets`: prefixes of keys by the bucket's name, without any all of it; None: all buckets.

    `networks` are those that it may be used from, as `10.0.0.0/8`; none: from everywhere.
    """

    buckets: Mapping[str, tuple[bytes, ...]] | None = None
    read_only: bool = False
    networks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AccessKey:
    """An access key with its unsealed secret (never in a repr, so never in a log)."""

    access_key: str
    secret: str = field(repr=False)
    account: Account
    kind: KeyKind
    admin: bool
    enabled: bool
    created_ms: int
    expires_ms: int | None = None
    bucket: str | None = None
    prefix: str | None = None
    description: str = ""
    scope: KeyScope | None = None
    """What an S3 key is narrowed to; None: it may do all that its account may."""

    def usable(self, now_ms: int) -> bool:
        """Whether key and account are switched on and the key has not expired."""
        return self.enabled and self.account.enabled and (self.expires_ms is None or now_ms < self.expires_ms)
