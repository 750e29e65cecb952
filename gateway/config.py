"""Settings: one model, four sources, every mistake reported at once.

Sources, the stronger first: command-line flags, environment (`PIXGATE_<NAME>`), `.env` in the working directory, a TOML
file (`--config` or `PIXGATE_CONFIG`). Only this module reads the environment. `docs/reference/settings.md` and
`.env.example` are generated from the model's fields.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, ConfigDict, Field, ValidationError

from gateway.redis_address import parse_redis_url
from gateway.settings.admin import AdminSettings
from gateway.settings.auth import AuthSettings, auth_contradictions, is_loopback
from gateway.settings.dialects import (
    DialectName,
    ImgproxyKey,
    ThumborKey,
    parse_dialect_hosts,
    parse_imgproxy_keys,
    parse_imgproxy_presets,
    parse_source_map,
    parse_thumbor_keys,
)
from gateway.settings.fields import PARSES_SIZE, SettingsGroup, Size, secret, split_commas
from gateway.settings.jobs import JobSettings
from gateway.settings.limits import ANY_ORIGIN, LimitSettings
from gateway.settings.reading import ReadingSettings
from gateway.settings.stores import FolderStore, S3Store, StoreSettings, parse_store
from gateway.settings.uploads import UploadSettings
from transforms.fonts import DEFAULT_FOLDER as DEFAULT_FONTS
from transforms.fonts import fingerprint
from transforms.rendering import DEFAULT_MEZZANINE_PIXELS, DEFAULT_MEZZANINES, Rendering

PREFIX = "PIXGATE_"
CONFIG_VARIABLE = "PIXGATE_CONFIG"
LOCAL_STORE = "local"
"""The name of the folder in the data folder."""
MAIN_STORE = "main"
"""The name of the store of `store_url`."""
MIN_SIGNATURE_LENGTH = 10
"""Characters that a foreign signature may be cut to."""
MIN_SECRET_LENGTH = 16
"""Characters a root secret needs once others can reach the server."""

WELL_KNOWN_SECRETS = frozenset(
    {
        "minioadmin",
        "minio123",
        "admin",
        "administrator",
        "password",
        "passw0rd",
        "secret",
        "secretkey",
        "changeme",
        "changemechangeme",
        "change-me-please",
        "changeit",
        "rustfsadmin",
        "accesskey1",
        "verysecretkey1",
        "12345678",
        "1234567890",
        "1234567890123456",
        "0123456789abcdef",
        "passwordpassword",
        "secretsecretsecret",
        "minioadminminioadmin",
        "adminadminadminadmin",
        "pixgate",
        "pixgatepixgate",
        "wjalrxutnfemi/k7mdeng/bpxrficyexamplekey",
        "je7mtgbclwbf/2zk1utq/h3yco8n.../example",
    }
)

_HOST_LABELS = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*\Z")
_ACCESS_KEY = re.compile(r"[A-Za-z0-9_.-]{3,128}\Z")
_REGION = re.compile(r"[a-z0-9-]{1,64}\Z")


class SettingsError(Exception):
    """All that is wrong with the settings. Each problem starts with the setting's name as it was given."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen. `host` has no brackets; port 0 lets the system choose."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        return is_loopback(self.host)


def _parse_address(value: object) -> object:
    if not isinstance(value, str):
        return value
    host, colon, port = value.strip().rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError("is not host:port, such as 127.0.0.1:9090 or [::1]:9090")
    bracketed = host.startswith("[") and host.endswith("]")
    host = host[1:-1] if bracketed else host
    if ":" in host and not bracketed:
        raise ValueError("needs brackets around an IPv6 address, such as [::1]:9090")
    return Address(host or "0.0.0.0", int(port))  # noqa: S104 -- an empty host means every interface, as elsewhere


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


def _parse_sides(value: object) -> object:
    pieces = split_commas(value)
    if not isinstance(pieces, (tuple, list)):
        return pieces
    try:
        sides = tuple(int(piece) for piece in pieces)
    except (TypeError, ValueError):
        raise ValueError("is not a list of whole numbers such as 640,1280,2560") from None
    if list(sides) != sorted(set(sides)) or any(not 64 <= side <= 16_384 for side in sides) or len(sides) > 8:
        raise ValueError("needs up to 8 rising numbers of pixels from 64 to 16384")
    return sides


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


def _parse_purge_urls(value: object) -> object:
    pieces = split_commas(value)
    if not isinstance(pieces, (tuple, list)):
        return pieces
    for piece in pieces:
        parts = urlsplit(str(piece))
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.fragment or "@" in parts.netloc:
            # Not quoted: it may hold a secret.
            raise ValueError("is not a URL such as https://api.fastly.com/service/ID/purge, or several with commas")
    return tuple(str(piece) for piece in pieces)


_PRESET_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")


def _parse_presets(value: object) -> object:
    """`card=w:300,h:200;hero=w:1200`, or a table: compact options by name."""
    if isinstance(value, str):
        pieces = [piece.strip() for piece in value.split(";") if piece.strip()]
        given = [piece.partition("=") for piece in pieces]
        for piece, (name, equals, _) in zip(pieces, given, strict=True):
            if not equals:
                raise ValueError(f"{piece!r} is not name=options, such as card=w:300,h:200")
            if [name for name, _, _ in given].count(name) > 1:
                raise ValueError(f"there are two presets {name!r}")
        value = {name.strip(): text.strip() for name, _, text in given}
    if not isinstance(value, Mapping):
        raise ValueError("is a table of compact options by name")  # noqa: TRY004 - a mistake in the settings
    # Few settings name presets, and every command reads the settings.
    from transforms.errors import OptionError
    from transforms.options import parse_request

    for name, text in value.items():
        if not isinstance(name, str) or not _PRESET_NAME.match(name):
            raise ValueError(f"{name!r} is no name of a preset: 1 to 64 letters, digits, dots, underscores and hyphens")
        try:
            parse_request([("p", name)], {name: str(text)})
        except OptionError as error:
            raise ValueError(f"preset {name!r}: {error}") from None
    return MappingProxyType({name: str(text) for name, text in value.items()})


def _parse_object_name(value: object) -> object:
    if isinstance(value, str) and not all(value.partition("/")):
        raise ValueError("is not bucket/key")
    return value


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


def _cores() -> int:
    return len(os.sched_getaffinity(0))


class ServerSettings(SettingsGroup):
    """What the server, the S3 door and the transform door can be told. Sizes in bytes, times in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    data: Path = Field(
        default=Path("data"), description="Folder that holds the database, the stored bytes and the keys."
    )
    listen: Annotated[Address, BeforeValidator(_parse_address)] = Field(
        default=Address("127.0.0.1", 9090),
        description="Address to listen on, host:port. Port 0 lets the system choose.",
    )
    workers: int = Field(
        default_factory=_cores, ge=1, le=256, description="Worker processes.", json_schema_extra={"shown": "the cores"}
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
        "A replica of it for pages, galleries and statistics."
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

    image_max_megapixels: float = Field(default=50, gt=0, description="Largest original to decode, in megapixels.")
    image_max_bytes: Size = Field(default=20_000_000, description="Largest original to decode, in bytes.")
    image_max_frames: int = Field(
        default=1000, ge=1, le=2000, description="Most frames of an animation that is rendered with all of them."
    )
    image_max_animation_megapixels: float = Field(
        default=50, gt=0, description="Largest original of an animation: megapixels of all its frames."
    )
    image_max_animated_output_megapixels: float = Field(
        default=20, gt=0, description="Largest animation to make: megapixels of all its frames."
    )
    image_decoders: int = Field(
        default_factory=_cores,
        ge=1,
        le=256,
        description="Decoder processes of the render broker.",
        json_schema_extra={"shown": "the cores"},
    )
    image_quality_jpeg: int = Field(
        default=80, ge=1, le=100, description="Quality of JPEG where no `q` asks for another."
    )
    image_quality_webp: int = Field(default=85, ge=1, le=100, description="The same for WebP.")
    image_quality_avif: int = Field(default=60, ge=1, le=100, description="The same for AVIF.")
    image_quality_tiff: int = Field(default=80, ge=1, le=100, description="The same for TIFF.")
    image_variant_quality: int = Field(
        default=85, ge=1, le=100, description="Quality of WebP and JPEG in the variants that apps ask for by name."
    )
    image_mezzanines: Annotated[tuple[int, ...], BeforeValidator(_parse_sides)] = Field(
        default=DEFAULT_MEZZANINES,
        description="Longer sides in pixels, separated by commas, of smaller copies of large originals that small pictures "
        "are rendered from; empty: always from the original.",
    )
    image_mezzanine_pixels: int = Field(
        default=DEFAULT_MEZZANINE_PIXELS, ge=0, description="Originals of fewer pixels have no such copies."
    )
    image_fonts: Path | None = Field(
        default=None,
        description="Folder of the fonts for `text`, the only one that decoders can read; by default the distribution's, "
        f"{DEFAULT_FONTS}.",
    )
    image_queue: int = Field(default=256, ge=1, description="Renders that may wait; beyond it 503 with Retry-After.")
    image_queue_time: float = Field(
        default=10,
        gt=0,
        description="Estimated work that may wait for each decoder, in seconds; beyond it 503 with Retry-After.",
    )
    image_timeout: float = Field(default=20, gt=0, description="Time one render may take before its decoder is ended.")
    image_decoder_memory: Size = Field(
        default=1536 * 1024**2, description="Address space that one render may take beyond an idle decoder's."
    )
    image_memory_cache_bytes: Size = Field(
        default=256 * 1024**2, description="Renditions that the broker keeps in memory."
    )
    image_worker_cache_bytes: Size = Field(default=16 * 1024**2, description="Hot renditions that each worker keeps.")
    redis_url: Annotated[str | None, BeforeValidator(_parse_redis)] = secret(
        "Redis for renditions that all nodes share: `redis://[user:password@]host:6379/0`, `rediss://` over TLS (`?ca=FILE`), "
        "`redis+sentinel://host:26379/master`, `redis+cluster://host:6379,host:6379`, `unix:///path`."
    )
    image_redis_item_bytes: Size = Field(
        default=1024**2, description="Largest rendition that goes to Redis; what all may take is Redis' `maxmemory`."
    )
    image_redis_max_age: int = Field(
        default=604_800, ge=1, le=31_536_000, description="Time after which Redis forgets a rendition."
    )
    image_store_cache_bytes: Size = Field(
        default=0, description="What renditions may take in a store, the oldest going first; 0: none are kept there."
    )
    image_store_cache: str | None = Field(
        default=None,
        description="Where those lie: the name of a store (a prefix of their own in it), or a folder as `file:///path`. "
        "Unset: the default store; where that is a folder, `renditions` in the data folder.",
    )
    image_max_age: int = Field(
        default=86_400,
        ge=0,
        le=31_536_000,
        description="Time that browsers and CDNs may keep `/img/<image id>`, whose picture never changes but may be deleted.",
    )
    image_key_max_age: int = Field(
        default=60,
        ge=0,
        le=31_536_000,
        description="The same for `/img/<bucket>/<key>`, which shows another picture once the key is overwritten.",
    )
    image_shared_max_age: int | None = Field(
        default=None,
        ge=0,
        le=31_536_000,
        description="Time that shared caches (CDNs) may keep pictures, where it differs: `s-maxage`. Long where the purge "
        "webhook tells the CDN what changed.",
    )
    image_stale_max_age: int = Field(
        default=0,
        ge=0,
        le=31_536_000,
        description="Time beyond that in which caches may show a picture while they ask for a new one: "
        "`stale-while-revalidate`.",
    )
    image_cache_tags: Literal["off", "surrogate-key", "cache-tag", "both"] = Field(
        default="off",
        description="Header in which each picture names its bucket and object for CDNs that purge by tag: `Surrogate-Key` "
        "(Fastly, Varnish) or `Cache-Tag` (Cloudflare). Tags tell no names.",
    )
    image_presets: Annotated[Mapping[str, str], BeforeValidator(_parse_presets)] = Field(
        default_factory=lambda: MappingProxyType({}),
        description="Presets for all buckets: `card=w:300,h:200,fit:cover;hero=w:1200`, or a table in the TOML file. A "
        "bucket's own presets win.",
    )
    image_only_presets: bool = Field(
        default=False,
        description="Links, signed or not, may name a preset and nothing else about pixels, in every bucket.",
    )
    image_fallback: Annotated[str | None, BeforeValidator(_parse_object_name)] = Field(
        default=None,
        description="Image (`bucket/key`) that is shown for one that is missing or broken, with the error's status, where "
        "its bucket has none of its own.",
    )
    image_fallback_max_age: int = Field(
        default=30, ge=0, le=86_400, description="Time that others may keep an image shown for a missing one."
    )
    purge_url: Annotated[tuple[str, ...], BeforeValidator(_parse_purge_urls)] = Field(
        default=(),
        repr=False,
        description="Where a CDN is told what to forget when objects are overwritten or deleted, in buckets with "
        "`pixgate buckets set NAME --purge`. Several, such as all Varnish servers, with commas.",
        json_schema_extra={"secret": True},
    )
    purge_kind: Literal["webhook", "fastly", "cloudflare", "varnish", "xkey"] = Field(
        default="webhook",
        description="How it is told: an API by tags (`fastly`, `cloudflare`), Varnish by a ban (`varnish`) or by its module "
        "(`xkey`), or JSON for a program of your own (`webhook`). See the CDN guide.",
    )
    purge_token: str | None = secret(
        "The API's token, or what Varnish asks for as bearer; of a webhook the secret that signs it."
    )
    purge_again: float = Field(
        default=30,
        ge=0,
        le=3600,
        description="Time after which a purge is sent once more, for answers that were on their way to the CDN during the "
        "first. 0: once is enough.",
    )

    dialects: Annotated[tuple[DialectName, ...], BeforeValidator(split_commas)] = Field(
        default=(),
        description="Foreign URLs that are served: `imgproxy` below `/imgproxy/`, `thumbor` or `imagor` below `/thumbor/`.",
    )
    dialect_hosts: Annotated[Mapping[str, DialectName], BeforeValidator(parse_dialect_hosts)] = Field(
        default_factory=lambda: MappingProxyType({}),
        description="Hosts whose whole path is a foreign URL: `img.example.org=imgproxy;thumbs.example.org=thumbor`, or a "
        "table in the TOML file.",
        json_schema_extra={"form": "`host=dialect;host=dialect`"},
    )
    dialect_auto_format: bool = Field(
        default=False,
        description="A foreign URL that names no format is answered in what the browser takes best (`f=auto`).",
    )
    source_map: Annotated[Mapping[str, str], BeforeValidator(parse_source_map)] = Field(
        default_factory=lambda: MappingProxyType({}),
        description="Where the sources of foreign URLs lie: `https://cdn.example.org/media/=photos/media;...`, URL prefix to "
        "`bucket/prefix`; an empty one is for sources without a scheme. Nothing is fetched from elsewhere.",
        json_schema_extra={"form": "`prefix=bucket/prefix;...`"},
    )
    source_query: Literal["refuse", "drop"] = Field(
        default="refuse", description="What is done with the query of a mapped source, such as `?v=3`."
    )
    imgproxy_keys: Annotated[tuple[ImgproxyKey, ...], BeforeValidator(parse_imgproxy_keys)] = Field(
        default=(),
        repr=False,
        description="Keys of imgproxy URLs, separated by commas: `<IMGPROXY_KEY>:<IMGPROXY_SALT>:<access key>`. What they "
        "sign has the rights of that access key (a link key will do).",
        json_schema_extra={"secret": True},
    )
    imgproxy_signature_size: int = Field(
        default=32, ge=8, le=32, description="Bytes of an imgproxy signature, as in IMGPROXY_SIGNATURE_SIZE."
    )
    imgproxy_presets: Annotated[Mapping[str, str], BeforeValidator(parse_imgproxy_presets)] = Field(
        default_factory=lambda: MappingProxyType({}),
        description="imgproxy's own presets: `card=rs:fill:300:200/g:sm;...`; `default` begins every URL.",
        json_schema_extra={"form": "`name=options;name=options`"},
    )
    imgproxy_only_presets: bool = Field(
        default=False,
        description="imgproxy URLs are `/<signature>/<preset>:<preset>/<source>`, as with IMGPROXY_ONLY_PRESETS.",
    )
    imgproxy_watermark: Annotated[str | None, BeforeValidator(_parse_object_name)] = Field(
        default=None, description="Image (`bucket/key`) that `watermark` in an imgproxy URL lays over the picture."
    )
    thumbor_keys: Annotated[tuple[ThumborKey, ...], BeforeValidator(parse_thumbor_keys)] = Field(
        default=(),
        repr=False,
        description="Keys of thumbor and imagor URLs, separated by commas: `<SECURITY_KEY>:<access key>`.",
        json_schema_extra={"secret": True},
    )
    thumbor_algorithm: Literal["sha1", "sha256", "sha512"] = Field(
        default="sha1", description="Digest of their signatures, as in IMAGOR_SIGNER_TYPE."
    )
    thumbor_signature_length: int = Field(
        default=0, ge=0, le=88, description="Characters of their signatures, as in IMAGOR_SIGNER_TRUNCATE; 0: all."
    )


class Settings(
    AdminSettings, LimitSettings, JobSettings, ReadingSettings, UploadSettings, AuthSettings, ServerSettings
):
    """Everything that can be set, in the order of the last group to the first. Sizes in bytes, times in seconds."""

    @property
    def all_stores(self) -> tuple[StoreSettings, ...]:
        """The stores that are named here; the folder in the data folder, `local`, is not among them."""
        main = () if self.store_url is None else (parse_store(self.store_url, MAIN_STORE),)
        return (*main, *self.stores)

    @property
    def new_store(self) -> str:
        """The name of the store that new bytes go to, where their bucket does not say."""
        names = [store.name for store in self.all_stores]
        return self.default_store or (names[0] if names else LOCAL_STORE)

    @property
    def rendering(self) -> Rendering:
        """What decides how renditions look where their URL leaves it open."""
        qualities = {name: getattr(self, f"image_quality_{name}") for name in ("jpeg", "webp", "avif", "tiff")}
        fonts = fingerprint(self.fonts_folder)
        return Rendering(
            qualities, self.image_mezzanines, self.image_mezzanine_pixels, self.image_variant_quality, fonts
        )

    @property
    def fonts_folder(self) -> str:
        """The folder of the fonts for text."""
        return DEFAULT_FONTS if self.image_fonts is None else str(self.image_fonts.absolute())

    @property
    def link_base(self) -> str:
        """What image URLs that are handed out begin with; empty where no address is set: then they begin with `/img`."""
        return self.cdn_url or self.public_url or ""

    @property
    def run_folder(self) -> Path:
        """What lives only while the server runs: sockets, its lock, its address."""
        return self.data / "run"

    @property
    def render_socket(self) -> Path:
        return self.run_folder / "render.sock"

    @property
    def rate_limits_file(self) -> Path:
        """Where the workers of this node count what is limited, while no Redis does."""
        return self.run_folder / "limits.sqlite"

    @property
    def upload_slots_file(self) -> Path:
        """Whose locked bytes are the uploads under way."""
        return self.run_folder / "upload-slots"

    @property
    def server_lock(self) -> Path:
        return self.run_folder / "server.lock"

    @property
    def address_file(self) -> Path:
        """Where a server that is ready leaves its URL, for commands that print links."""
        return self.run_folder / "address"

    @property
    def scheme(self) -> str:
        return "https" if self.tls_cert else "http"

    @property
    def hosts(self) -> tuple[str, ...]:
        """Hosts (with port) that clients may have signed for, before a proxy changed the Host header."""
        return tuple(urlsplit(url).netloc for url in (self.public_url, self.cdn_url) if url)

    @property
    def exposed(self) -> bool:
        """Whether others than this machine can reach the server: by its own address, or as far as we know by a proxy."""
        named = [urlsplit(url).hostname or "" for url in (self.public_url, self.cdn_url) if url]
        return not self.listen.is_loopback or bool(self.trusted_proxies) or not all(map(is_loopback, named))

    def base_url(self, address: Address | None = None) -> str:
        """The URL that clients use, no trailing slash: the public one, else the listening address (`address` if bound)."""
        if self.public_url:
            return self.public_url
        bound = address or self.listen
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(bound.host, bound.host)  # noqa: S104 -- a comparison, not a bind
        return f"{self.scheme}://{Address(host, bound.port)}"


def format_size(size: int) -> str:
    """A size in the largest unit that `parse_size` reads back exactly: `256MiB`, `20MB`, `4097`."""
    for base, suffix in ((1024, "iB"), (1000, "B")):
        for power, unit in ((4, "T"), (3, "G"), (2, "M"), (1, "K")):
            if size and size % base**power == 0:
                return f"{size // base**power}{unit}{suffix}"
    return str(size)


SIZES = frozenset(
    name for name, field in Settings.model_fields.items() if any(one is PARSES_SIZE for one in field.metadata)
)
"""The settings that are sizes in bytes."""


def is_secret(name: str) -> bool:
    """Whether a setting may be shown nowhere."""
    extra = Settings.model_fields[name].json_schema_extra
    return isinstance(extra, dict) and bool(extra.get("secret"))


def shown_value(settings: Settings, name: str) -> str:
    """A setting's value as it could be written in `.env`; of a secret only whether it is set."""
    value = getattr(settings, name)
    if value is None or value in ((), {}):
        return ""
    if is_secret(name):
        return "(set)"
    if isinstance(value, Mapping):
        return ";".join(f"{key}={text}" for key, text in value.items())
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    if isinstance(value, bool):
        return str(value).lower()
    return format_size(value) if name in SIZES else str(value)


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + name.upper()


def load(
    flags: Mapping[str, object] | None = None,
    *,
    config_file: Path | None = None,
    env_file: Path = Path(".env"),
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """Merge the sources into settings. `flags` are by field name, None means not given.

    Raises SettingsError with every problem found.
    """
    environ = os.environ if environ is None else environ
    problems: list[str] = []
    given: dict[str, tuple[str, object]] = {}
    if config_file is None and environ.get(CONFIG_VARIABLE):
        config_file = Path(environ[CONFIG_VARIABLE])
    if config_file is not None:
        _gather_toml(config_file, given, problems)
    if env_file.is_file():
        _gather_variables(_read_env_file(env_file, problems), f" in {env_file}", given, problems)
    _gather_variables(environ, "", given, problems)
    for name, value in (flags or {}).items():
        if value is not None:
            given[name] = ("--" + name.replace("_", "-"), value)

    settings, wrong = _validate({name: value for name, (_, value) in given.items()})
    problems += [f"{given[name][0]}: {message}" for name, message in wrong.items()]
    for names, message in _contradictions(settings):
        if not wrong.keys() & set(names):
            shown = [given[name][0] if name in given else variable(name) for name in names]
            problems.append(f"{' / '.join(shown)}: {message}")
    if problems:
        raise SettingsError(problems)
    return settings


def _gather_toml(path: Path, given: dict[str, tuple[str, object]], problems: list[str]) -> None:
    import tomllib

    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        problems.append(f"--config {path}: {error.strerror}")
        return
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        problems.append(f"--config {path}: {error}")
        return
    for shown, name, value in _flattened(document):
        if name not in Settings.model_fields:
            problems.append(f"{shown} in {path}: there is no such setting{_suggest(name, list(Settings.model_fields))}")
        elif name in given:
            problems.append(f"{shown} in {path}: is there twice, as {given[name][0].partition(' ')[0]} besides")
        else:
            given[name] = (f"{shown} in {path}", value)


def _flattened(table: Mapping[str, object], *outer: str) -> Iterator[tuple[str, str, object]]:
    """Name as written, setting and value of each: `enabled` in a table `rate_limits` is `rate_limits_enabled`.

    A table that is a setting itself is its value.
    """
    for key, value in table.items():
        path = (*outer, key)
        name = "_".join(path)
        if isinstance(value, dict) and value and name not in Settings.model_fields:
            yield from _flattened(value, *path)
        else:
            yield ".".join(path), name, value


def _read_env_file(path: Path, problems: list[str]) -> dict[str, str | None]:
    from dotenv.parser import parse_stream

    try:
        with path.open(encoding="utf-8") as file:
            statements = list(parse_stream(file))
    except OSError as error:
        problems.append(f"{path}: {error.strerror}")
        return {}
    except UnicodeDecodeError:
        problems.append(f"{path}: is not UTF-8")
        return {}
    for statement in statements:
        # The file may be others' as well. A line is named by its number, never quoted: it may hold a secret.
        text = statement.original.string
        if statement.error and "pixgate" in text.lower():
            line = statement.original.line + len(text) - len(text.lstrip("\n"))
            problems.append(f"line {line} in {path}: is not NAME=value")
    return {one.key: one.value for one in statements if one.key is not None and not one.error}


def _gather_variables(
    variables: Mapping[str, str | None], where: str, given: dict[str, tuple[str, object]], problems: list[str]
) -> None:
    known = {variable(name): name for name in Settings.model_fields}
    for shown, value in variables.items():
        if not shown.startswith(PREFIX) or shown == CONFIG_VARIABLE:
            continue
        if shown not in known:
            problems.append(f"{shown}{where}: there is no such setting{_suggest(shown, list(known))}")
        elif value:  # set but empty is unset: compose files write it so
            given[known[shown]] = (shown + where, value)


def _suggest(name: str, known: list[str]) -> str:
    import difflib

    close = difflib.get_close_matches(name, known, n=1, cutoff=0.7)
    return f"; did you mean {close[0]}?" if close else ""


def _validate(values: dict[str, object]) -> tuple[Settings, dict[str, str]]:
    """Settings from what is valid, and what is wrong with the rest, by field name."""
    # Else pydantic looks for plugins in every installed distribution. There are none for us.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    try:
        return Settings.model_validate(values), {}
    except ValidationError as error:
        wrong: dict[str, str] = {}
        for detail in error.errors():
            name = str(detail["loc"][0])
            wrong.setdefault(name, detail["msg"].removeprefix("Value error, "))
        return Settings.model_validate({key: value for key, value in values.items() if key not in wrong}), wrong


def is_weak_secret(secret: str, access_key: str | None = None) -> bool:
    """Whether a root secret is too short, equal to its access key, or known to everyone."""
    return len(secret) < MIN_SECRET_LENGTH or secret.lower() in WELL_KNOWN_SECRETS or secret == access_key


def _contradictions(settings: Settings) -> list[tuple[tuple[str, ...], str]]:
    """What no field shows by itself: (names of the settings, message)."""
    found: list[tuple[tuple[str, ...], str]] = []
    if (settings.root_access_key is None) != (settings.root_secret_key is None):
        found.append((("root_access_key", "root_secret_key"), "set both or neither"))
    if (settings.tls_cert is None) != (settings.tls_key is None):
        found.append((("tls_cert", "tls_key"), "set both or neither"))
    names = [LOCAL_STORE, *(store.name for store in settings.all_stores)]
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        found.append(
            (("stores",), f"names must differ, also from `local` (and `main`, of store_url): {', '.join(twice)}")
        )
    if settings.default_store is not None and settings.default_store not in names:
        found.append((("default_store",), f"there is no store {settings.default_store!r}, only {', '.join(names)}"))
    cached_in = settings.image_store_cache
    if cached_in is not None and cached_in not in names and not cached_in.startswith("file:///"):
        message = f"{cached_in!r} is neither a folder (file:///path) nor one of the stores {', '.join(names)}"
        found.append((("image_store_cache",), message))
    if {"thumbor", "imagor"} <= set(settings.dialects):
        found.append((("dialects",), "thumbor or imagor: both would be below /thumbor/"))
    if 0 < settings.thumbor_signature_length < MIN_SIGNATURE_LENGTH:
        message = f"fewer than {MIN_SIGNATURE_LENGTH} characters can be guessed"
        found.append((("thumbor_signature_length",), message))
    public = urlsplit(settings.public_url or "").hostname
    if public is not None and public in settings.dialect_hosts:
        found.append((("dialect_hosts", "public_url"), f"{public} would answer to foreign URLs alone"))
    if settings.cors_credentials and ANY_ORIGIN in settings.cors_origins:
        message = "pages of every origin could act for whoever visits them: name the origins"
        found.append((("cors_credentials", "cors_origins"), message))
    if settings.jobs_engine == "celery" and settings.celery_url is None:
        if settings.redis_url is None:
            found.append((("jobs_engine", "celery_url"), "celery needs a Redis: set celery_url or redis_url"))
        elif parse_redis_url(settings.redis_url).kind == "cluster":
            message = "redis_url is a cluster, which Celery cannot work with: name one server, or sentinels"
            found.append((("celery_url",), message))
    found += auth_contradictions(settings, reachable=not settings.listen.is_loopback, exposed=settings.exposed)
    if settings.master_key is not None and settings.master_key_file is not None:
        found.append((("master_key", "master_key_file"), "set one of them, not both"))
    for name in ("tls_cert", "tls_key", "master_key_file", "image_fonts", "jwt_private_key"):
        path = getattr(settings, name)
        if path is not None and not os.access(path, os.R_OK):
            found.append(((name,), f"{path} cannot be read"))
    if (
        settings.root_secret_key is not None
        and settings.exposed
        and is_weak_secret(settings.root_secret_key, settings.root_access_key)
    ):
        message = (
            f"the secret is well known or shorter than {MIN_SECRET_LENGTH} characters, which is refused where others can "
            "reach the server (by listen, public_url, cdn_url or trusted_proxies); make one with: openssl rand -base64 30"
        )
        found.append((("root_secret_key",), message))
    return found
