"""`pixgate buckets`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.context import data_options, json_option, print_json, settings_of, with_services
from gateway.cli.duration import utc
from gateway.errors import BucketExists, BucketNotFound, BucketOwnedByYou, InvalidBucketName
from gateway.model import Encryption

if TYPE_CHECKING:
    from gateway.model import Bucket
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
        "encryption": None if bucket.encryption is None else bucket.encryption.value,
        "store": bucket.store,
        "objects": usage[0],
        "bytes": usage[1],
        "created": utc(bucket.created_ms),
    }


@buckets.command("list")
@json_option
@data_options
def list_buckets(as_json: bool, data: Path | None, config_file: Path | None) -> None:
    """List all buckets, with their objects and the bytes of all versions of these."""

    async def work(services: Services) -> list[tuple[Bucket, tuple[int, int]]]:
        usage = await services.buckets.usage()
        return [(bucket, usage.get(bucket.id, (0, 0))) for bucket in await services.buckets.list()]

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
            return await services.buckets.create(name, owner)
        except InvalidBucketName:
            rule = "3 to 63 lower-case letters, digits, dots and hyphens, no IP address and no name that is reserved"
            raise InvalidBucketName(f"{name!r} is no bucket name: {rule}.") from None
        except (BucketExists, BucketOwnedByYou):
            raise BucketExists(f"There is a bucket {name!r} already; `pixgate buckets list` shows whose.") from None

    bucket = with_services(settings_of(config_file, data=data), work, make=True)
    click.echo(f"{bucket.name} is made and belongs to {bucket.owner.name}")


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
@data_options
def set_bucket(
    name: str,
    images: str | None,
    ladder: str | None,
    encryption: str | None,
    store: str | None,
    data: Path | None,
    config_file: Path | None,
) -> None:
    """Open a bucket for unsigned links to its images, or close it; encrypt what it stores, and choose where.

    Neither encryption nor the store changes anything that is stored already.

    Unsigned links may ask for a width of the ladder and a format only, so that their variants can be counted.
    """
    if images is None and ladder is None and encryption is None and store is None:
        raise click.UsageError("say what to set: --images, --ladder, --encryption, --store")
    widths = _widths(ladder)

    async def work(services: Services) -> Bucket:
        bucket = await services.directory.bucket(name)
        if bucket is None:
            raise BucketNotFound(f"There is no bucket {name!r}.")
        await services.buckets.set_images(bucket, public=None if images is None else images == "public", ladder=widths)
        if encryption is not None:
            wanted = None if encryption.lower() == "none" else Encryption.SSE_S3
            await services.buckets.set_encryption(bucket, wanted)
        if store is not None:
            await services.buckets.set_store(bucket, None if store == "default" else store)
        await services.directory.refresh()
        return await services.directory.bucket(name) or bucket

    bucket = with_services(settings_of(config_file, data=data), work)
    from gateway.policy.ladder import ladder_of

    shown = "public" if bucket.images_public else "private"
    click.echo(
        f"{name}: images {shown}, ladder {','.join(map(str, ladder_of(bucket.ladder)))}, "
        f"encryption {'none' if bucket.encryption is None else bucket.encryption.value}, store {bucket.store or 'default'}"
    )


def _widths(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    pieces = [piece.strip() for piece in text.split(",") if piece.strip()]
    if not all(piece.isascii() and piece.isdigit() for piece in pieces):
        raise click.BadParameter("give widths in pixels, such as 150,300,600,1200", param_hint="--ladder")
    return tuple(int(piece) for piece in pieces)
