"""`pixgate moderation`."""

from __future__ import annotations

from pathlib import Path

import click

from gateway.cli.context import data_options, json_option, print_json, settings_of, with_services
from gateway.cli.duration import utc
from gateway.metadata.moderation import STATES

LISTED = 1_000


@click.group()
def moderation() -> None:
    """The queue of images that users reported."""


@moderation.command("list")
@click.option("--state", type=click.Choice(STATES), default="reported", show_default=True)
@json_option
@data_options
def list_queue(state: str, as_json: bool, data: Path | None, config_file: Path | None) -> None:
    """List images, the oldest first."""
    found = with_services(
        settings_of(config_file, data=data), lambda services: services.moderation.page(state, limit=LISTED + 1)
    )
    if as_json:
        print_json(
            [
                {
                    "id": one.image.image_id,
                    "moderation": one.image.moderation,
                    "filename": one.image.filename,
                    "account": one.account,
                    "bucket": one.bucket,
                    "visibility": one.image.visibility.value,
                    "created": utc(one.image.created_ms),
                    "reports": one.reports,
                    "reason": one.reason,
                }
                for one in found[:LISTED]
            ]
        )
        return
    from gateway.cli.table import print_table

    print_table(
        ("IMAGE", "ACCOUNT", "BUCKET", "VISIBILITY", "CREATED", "REPORTS", "REASON"),
        [
            (
                one.image.image_id,
                one.account,
                one.bucket,
                one.image.visibility.value,
                utc(one.image.created_ms),
                str(one.reports),
                one.reason or "",
            )
            for one in found[:LISTED]
        ],
    )
    if len(found) > LISTED:
        click.echo(f"and more: these are the oldest {LISTED}", err=True)


@moderation.command()
@click.argument("image")
@data_options
def approve(image: str, data: Path | None, config_file: Path | None) -> None:
    """Show an image, whoever reports it."""
    with_services(settings_of(config_file, data=data), lambda services: services.moderation.approve(image))
    click.echo(f"{image} is approved")


@moderation.command()
@click.argument("image")
@data_options
def hide(image: str, data: Path | None, config_file: Path | None) -> None:
    """Hide an image from all but its owner and moderators."""
    with_services(settings_of(config_file, data=data), lambda services: services.moderation.hide(image))
    click.echo(f"{image} is hidden")
