"""`pixgate buckets`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.context import data_options, json_option, print_json, settings_of, with_services
from gateway.cli.duration import utc
from gateway.errors import BucketExists, BucketNotFound, BucketOwnedByYou, InvalidBucketName
from gateway.model.contents import Encryption
from gateway.services.audit import CLI, Action, Event
from gateway.services.bucket_images import VIEW_SEPARATOR
from gateway.services.clock import now_ms

if TYPE_CHECKING:
    from gateway.model.buckets import Bucket, BucketImages
    from gateway.services import Services


@click.group()
def buckets() -> None:
    """Buckets, who owns them and how they show images."""


def described(bucket: Bucket, usage: tuple[int, int]) -> dict[str, Any]:
    """A bucket, for programs."""
    return {
        "bucket": bucket.name,
        "account": bucket.owner.name,
        "region": bucket.region,
        "versioning": bucket.versioning.value,
        "images": "public" if bucket.images_public else "private",
        "ladder": list(bucket.ladder),
        "image_settings": image_settings(bucket.images),
        "encryption": None if bucket.encryption is None else bucket.encryption.value,
        "store": bucket.store,
        "objects": usage[0],
        "bytes": usage[1],
        "created": utc(bucket.created_ms),
    }


def image_settings(images: BucketImages) -> dict[str, Any]:
    """How a bucket treats its images, for programs."""
    return {
        "presets": dict(images.presets),
        "only_presets": images.only_presets,
        "max_width": images.max_width,
        "fallback": images.fallback,
        "renditions": list(images.renditions),
        "exif": images.exif,
        "raw": images.raw,
        "cors": list(images.cors),
        "purge": images.purge,
        "catalogue": images.catalogue,
    }


@buckets.command("list")
@click.option("--account", help="Only those of this account.")
@json_option
@data_options
def list_buckets(account: str | None, as_json: bool, data: Path | None, config_file: Path | None) -> None:
    """List all buckets, with their objects and the bytes of all versions of these."""

    async def work(services: Services) -> list[tuple[Bucket, tuple[int, int]]]:
        owner = None if account is None else await services.accounts.get(account)
        usage = await services.buckets.usage()
        return [(bucket, usage.get(bucket.id, (0, 0))) for bucket in await services.buckets.list(owner)]

    found = with_services(settings_of(config_file, data=data), work)
    if as_json:
        print_json([described(bucket, usage) for bucket, usage in found])
        return
    from gateway.cli.table import print_table

    print_table(
        ("BUCKET", "ACCOUNT", "OBJECTS", "BYTES", "VERSIONING", "IMAGES", "LADDER", "ENCRYPTION", "STORE", "CREATED"),
        [
            (
                bucket.name,
                bucket.owner.name,
                str(objects),
                str(size),
                bucket.versioning.value,
                "public" if bucket.images_public else "private",
                ",".join(map(str, bucket.ladder)),
                "none" if bucket.encryption is None else bucket.encryption.value,
                bucket.store or "",
                utc(bucket.created_ms),
            )
            for bucket, (objects, size) in found
        ],
    )


@buckets.command()
@click.argument("name")
@click.option("--account", default="root", show_default=True, help="Account that will own it.")
@data_options
def create(name: str, account: str, data: Path | None, config_file: Path | None) -> None:
    """Make a bucket."""

    async def work(services: Services) -> Bucket:
        owner = await services.accounts.get(account)
        try:
            return await services.buckets.create(name, owner, actor=CLI)
        except InvalidBucketName:
            rule = "3 to 63 lower-case letters, digits, dots and hyphens, no IP address and no name that is reserved"
            raise InvalidBucketName(f"{name!r} is no bucket name: {rule}.") from None
        except (BucketExists, BucketOwnedByYou):
            if await services.directory.bucket(name) is None:
                raise  # the name of a view: the error says of which bucket
            raise BucketExists(f"There is a bucket {name!r} already; `pixgate buckets list` shows whose.") from None

    bucket = with_services(settings_of(config_file, data=data), work, make=True)
    click.echo(f"{bucket.name} is made and belongs to {bucket.owner.name}")


@buckets.command()
@click.argument("name")
@json_option
@data_options
def show(name: str, as_json: bool, data: Path | None, config_file: Path | None) -> None:
    """Show everything that is set for a bucket."""

    async def work(services: Services) -> tuple[Bucket, tuple[int, int]]:
        bucket = await _bucket(services, name)
        return bucket, (await services.buckets.usage()).get(bucket.id, (0, 0))

    bucket, usage = with_services(settings_of(config_file, data=data), work)
    values = described(bucket, usage)
    if as_json:
        print_json(values)
        return
    from gateway.cli.table import print_table

    images = values.pop("image_settings")
    presets = images.pop("presets")
    rows = [(name, value) for name, value in values.items()]
    rows += [(name.replace("_", " "), value) for name, value in images.items()]
    rows += [(f"preset {name}", text or "(the picture as it is)") for name, text in sorted(presets.items())]
    print_table(("SETTING", "VALUE"), [(name, _plain(value)) for name, value in rows])


def _plain(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)


@buckets.command("set")
@click.argument("name")
@click.option(
    "--images", type=click.Choice(["public", "private"]), help="Whether images may be had by links without a signature."
)
@click.option(
    "--ladder",
    metavar="WIDTHS",
    help="Widths that such links may ask for, in pixels. Where none is set: 150,300,600,1200.",
)
@click.option(
    "--encryption",
    type=click.Choice(["AES256", "none"], case_sensitive=False),
    help="Whether what is stored from now on is encrypted where a request does not say.",
)
@click.option("--store", metavar="STORE", help="Where its new bytes go; `default`: where the settings of the node say.")
@click.option(
    "--preset",
    "presets",
    multiple=True,
    metavar="NAME=OPTIONS",
    help="A preset, such as card=w:400,h:300,fit:cover. Repeatable; without options it is removed.",
)
@click.option(
    "--only-presets/--any-options",
    "only_presets",
    default=None,
    help="Whether links may name a preset and nothing else.",
)
@click.option(
    "--max-width", metavar="PIXELS", help="Widest and highest result without a signature; `none`: the server's bound."
)
@click.option("--fallback", metavar="KEY", help="Image shown for one that is missing or broken; `` for none.")
@click.option(
    "--rendition",
    "renditions",
    multiple=True,
    metavar="OPTIONS",
    help="Made when an image is uploaded: p:card, or options such as w:800,f:webp. Repeatable, together they replace "
    "those before; `` for none.",
)
@click.option("--exif/--no-exif", default=None, help="Whether `info` tells EXIF and places to all who see the image.")
@click.option("--raw/--no-raw", default=None, help="Whether signed links may have the stored bytes.")
@click.option(
    "--cors",
    "origins",
    multiple=True,
    metavar="ORIGIN",
    help="Origin whose scripts may read renditions, or *. Repeatable, together they replace those before; `` for none.",
)
@click.option("--purge/--no-purge", default=None, help="Whether the CDN is told of what is overwritten or deleted.")
@click.option(
    "--catalogue/--no-catalogue",
    default=None,
    help="Whether images that S3 clients write are processed and known to apps, as uploads through the API are.",
)
@data_options
def set_bucket(
    name: str,
    images: str | None,
    ladder: str | None,
    encryption: str | None,
    store: str | None,
    data: Path | None,
    config_file: Path | None,
    **image_values: Any,
) -> None:
    """Open a bucket for unsigned links to its images, or close it; say how they are shown; encrypt what it stores, and
    choose where.

    Neither encryption nor the store changes anything that is stored already, and renditions are made of what is uploaded
    from then on: `pixgate prewarm` makes those of what is there.

    Unsigned links may ask for a width of the ladder and a format, or for a preset, so that their variants can be counted.
    """
    change = image_change(**image_values)
    if images is None and ladder is None and encryption is None and store is None and change is None:
        raise click.UsageError("say what to set: see `pixgate buckets set --help`")
    widths = _widths(ladder)

    async def work(services: Services) -> tuple[Bucket, list[Bucket]]:
        bucket = await _bucket(services, name)
        if change is not None:
            await services.buckets.change_images(bucket, change)
        await services.buckets.set_images(bucket, public=None if images is None else images == "public", ladder=widths)
        if encryption is not None:
            wanted = None if encryption.lower() == "none" else Encryption.SSE_S3
            await services.buckets.set_encryption(bucket, wanted)
        if store is not None:
            await services.buckets.set_store(bucket, None if store == "default" else store)
        said = {"images": images, "ladder": ladder, "encryption": encryption, "store": store} | image_values
        changed = {option: value for option, value in said.items() if value is not None and value != ()}
        services.audit.later(Event(Action.BUCKET_CHANGE, CLI, now_ms(), name, changed))
        await services.directory.refresh()
        bucket = await services.directory.bucket(name) or bucket
        return bucket, await _in_place_of_views(services, bucket, image_values["presets"])

    settings = settings_of(config_file, data=data)
    bucket, hiding = with_services(settings, work)
    for other in hiding:
        click.echo(
            f"{other.name} is a bucket of {other.owner.name}: as long as it exists, that name shows it and no view of {name}",
            err=True,
        )
    if image_values["purge"] and not settings.purge_url:
        click.echo("nobody is told as long as PIXGATE_PURGE_URL is not set", err=True)
    if image_values["purge"] and settings.image_cache_tags == "off":
        click.echo("answers carry no tags as long as PIXGATE_IMAGE_CACHE_TAGS is off", err=True)
    from gateway.policy.ladder import ladder_of

    shown = "public" if bucket.images_public else "private"
    click.echo(
        f"{name}: images {shown}, ladder {','.join(map(str, ladder_of(bucket.ladder)))}, "
        f"encryption {'none' if bucket.encryption is None else bucket.encryption.value}, store {bucket.store or 'default'}"
    )
    if change is not None:
        click.echo(
            f"presets {', '.join(sorted(bucket.images.presets)) or 'none'}; `pixgate buckets show {name}` has the rest"
        )


@buckets.command()
@click.argument("name")
@data_options
def delete(name: str, data: Path | None, config_file: Path | None) -> None:
    """Delete an empty bucket; uploads in progress go with it."""

    async def work(services: Services) -> None:
        await services.buckets.delete(await _bucket(services, name), actor=CLI)

    with_services(settings_of(config_file, data=data), work)
    click.echo(f"{name} is deleted")


async def _bucket(services: Services, name: str) -> Bucket:
    bucket = await services.directory.bucket(name)
    if bucket is None:
        raise BucketNotFound(f"There is no bucket {name!r}.")
    return bucket


async def _in_place_of_views(services: Services, bucket: Bucket, presets: tuple[str, ...]) -> list[Bucket]:
    """The buckets that have the names of the views of presets that were set: a bucket wins."""
    found = []
    for preset in sorted({text.partition("=")[0].strip() for text in presets} & set(bucket.images.presets)):
        other = await services.directory.bucket(bucket.name + VIEW_SEPARATOR + preset)
        if other is not None:
            found.append(other)
    return found


def image_change(
    presets: tuple[str, ...],
    only_presets: bool | None,
    max_width: str | None,
    fallback: str | None,
    renditions: tuple[str, ...],
    exif: bool | None,
    raw: bool | None,
    origins: tuple[str, ...],
    purge: bool | None,
    catalogue: bool | None,
) -> Callable[[BucketImages], BucketImages] | None:
    """The change that the options of `buckets set` ask for; None for none."""
    changed: dict[str, str | None] = {}
    for text in presets:
        preset, equals, options = text.partition("=")
        if not equals:
            raise click.BadParameter("give a name and its options, such as card=w:400", param_hint="--preset")
        changed[preset.strip()] = options.strip() or None
    values: dict[str, Any] = {
        name: value
        for name, value in (
            ("only_presets", only_presets),
            ("exif", exif),
            ("raw", raw),
            ("purge", purge),
            ("catalogue", catalogue),
        )
        if value is not None
    }
    if max_width is not None:
        values["max_width"] = None if max_width == "none" else _pixels(max_width)
    if fallback is not None:
        values["fallback"] = fallback or None
    if renditions:
        values["renditions"] = tuple(text for text in renditions if text)
    if origins:
        values["cors"] = tuple(text for text in origins if text)
    if not changed and not values:
        return None

    def change(before: BucketImages) -> BucketImages:
        kept = {name: text for name, text in before.presets.items() if name not in changed}
        given = {name: text for name, text in changed.items() if text is not None}
        return replace(before, presets=kept | given, **values)

    return change


def _pixels(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise click.BadParameter("give pixels, such as 2000, or none", param_hint="--max-width")
    return int(text)


def _widths(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    pieces = [piece.strip() for piece in text.split(",") if piece.strip()]
    if not all(piece.isascii() and piece.isdigit() for piece in pieces):
        raise click.BadParameter("give widths in pixels, such as 150,300,600,1200", param_hint="--ladder")
    return tuple(int(piece) for piece in pieces)
