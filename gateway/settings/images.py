"""What the transform door makes, for how long it is kept, and who is told when it is stale."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field

from gateway.settings.fields import SettingsGroup, Size, cores, parse_object_name, secret, split_commas
from transforms.fonts import DEFAULT_FOLDER as DEFAULT_FONTS
from transforms.rendering import DEFAULT_MEZZANINE_PIXELS, DEFAULT_MEZZANINES


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


class ImageSettings(SettingsGroup):
    """Sizes in bytes, times in seconds."""

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
        default_factory=cores,
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
    image_fallback: Annotated[str | None, BeforeValidator(parse_object_name)] = Field(
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
