"""What the server and the S3 door can be told: where they listen, what they stand on, how long they wait."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, ConfigDict, Field

from gateway.redis_address import parse_redis_url
from gateway.settings.address import Address, parse_address
from gateway.settings.fields import SettingsGroup, Size, cores, secret, split_commas
from gateway.settings.stores import FolderStore, S3Store, StoreSettings, parse_store

_HOST_LABELS = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*\Z")
_ACCESS_KEY = re.compile(r"[A-Za-z0-9_.-]{3,128}\Z")
_REGION = re.compile(r"[a-z0-9-]{1,64}\Z")


def _parse_domains(value: object) -> object:
    pieces = split_commas(value)
    if not isinstance(pieces, (tuple, list)):
        return pieces
    names = tuple(str(piece).lower().rstrip(".") for piece in pieces)
    for name in names:
        if not _HOST_LABELS.match(name):
            raise ValueError(f"{name!r} is not a host name (no scheme, no port)")
    return names


def _parse_networks(value: object) -> object:
    pieces = split_commas(value)
    if not isinstance(pieces, (tuple, list)):
        return pieces
    return tuple(ipaddress.ip_network(piece, strict=False) if isinstance(piece, str) else piece for piece in pieces)


def _parse_region(value: object) -> object:
    if isinstance(value, str) and not _REGION.match(value):
        raise ValueError("is not a region such as us-east-1 (lower-case letters, digits, hyphens)")
    return value


def _parse_access_key(value: object) -> object:
    if isinstance(value, str) and not _ACCESS_KEY.match(value):
        raise ValueError("needs 3 to 128 characters from A-Z a-z 0-9 _ . -")
    return value


def _parse_secret_key(value: object) -> object:
    if isinstance(value, str) and not 8 <= len(value) <= 256:
        raise ValueError("needs 8 to 256 characters")
    return value


def _parse_public_url(value: object) -> object:
    if not isinstance(value, str):
        return value
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("is not a URL such as https://files.example.com")
    if parts.path not in ("", "/"):
        raise ValueError("may not have a path: S3 clients sign the path they see")
    return f"{parts.scheme}://{parts.netloc}"


def _parse_master_key(value: object) -> object:
    if not isinstance(value, str):
        return value
    text = value.strip()
    for decode in (bytes.fromhex, lambda given: base64.b64decode(given, validate=True)):
        try:
            raw = decode(text)
        except (ValueError, binascii.Error):
            continue
        if len(raw) == 32:
            return raw
    raise ValueError("is not 32 bytes as hex or base64 (make one with: openssl rand -base64 32)")


def _parse_redis(value: object) -> object:
    if isinstance(value, str):
        parse_redis_url(value)
    return value


def _parse_store_url(value: object) -> object:
    if isinstance(value, str):
        parse_store(value)
    return value


def _parse_stores(value: object) -> object:
    if not isinstance(value, (list, tuple)):
        raise ValueError(  # noqa: TRY004 - a mistake in the settings
            "is a list of [[stores]] tables in the TOML file; as a variable there is only PIXGATE_STORE_URL"
        )
    stores: list[StoreSettings] = []
    problems: list[str] = []
    for number, table in enumerate(value, 1):
        if isinstance(table, (FolderStore, S3Store)):
            stores.append(table)
            continue
        name = table.get("name") if isinstance(table, dict) else None
        where = f"{name!r}" if isinstance(name, str) else f"number {number}"
        try:
            if name is None:
                raise ValueError("has no name")
            stores.append(parse_store(table))
        except ValueError as error:
            problems.append(f"{where}: {error}")
    if problems:
        raise ValueError("; ".join(problems))
    return tuple(stores)


def _parse_database(value: object) -> object:
    if isinstance(value, str):
        parts = urlsplit(value)
        # The value may hold a password: it is in no message.
        if parts.scheme not in ("postgresql", "postgres") or parts.path in ("", "/"):
            raise ValueError("is not a URL such as postgresql://user:password@host:5432/database")
    return value


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class ServerSettings(SettingsGroup):
    """What the server and the S3 door can be told. Sizes in bytes, times in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    data: Path = Field(
        default=Path("data"), description="Folder that holds the database, the stored bytes and the keys."
    )
    listen: Annotated[Address, BeforeValidator(parse_address)] = Field(
        default=Address("127.0.0.1", 9090),
        description="Address to listen on, host:port. Port 0 lets the system choose.",
    )
    workers: int = Field(
        default_factory=cores, ge=1, le=256, description="Worker processes.", json_schema_extra={"shown": "the cores"}
    )
    store_url: Annotated[str | None, BeforeValidator(_parse_store_url)] = secret(
        "Store for new bytes: `s3://KEY:SECRET@host:9000/bucket?tls=off&style=path` or `file:///folder`. It is called `main`. "
        "Unset: a folder in the data folder."
    )
    stores: Annotated[tuple[FolderStore | S3Store, ...], BeforeValidator(_parse_stores)] = Field(
        default=(),
        repr=False,
        description="More stores, each a `[[stores]]` table in the TOML file with `name` and `url`, or with fields.",
        json_schema_extra={"secret": True},
    )
    default_store: str | None = Field(
        default=None,
        description="Name of the store for new bytes. Unset: `main` where there is a `store_url`, else the first of `stores`, "
        "else `local`, the folder in the data folder. What is stored elsewhere stays where it is.",
    )
    database_url: Annotated[str | None, BeforeValidator(_parse_database)] = secret(
        "PostgreSQL for the metadata: `postgresql://user:password@host:5432/database?sslmode=verify-full`. Unset: SQLite "
        "in the data folder."
    )
    database_read_url: Annotated[str | None, BeforeValidator(_parse_database)] = secret(
        "A streaming replica of it, for galleries and statistics: what they show may be ten seconds old."
    )
    database_pool: int = Field(
        default=10, ge=2, le=500, description="Connections to PostgreSQL that each worker may hold."
    )
    database_statement_timeout: float = Field(
        default=4, gt=0, le=60, description="Time one statement of a request may take in PostgreSQL."
    )
    database_pgbouncer: bool = Field(
        default=False,
        description="A pooler in transaction mode stands before PostgreSQL: nothing is kept in a session.",
    )
    blob_memory_bytes: Size = Field(
        default=32 * 1024**2,
        description="Small blobs of remote stores that each worker keeps in memory; they never change.",
    )
    region: Annotated[str, BeforeValidator(_parse_region)] = Field(
        default="us-east-1", description="Region that clients must name in their signatures."
    )
    domain: Annotated[tuple[str, ...], BeforeValidator(_parse_domains)] = Field(
        default=(),
        description="Domains for virtual-host style, separated by commas: `bucket.<domain>` is the bucket, every path a key.",
    )
    public_url: Annotated[str | None, BeforeValidator(_parse_public_url)] = Field(
        default=None,
        description="Address that clients use, where a proxy stands in front. Shown on pages and put before signed links.",
    )
    cdn_url: Annotated[str | None, BeforeValidator(_parse_public_url)] = Field(
        default=None,
        description="Address of the CDN that stands before `/img`: what image URLs that are handed out begin with, instead "
        "of `public_url`.",
    )
    root_access_key: Annotated[str | None, BeforeValidator(_parse_access_key)] = Field(
        default=None, description="Access key of root. Unset: a pair is made at the first start and kept encrypted."
    )
    root_secret_key: Annotated[str | None, BeforeValidator(_parse_secret_key)] = secret(
        "Secret key of root. A well-known or short one is refused where others can reach the server (see `jwt_secret`)."
    )
    master_key: Annotated[bytes | None, BeforeValidator(_parse_master_key)] = secret(
        "32 bytes, hex or base64, that wrap every secret at rest. Unset: `master.key` in the data folder, made once."
    )
    master_key_file: Path | None = Field(default=None, description="File that holds the master key instead.")
    tls_cert: Path | None = Field(default=None, description="Certificate chain (PEM); read again on SIGHUP.")
    tls_key: Path | None = Field(
        default=None, description="Private key of the certificate (PEM); read again on SIGHUP."
    )
    trusted_proxies: Annotated[tuple[Network, ...], BeforeValidator(_parse_networks)] = Field(
        default=(), description="Networks whose X-Forwarded-For is believed, separated by commas."
    )
    min_free_bytes: Size = Field(
        default=256 * 1024**2, description="Free space below which PUTs and renders stop; reads and deletes go on."
    )

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least severe line in the log. Request lines are `info`."
    )
    metrics_token: str | None = secret("Bearer token that opens /metrics and /health from anywhere.")
    metrics_networks: Annotated[tuple[Network, ...], BeforeValidator(_parse_networks)] = Field(
        default=(ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128")),
        description="Networks that see /metrics and the details of /health without a token.",
    )

    max_connections: int = Field(
        default=8000,
        ge=16,
        le=1_000_000,
        description="Open connections a worker; beyond it new ones wait in the kernel.",
    )
    max_in_flight_bytes: Size = Field(
        default=1024**3, description="Bytes that the requests in flight of a worker may hold; beyond it 503 SlowDown."
    )
    header_timeout: float = Field(default=10, gt=0, description="Time in which a request's header must be complete.")
    keepalive_timeout: float = Field(default=60, gt=0, description="Time that an idle connection stays open.")
    body_min_rate: int = Field(
        default=1024, ge=0, description="Bytes a second below which a body or a reader counts as stalled; 0: never."
    )
    body_stall_timeout: float = Field(default=30, gt=0, description="Time after which a stalled connection is closed.")
    drain_delay: float = Field(
        default=0, ge=0, description="Time between dropping /readyz and closing the listening socket at a stop."
    )
    stop_timeout: float = Field(default=30, gt=0, description="Time that requests in flight have to finish at a stop.")
    redis_url: Annotated[str | None, BeforeValidator(_parse_redis)] = secret(
        "Redis for renditions that all nodes share: `redis://[user:password@]host:6379/0`, `rediss://` over TLS (`?ca=FILE`), "
        "`redis+sentinel://host:26379/master`, `redis+cluster://host:6379,host:6379`, `unix:///path`."
    )
