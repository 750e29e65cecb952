"""`pixgate accounts`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.context import data_options, json_option, print_json, settings_of, with_services
from gateway.cli.duration import utc

if TYPE_CHECKING:
    from gateway.model import Account
    from gateway.services import Services


@click.group()
def accounts() -> None:
    """Accounts own buckets and keys."""


@accounts.command("list")
@json_option
@data_options
def list_accounts(as_json: bool, data: Path | None, config_file: Path | None) -> None:
    """List the accounts, with what their buckets hold."""

    async def work(services: Services) -> list[tuple[Account, tuple[int, int, int]]]:
        usage = await services.buckets.usage()
        held: dict[int, tuple[int, int, int]] = {}
        for bucket in await services.buckets.list():
            count, objects, size = held.get(bucket.owner.id, (0, 0, 0))
            more = usage.get(bucket.id, (0, 0))
            held[bucket.owner.id] = (count + 1, objects + more[0], size + more[1])
        return [(account, held.get(account.id, (0, 0, 0))) for account in await services.accounts.list()]

    found = with_services(settings_of(config_file, data=data), work)
    if as_json:
        print_json(
            [
                {
                    "account": account.name,
                    "canonical_id": account.canonical_id,
                    "enabled": account.enabled,
                    "root": account.is_root,
                    "buckets": usage[0],
                    "objects": usage[1],
                    "bytes": usage[2],
                    "created": utc(account.created_ms),
                }
                for account, usage in found
            ]
        )
        return
    from gateway.cli.table import print_table

    print_table(
        ("ACCOUNT", "STATE", "BUCKETS", "OBJECTS", "BYTES", "CREATED", "CANONICAL ID"),
        [
            (
                account.name,
                "on" if account.enabled else "off",
                *map(str, usage),
                utc(account.created_ms),
                account.canonical_id,
            )
            for account, usage in found
        ],
    )


@accounts.command()
@click.argument("name")
@data_options
def create(name: str, data: Path | None, config_file: Path | None) -> None:
    """Make an account. `keys create --account NAME` makes it, too."""
    account = with_services(
        settings_of(config_file, data=data), lambda services: services.accounts.create(name), make=True
    )
    click.echo(f"{account.name} is made")


@accounts.command()
@click.argument("name")
@data_options
def disable(name: str, data: Path | None, config_file: Path | None) -> None:
    """Switch an account off, with all its keys and links."""
    with_services(settings_of(config_file, data=data), lambda services: services.accounts.set_enabled(name, False))
    click.echo(f"{name} is off")


@accounts.command()
@click.argument("name")
@data_options
def enable(name: str, data: Path | None, config_file: Path | None) -> None:
    """Switch an account on again."""
    with_services(settings_of(config_file, data=data), lambda services: services.accounts.set_enabled(name, True))
    click.echo(f"{name} is on")
