"""Who signs in, with which tokens, and how mail to them is sent."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from gateway.settings.fields import SettingsGroup, secret, split_commas

MIN_JWT_SECRET = 32
"""Characters of a secret that signs tokens."""
BCRYPT_COST = 12
"""What a password's hash costs at least, where others can reach the server."""

SHARED = ("HS256", "HS384", "HS512")
"""Algorithms with one secret for who signs and who checks."""
PUBLIC = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Algorithms whose public key checks."""

_ACCOUNT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}\Z")
_ADDRESS = re.compile(r"([^<>@]{1,64}<)?[^\s<>@,;:\"\\]{1,64}@[^\s<>@,;:\"\\]{1,255}>?\Z")
_EXAMPLES = re.compile(
    r"change[-_ ]?(me|this|it|in|before)|your[-_ ]?(super|secret|jwt|256|own)|super[-_ ]?secret|(my|default|dev|development|test)"
    r"[-_ ]?secret|secret[-_ ]?key|replace[-_ ]?(me|this|with)|not[-_ ]?(for|so)[-_ ]|insecure|example|09d25e094faa6ca2556c",
    re.IGNORECASE,
)
"""What the secrets in examples, tutorials and sample files say of themselves."""
_MIN_CHARACTERS = 8
"""Different characters that a secret has at least that is not made up of one key."""


def is_weak_jwt_secret(value: str) -> bool:
    """Whether a secret is too short, from an example, or hardly one."""
    return len(value) < MIN_JWT_SECRET or len(set(value)) < _MIN_CHARACTERS or _EXAMPLES.search(value) is not None


def _parse_jwt_secret(value: object) -> object:
    if isinstance(value, str):
        if len(value) < MIN_JWT_SECRET:
            raise ValueError(f"needs {MIN_JWT_SECRET} characters at least; make one with: openssl rand -base64 48")
        if "-----BEGIN" in value or value.startswith("ssh-"):
            raise ValueError("is a key and not a secret: keys are for jwt_private_key")
    return value


def _parse_account(value: object) -> object:
    if isinstance(value, str):
        _check_account(value)
    return value


def _check_account(name: str) -> None:
    if not _ACCOUNT_NAME.match(name):
        raise ValueError(f"{name!r} is no account name: 1 to 64 letters, digits and . _ @ -")
    if name == "root":
        raise ValueError("the users of an app cannot be root's")


def _parse_apps(value: object) -> object:
    """`https://shop.example=shop;crm=crm`, or a table: accounts by `iss`."""
    if isinstance(value, str):
        pieces = [piece.strip() for piece in value.split(";") if piece.strip()]
        given = [piece.rpartition("=") for piece in pieces]
        for piece, (issuer, _, account) in zip(pieces, given, strict=True):
            if not issuer.strip() or not account.strip():
                raise ValueError(f"{piece!r} is not iss=account")
        value = {issuer.strip(): account.strip() for issuer, _, account in given}
    if not isinstance(value, Mapping):
        raise ValueError("is a table of accounts by iss")  # noqa: TRY004 - a mistake in the settings
    for account in value.values():
        _check_account(str(account))
    return MappingProxyType({str(issuer): str(account) for issuer, account in value.items()})


def _parse_mail_address(value: object) -> object:
    if isinstance(value, str) and not _ADDRESS.match(value):
        raise ValueError("is not an address such as pixgate@example.com or Pictures <pixgate@example.com>")
    return value


def _parse_reset_url(value: object) -> object:
    if isinstance(value, str):
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or "{token}" not in value:
            raise ValueError("is not a URL with {token} in it, such as https://app.example.com/reset#{token}")
    return value


class Issuer(BaseModel):
    """Somebody else whose tokens are taken: a `[[jwt_issuers]]` table."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    iss: str = Field(min_length=1, max_length=255, description="The `iss` of its tokens, to the letter.")
    jwks_url: str = Field(description="Where its public keys are: `https://login.example.com/.well-known/jwks.json`.")
    account: Annotated[str, BeforeValidator(_parse_account)] = Field(description="The account that its users live in.")
    audience: str | None = Field(
        default=None, description="The `aud` that its tokens must be for. Unset: one that names any is refused."
    )
    algorithms: Annotated[tuple[str, ...], BeforeValidator(split_commas)] = Field(
        default=("RS256",), min_length=1, description="Algorithms that it may sign with; never HS256 and its like."
    )
    subject: str = Field(default="sub", min_length=1, description="The claim that tells its users apart.")
    email: str = Field(default="email", min_length=1, description="The claim with their address, if there is one.")
    insecure: bool = Field(
        default=False, description="Its keys may come over plain http, from this machine or a private network."
    )

    def __str__(self) -> str:
        return self.iss

    @field_validator("algorithms")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if name not in PUBLIC:
                raise ValueError(f"{name!r} is none of {', '.join(PUBLIC)}")
        return value

    @field_validator("iss")
    @classmethod
    def _plain(cls, value: str) -> str:
        if not value.isprintable() or value == OWN_ISSUER:
            raise ValueError("is no issuer")
        return value

    @model_validator(mode="after")
    def _reachable(self) -> Issuer:
        parts = urlsplit(self.jwks_url)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or parts.fragment:
            raise ValueError("jwks_url: is not a URL such as https://login.example.com/.well-known/jwks.json")
        if parts.scheme == "http" and not (self.insecure and _is_near(parts.hostname)):
            raise ValueError(
                "jwks_url: needs https; plain http is for this machine and private networks, with insecure = true"
            )
        return self


OWN_ISSUER = "pixgate"
"""The `iss` of the tokens that are made here."""


def _is_near(host: str) -> bool:
    """Whether a host is this machine, an address of a private network, or a name without dots as containers have."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host
    return address.is_loopback or address.is_private


def _parse_issuers(value: object) -> object:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            raise ValueError("is not a JSON list of issuers") from None
    if not isinstance(value, (list, tuple)):
        raise ValueError("is a list of [[jwt_issuers]] tables")  # noqa: TRY004 - a mistake in the settings
    issuers: list[Issuer] = []
    problems: list[str] = []
    for number, table in enumerate(value, 1):
        try:
            issuers.append(table if isinstance(table, Issuer) else Issuer.model_validate(table))
        except ValidationError as error:
            problems += [f"number {number}: {_told(detail)}" for detail in error.errors()]
    names = [issuer.iss for issuer in issuers]
    problems += [f"there are two of {name!r}" for name in sorted({name for name in names if names.count(name) > 1})]
    if problems:
        raise ValueError("; ".join(problems))
    return tuple(issuers)


def _told(detail: Any) -> str:
    where = ".".join(map(str, detail["loc"]))
    text = str(detail["msg"]).removeprefix("Value error, ")
    return f"{where}: {text}" if where else text


class AuthSettings(SettingsGroup):
    """Sizes in bytes, times in seconds."""

    development: bool = Field(
        default=False,
        description="This is a developer's machine: mail that cannot be sent is logged, with the links in it. Refused where "
        "others can reach the server.",
    )
    registration: bool = Field(
        default=True, description="Anybody may register. Off: users are made by `pixgate users create` and by apps."
    )
    bcrypt_cost: int = Field(
        default=BCRYPT_COST,
        ge=4,
        le=16,
        description="What a password's hash costs: one more doubles it. Below 12 only where nobody else can reach the server.",
    )
    jwt_secret: Annotated[str | None, BeforeValidator(_parse_jwt_secret)] = secret(
        "Secret that signs and checks tokens; an app that has it may sign tokens for its own users. 32 characters at least. "
        "Unset: one is derived from the master key, on a loopback address only. A well-known one is refused where others can reach "
        "the server, be it through a proxy: where `listen`, or the host of `public_url` or `cdn_url`, is no loopback address, and "
        "with `trusted_proxies`."
    )
    jwt_algorithm: Literal[
        "HS256",
        "HS384",
        "HS512",
        "RS256",
        "RS384",
        "RS512",
        "PS256",
        "PS384",
        "PS512",
        "ES256",
        "ES384",
        "ES512",
        "EdDSA",
    ] = Field(
        default="HS256",
        description="How tokens are signed, and the only way in which those of apps that share the key may be.",
    )
    jwt_private_key: Path | None = Field(
        default=None,
        description="File with the private key (PEM) where `jwt_algorithm` is none of HS256, HS384, HS512.",
    )
    jwt_minutes: int = Field(default=1440, ge=1, le=525_600, description="Minutes that an access token is valid.")
    session_days: int = Field(
        default=30, ge=1, le=365, description="Days after which a session ends whose refresh token was not used."
    )
    jwt_require_exp: bool = Field(
        default=True, description="Tokens of apps must expire (`exp`). Off: those that do not are valid for good."
    )
    jwt_audience: str | None = Field(
        default=None,
        description="The `aud` that tokens of apps with the shared secret must be for. Unset: one that names any is refused.",
    )
    jwt_app_account: Annotated[str, BeforeValidator(_parse_account)] = Field(
        default="app",
        description="Account of the users for whom an app signs tokens with the shared secret; made when the first comes.",
    )
    jwt_apps: Annotated[Mapping[str, str], BeforeValidator(_parse_apps)] = Field(
        default_factory=lambda: MappingProxyType({}),
        description="Accounts of several such apps, by the `iss` of their tokens: `https://shop.example=shop;crm=crm`. Once "
        "there is one, any other `iss` is refused.",
        json_schema_extra={"form": "`iss=account;iss=account`"},
    )
    jwt_app_rights: Literal["own", "account"] = Field(
        default="own",
        description="What a token of an app's or a foreign issuer's user opens: the images that this user uploaded, or all "
        "that the account has, on every door.",
    )
    jwt_issuers: Annotated[tuple[Issuer, ...], BeforeValidator(_parse_issuers)] = Field(
        default=(),
        description="Foreign issuers whose tokens are taken, each a `[[jwt_issuers]]` table in the TOML file (as a variable: "
        "a JSON list) with `iss`, `jwks_url`, `account` and, where wanted, `audience`, `algorithms`, `subject`, `email`, "
        "`insecure`.",
    )
    smtp_host: str | None = Field(
        default=None, description="Server that mail is sent through. Unset, or without `public_url`: none is sent."
    )
    smtp_port: int = Field(default=587, ge=1, le=65_535, description="Its port.")
    smtp_tls: Literal["starttls", "tls", "off"] = Field(
        default="starttls",
        description="How the connection to it is encrypted: after a greeting, from the start, not at all.",
    )
    smtp_user: str | None = Field(default=None, description="User there, if it asks for one.")
    smtp_password: str | None = secret("Password there.")
    smtp_timeout: float = Field(default=10, gt=0, le=120, description="Time each step of sending may take.")
    mail_from: Annotated[str | None, BeforeValidator(_parse_mail_address)] = Field(
        default=None,
        description="Sender of mail: `Pictures <pixgate@example.com>`. Unset: pixgate at the public URL's host.",
    )
    password_reset_url: Annotated[str | None, BeforeValidator(_parse_reset_url)] = Field(
        default=None,
        description="Page of an app on which a password is chosen anew: what the link in the mail is, with `{token}` in it. "
        "Unset: a page of this server.",
    )


def auth_contradictions(settings: AuthSettings, *, reachable: bool, exposed: bool) -> list[tuple[tuple[str, ...], str]]:
    """What no field shows by itself: (names of the settings, message).

    `reachable`: others than this machine can connect; `exposed`: they can reach the server, be it through a proxy.
    """
    found: list[tuple[tuple[str, ...], str]] = []
    make = "make one with: openssl rand -base64 48"
    secret_of = settings.jwt_secret
    if settings.jwt_algorithm in SHARED:
        if secret_of is None and reachable:
            found.append((("jwt_secret",), f"must be set on an address that others can reach; {make}"))
        elif secret_of is not None and exposed and is_weak_jwt_secret(secret_of):
            # One that is derived, behind a proxy, is as good as the master key.
            message = (
                f"the secret is well known or hardly one, which is refused where others can reach the server; {make}"
            )
            found.append((("jwt_secret",), message))
        bits = int(settings.jwt_algorithm[2:])
        if secret_of is not None and len(secret_of.encode()) * 8 < bits:
            found.append(
                (("jwt_secret", "jwt_algorithm"), f"{settings.jwt_algorithm} needs {bits // 8} bytes at least")
            )
    elif settings.jwt_private_key is None:
        found.append((("jwt_private_key",), f"is needed for jwt_algorithm = {settings.jwt_algorithm}"))
    if settings.development and exposed:
        message = "links to new passwords would be in the log of a server that others can reach"
        found.append((("development",), message))
    if settings.bcrypt_cost < BCRYPT_COST and exposed:
        message = f"{BCRYPT_COST} at least where others can reach the server"
        found.append((("bcrypt_cost",), message))
    if settings.smtp_tls == "off" and settings.smtp_password is not None and not is_loopback(settings.smtp_host or ""):
        found.append((("smtp_tls", "smtp_password"), "the password would be sent in the clear"))
    return found


def is_loopback(host: str) -> bool:
    """Whether a host, without port and brackets, is this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
