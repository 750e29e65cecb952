"""What the commands share: the settings behind their flags, the services, and how mistakes are told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from gateway.collector import importing
from gateway.config import SettingsError, load
from gateway.errors import GatewayError, for_operator
from gateway.settings.settings import Settings

if TYPE_CHECKING:
    from gateway.services import Services

T = TypeVar("T")
Command = Callable[..., Any]


def data_options(command: Command) -> Command:
    """`--data` and `--config`, as every command that touches data takes them."""
    command = click.option(
        "--config", "config_file", type=click.Path(path_type=Path), help="TOML file with settings (PIXGATE_CONFIG)."
    )(command)
    return click.option("--data", type=click.Path(path_type=Path), help="Data folder (PIXGATE_DATA).")(command)


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")


def settings_of(config_file: Path | None, **flags: object) -> Settings:
    """The settings. Exits with 2, naming every mistake."""
    try:
        return load(flags, config_file=config_file)
    except SettingsError as error:
        wrong_settings(error)


def wrong_settings(error: SettingsError) -> NoReturn:
    click.echo("pixgate: the settings are wrong:", err=True)
    for problem in error.problems:
        click.echo(f"  {problem}", err=True)
    raise SystemExit(2) from None


def with_services(
    settings: Settings, work: Callable[[Services], Awaitable[T]], *, make: bool = False, whole: bool = True
) -> T:
    """Run `work` on the data folder beside a server or without one. `make`: set the folder up where it is new.

    Where it need not be `whole`, also where a store cannot be used.

    Raises click.ClickException in place of our own facts.
    """
    with importing():
        from gateway.data_folder import is_new, migrate, open_services

    async def run() -> T:
        services = await open_services(settings, whole=whole)
        try:
            return await work(services)
        finally:
            await services.close()

    if make:
        try:
            if is_new(settings):
                migrate(settings)
        except (RuntimeError, OSError) as error:
            raise click.ClickException(str(error)) from error
    try:
        return asyncio.run(run())
    except GatewayError as error:
        raise click.ClickException(for_operator(error)) from error
    except OSError as error:
        raise click.ClickException(f"{error.filename or settings.data}: {error.strerror}") from error


def print_json(value: object) -> None:
    click.echo(json.dumps(value, indent=2))
