"""`pixgate accounts`."""

from __future__ import annotations

from pathlib import Path

import click

from gateway.cli.context import data_options, json_option, print_json, settings_of, with_services
from gateway.cli.duration import utc


@click.group()
def accounts() -> None:
    """Accounts own buckets and keys."""


@accounts.command("list")
@json_option
@data_options
def list_accounts(as_json: bool, data: Path | None, config_file: Path | None) -> None:
    """List the accounts."""
    found = with_services(settings_of(config_file, data=data), lambda services: services.accounts.list())
    if as_json:
        print_json(
            [
                {
                    "account": account.name,
                    "canonical_id": account.canonical_id,
                    "enabled": account.enabled,
                    "root": account.is_root,
                    "created": utc(account.created_ms),
                }
                for account in found
            ]
        )
        return
    from gateway.cli.table import print_table

    print_table(
        ("ACCOUNT", "STATE", "CREATED", "CANONICAL ID"),
        [
            (account.name, "on" if account.enabled else "off", utc(account.created_ms), account.canonical_id)
            for account in found
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
