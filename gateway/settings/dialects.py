"""The settings of foreign URLs: hosts, keys, and where their sources lie.

No message holds a key or a salt.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from gateway.settings.fields import SettingsGroup, parse_object_name, split_commas

DialectName = Literal["imgproxy", "thumbor", "imagor"]
DIALECTS: tuple[DialectName, ...] = ("imgproxy", "thumbor", "imagor")

_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?\Z")
_ACCESS_KEY = re.compile(r"[A-Za-z0-9_.-]{3,128}\Z")
_PREFIX = re.compile(r"([a-z][a-z0-9+.-]*://[^/\s]+)(/.*)?\Z", re.IGNORECASE)
_PRESET_NAME = re.compile(r"[^\s:/=]{1,64}\Z")
_PRESET = re.compile(r"[^/:\s]+(:[^/\s]*)+(/[^/:\s]+(:[^/\s]*)+)*\Z")


@dataclass(frozen=True, slots=True)
class ImgproxyKey:
    """A key and a salt of imgproxy, and the access key with whose rights their signatures open pictures."""

    key: bytes = field(repr=False)
    salt: bytes = field(repr=False)
    access_key: str


@dataclass(frozen=True, slots=True)
class ThumborKey:
    """A security key of thumbor or imagor, and the access key with whose rights its signatures open pictures."""

    key: bytes = field(repr=False)
    access_key: str


def parse_dialect_hosts(value: object) -> object:
    """`img.example.org=imgproxy;thumbs.example.org=thumbor`, or a table. Raises ValueError."""
    hosts: dict[str, str] = {}
    for name, dialect in _table(value, "img.example.org=imgproxy").items():
        host = name.lower().rstrip(".")
        if not _HOST.match(host):
            raise ValueError(f"{name!r} is not a host name (no scheme, no port)")
        if dialect not in DIALECTS:
            raise ValueError(f"{name}: {dialect!r} is none of {', '.join(DIALECTS)}")
        hosts[host] = dialect
    return MappingProxyType(hosts)


def parse_source_map(value: object) -> object:
    """`https://cdn.example.org/media/=photos/media;...`, or a table. Raises ValueError."""
    mapped: dict[str, str] = {}
    for prefix, place in _table(value, "https://cdn.example.org/media/=photos/media", last=True).items():
        bucket = place.partition("/")[0]
        if not bucket:
            raise ValueError(f"{prefix!r}: {place!r} is not bucket or bucket/prefix")
        match = _PREFIX.match(prefix)
        if prefix and (match is None or not prefix.endswith("/")):
            raise ValueError(
                f"{prefix!r} is neither a URL that ends with a slash nor empty (for sources without a scheme)"
            )
        mapped[prefix if match is None else match[1].lower() + match[2]] = place
    return MappingProxyType(mapped)


def parse_imgproxy_presets(value: object) -> object:
    """`sharp=rs:fill:300:200/sh:0.7;...`, or a table: options as imgproxy writes them, by name. Raises ValueError."""
    presets = _table(value, "card=rs:fill:300:200/g:sm")
    for name, options in presets.items():
        if not _PRESET_NAME.match(name):
            raise ValueError(f"{name!r} is no name of a preset")
        if not _PRESET.match(options):
            raise ValueError(f"preset {name!r} is not options as in rs:fill:300:200/g:sm")
    return MappingProxyType(presets)


def parse_imgproxy_keys(value: object) -> object:
    """`<key in hex>:<salt in hex>:<access key>`, one or several. Raises ValueError."""
    keys = []
    for number, piece in enumerate(_pieces(value), 1):
        parts = piece.split(":")
        if len(parts) != 3:
            raise ValueError(f"number {number} is not <key in hex>:<salt in hex>:<access key>")
        try:
            key, salt = (bytes.fromhex(part) for part in parts[:2])
        except ValueError:
            raise ValueError(f"number {number}: key and salt are hexadecimal, as in IMGPROXY_KEY") from None
        if not key:
            raise ValueError(f"number {number} has no key")
        keys.append(ImgproxyKey(key, salt, _access_key(parts[2], number)))
    return tuple(keys)


def parse_thumbor_keys(value: object) -> object:
    """`<security key>:<access key>`, one or several. Raises ValueError."""
    keys = []
    for number, piece in enumerate(_pieces(value), 1):
        secret, colon, access_key = piece.rpartition(":")
        if not colon or not secret:
            raise ValueError(f"number {number} is not <security key>:<access key>")
        keys.append(ThumborKey(secret.encode("utf-8", "surrogateescape"), _access_key(access_key, number)))
    return tuple(keys)


def _access_key(text: str, number: int) -> str:
    if not _ACCESS_KEY.match(text):
        raise ValueError(f"number {number} ends with what is no access key; make one with: pixgate keys create --links")
    return text


def _pieces(value: object) -> list[str]:
    if isinstance(value, str):
        return [piece.strip() for piece in value.split(",") if piece.strip()]
    if isinstance(value, (list, tuple)) and all(isinstance(piece, str) for piece in value):
        return list(value)
    raise ValueError("is a list of texts")


def _table(value: object, example: str, *, last: bool = False) -> dict[str, str]:
    """Names and values; `last`: what stands behind the last equals sign of a piece is the value."""
    if isinstance(value, str):
        table: dict[str, str] = {}
        for piece in (piece.strip() for piece in value.split(";")):
            if not piece:
                continue
            name, equals, text = piece.rpartition("=") if last else piece.partition("=")
            if not equals:
                raise ValueError(f"{piece!r} is not name=value, as in {example}")
            if name.strip() in table:
                raise ValueError(f"{name.strip()!r} stands twice")
            table[name.strip()] = text.strip()
        return table
    if isinstance(value, Mapping) and all(isinstance(part, str) for item in value.items() for part in item):
        return dict(value)
    raise ValueError(f"is a table of texts, or {example}")


class DialectSettings(SettingsGroup):
    """Which foreign URLs are read, whose signatures are known, and where their sources lie."""

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
    imgproxy_watermark: Annotated[str | None, BeforeValidator(parse_object_name)] = Field(
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
