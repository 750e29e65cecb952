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
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, ConfigDict, Field, ValidationError, field_validator

from gateway.redis_address import parse_redis_url
from gateway.settings.admin import AdminSettings
from gateway.settings.auth import AuthSettings, auth_contradictions, is_loopback
from gateway.settings.dialects import DialectSettings
from gateway.settings.fields import PARSES_SIZE, SettingsGroup, Size, cores, secret, split_commas
from gateway.settings.images import ImageSettings
from gateway.settings.jobs import JobSettings
from gateway.settings.limits import ANY_ORIGIN, LimitSettings
from gateway.settings.reading import ReadingSettings
from gateway.settings.stores import FolderStore, S3Store, StoreSettings, parse_store
from gateway.settings.uploads import UploadSettings
from transforms.fonts import DEFAULT_FOLDER as DEFAULT_FONTS
from transforms.fonts import fingerprint
from transforms.rendering import Rendering

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

LARGEST_NUMBER = 1_000_000_000
"""Of seconds (32 years) and megapixels."""
LARGEST_WHOLE = 1 << 53
"""Of bytes, pixels and things: 9 petabytes."""


class ServerSettings(SettingsGroup):
    """What the server and the S3 door can be told. Sizes in bytes, times in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    data: Path = Field(
        default=Path("data"), description="Folder that holds the database, the stored bytes and the keys."
    )
    listen: Annotated[Address, BeforeValidator(_parse_address)] = Field(
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
    redis_url: Annotated[str | None, BeforeValidator(_parse_redis)] = secret(
        "Redis for renditions that all nodes share: `redis://[user:password@]host:6379/0`, `rediss://` over TLS (`?ca=FILE`), "
        "`redis+sentinel://host:26379/master`, `redis+cluster://host:6379,host:6379`, `unix:///path`."
    )


class Settings(
    AdminSettings,
    LimitSettings,
    JobSettings,
    ReadingSettings,
    UploadSettings,
    AuthSettings,
    DialectSettings,
    ImageSettings,
    ServerSettings,
):
    """Everything that can be set, in the order of the last group to the first. Sizes in bytes, times in seconds."""

    @field_validator("*")
    @classmethod
    def _check_number(cls, value: object) -> object:
        """Infinity, and what 64 bits or a timer cannot hold, is told at the start and not by what first counts with it."""
        if isinstance(value, float) and not abs(value) <= LARGEST_NUMBER:
            raise ValueError(f"is not a number up to {LARGEST_NUMBER:,}")
        if isinstance(value, int) and abs(value) > LARGEST_WHOLE:
            raise ValueError(f"is not a whole number up to {LARGEST_WHOLE:,}")
        return value

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
