"""`pixgate migrate`."""

from __future__ import annotations

from pathlib import Path

import click

from gateway.cli.context import data_options, settings_of
from gateway.errors import GatewayError


@click.command()
@click.option("--check", is_flag=True, help="Change nothing; exit with 1 where something is to do.")
@data_options
def migrate(check: bool, data: Path | None, config_file: Path | None) -> None:
    """Bring the database's schema up to date, making it where there is none. `serve` does so, too."""
    from gateway import data_folder
    from migrations import HEAD
    from migrations.run import current_revision, needs_upgrade

    settings = settings_of(config_file, data=data)
    place = data_folder.database_place(settings)
    try:
        if check:
            behind = needs_upgrade(place)
            now = current_revision(place) or "none"
            click.echo(f"schema {now}, newest {HEAD}" + (": to be migrated" if behind else ""))
            raise SystemExit(1 if behind else 0)
        done = data_folder.migrate(settings)
    except (GatewayError, RuntimeError, OSError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"schema {HEAD}: " + ("migrated" if done else "nothing to do"))
