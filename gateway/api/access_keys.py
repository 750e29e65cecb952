"""Access keys as JSON: how they are described, and what they are narrowed to."""

from __future__ import annotations

from datetime import datetime

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from gateway.api.moment import Moment, moment
from gateway.model.accounts import AccessKey, KeyKind, KeyScope
from gateway.services.key_scopes import make_scope


class Scope(BaseModel):
    """What an access key is narrowed to; it never opens more than its account has."""

    model_config = ConfigDict(extra="forbid")

    buckets: dict[str, list[str]] | None = Field(
        default=None,
        description="Prefixes of keys by bucket; without any: all of that bucket. Null: all buckets of the account.",
        examples=[{"photos": ["2027/"], "public": []}],
    )
    read_only: bool = False
    networks: list[str] = Field(
        default_factory=list,
        max_length=1000,
        description="Where it may be used from; none: from everywhere.",
        examples=[["10.0.0.0/8", "192.0.2.7"]],
    )

    def made(self) -> KeyScope | None:
        """None where it narrows nothing. Raises InvalidBucketName, InvalidValue."""
        return make_scope(self.buckets, read_only=self.read_only, networks=self.networks)

    @classmethod
    def of(cls, scope: KeyScope | None) -> Scope | None:
        if scope is None:
            return None
        buckets = scope.buckets
        return cls(
            buckets=None
            if buckets is None
            else {name: [one.decode() for one in some] for name, some in buckets.items()},
            read_only=scope.read_only,
            networks=list(scope.networks),
        )


class KeyDetails(BaseModel):
    """An access key. Its secret was shown when it was made, and never is again."""

    access_key: str
    account: str
    kind: KeyKind
    admin: bool
    enabled: bool
    account_enabled: bool
    created_at: Moment
    expires_at: Moment | None
    bucket: str | None = Field(description="Of a link key that is narrowed to one.")
    prefix: str | None
    scope: Scope | None = Field(description="Null: it may do all that its account may.")
    description: str


class NewKeyDetails(KeyDetails):
    """A new key, with its secret: this once."""

    secret_key: str


class KeyList(BaseModel):
    items: list[KeyDetails]


class KeyForm(BaseModel):
    """What may be said of a new key."""

    model_config = ConfigDict(extra="forbid")

    description: str = Field(default="", max_length=500)
    expires_at: AwareDatetime | None = None
    scope: Scope | None = None

    def expires_ms(self) -> int | None:
        return None if self.expires_at is None else milliseconds(self.expires_at)


def milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def described(key: AccessKey) -> KeyDetails:
    return KeyDetails(
        access_key=key.access_key,
        account=key.account.name,
        kind=key.kind,
        admin=key.admin,
        enabled=key.enabled,
        account_enabled=key.account.enabled,
        created_at=moment(key.created_ms),
        expires_at=None if key.expires_ms is None else moment(key.expires_ms),
        bucket=key.bucket,
        prefix=key.prefix,
        scope=Scope.of(key.scope),
        description=key.description,
    )


def with_secret(key: AccessKey) -> NewKeyDetails:
    return NewKeyDetails(**described(key).model_dump(), secret_key=key.secret)
