"""`pixgate accounts`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.context import data_options, json_option, print_json, settings_of, with_services
from gateway.cli.duration import utc
from gateway.model.accounts import Duplicates
from gateway.settings.fields import parse_size

if TYPE_CHECKING:
    from gateway.model.accounts import Account
    from gateway.services import Services


@click.group()
def accounts() -> None:
    """Accounts own buckets and keys."""


def described(account: Account, usage: tuple[int, int, int]) -> dict[str, Any]:
    """An account and what its buckets hold, for programs."""
    return {
        "account": account.name,
        "canonical_id": account.canonical_id,
        "enabled": account.enabled,
        "root": account.is_root,
        "quota_bytes": account.quota_bytes,
        "quota_images": account.quota_images,
        "duplicates": account.duplicates.value,
        "buckets": usage[0],
        "objects": usage[1],
        "bytes": usage[2],
        "created": utc(account.created_ms),
    }


@accounts.command("list")
@json_option
@data_options
def list_accounts(as_json: bool, data: Path | None, config_file: Path | None) -> None:
    """List the accounts, with what their buckets hold."""

    async def work(services: Services) -> list[tuple[Account, tuple[int, int, int]]]:
        held = await services.buckets.held_by_all()
        return [(account, held.get(account.id, (0, 0, 0))) for account in await services.accounts.list()]

    found = with_services(settings_of(config_file, data=data), work)
    if as_json:
        print_json([described(account, usage) for account, usage in found])
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
@json_option
@data_options
def show(name: str, as_json: bool, data: Path | None, config_file: Path | None) -> None:
    """Show an account, its quotas and what its buckets hold."""

    async def work(services: Services) -> dict[str, Any]:
        account = await services.accounts.get(name)
        return described(account, (await services.buckets.held([account.id])).get(account.id, (0, 0, 0)))

    _print(with_services(settings_of(config_file, data=data), work), as_json)


def _print(values: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(values)
        return
    from gateway.cli.table import print_table

    print_table(
        ("SETTING", "VALUE"), [(name, "none" if value is None else str(value)) for name, value in values.items()]
    )


@accounts.command("set")
@click.argument("name")
@click.option("--quota", metavar="SIZE", help="Bytes of all versions in its buckets, such as 20GB; `none`: no limit.")
@click.option("--quota-images", metavar="NUMBER", help="Images in its buckets; `none`: no limit.")
@click.option(
    "--duplicates",
    type=click.Choice([one.value for one in Duplicates]),
    help="What an upload of bytes that the account has already is answered with: a new image, that one, or a refusal.",
)
@json_option
@data_options
def set_account(
    name: str,
    quota: str | None,
    quota_images: str | None,
    duplicates: str | None,
    as_json: bool,
    data: Path | None,
    config_file: Path | None,
) -> None:
    """Set quotas, and what becomes of duplicates. What is stored stays, even where it is more than a quota allows."""
    values: dict[str, Any] = {}
    if quota is not None:
        values["quota_bytes"] = _quota(quota, "--quota", parse_size)
    if quota_images is not None:
        values["quota_images"] = _quota(quota_images, "--quota-images", _count)
    if duplicates is not None:
        values["duplicates"] = Duplicates(duplicates)
    if not values:
        raise click.UsageError("say what to set: see `pixgate accounts set --help`")

    async def work(services: Services) -> dict[str, Any]:
        account = await services.accounts.change(name, lambda before: replace(before, **values))
        return described(account, (await services.buckets.held([account.id])).get(account.id, (0, 0, 0)))

    _print(with_services(settings_of(config_file, data=data), work), as_json)


def _quota(text: str, option: str, parse: Callable[[str], object]) -> int | None:
    if text == "none":
        return None
    try:
        quota = parse(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!r} {error}, nor `none`", param_hint=option) from None
    assert isinstance(quota, int)
    return quota


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValueError("is not a number of images such as 5000")
    return int(text)


@accounts.command()
@click.argument("name")
@data_options
def disable(name: str, data: Path | None, config_file: Path | None) -> None:
    """Switch an account off, with all its keys and links. Every token of its users ends for good."""
    with_services(settings_of(config_file, data=data), lambda services: services.accounts.set_enabled(name, False))
    click.echo(f"{name} is off")


@accounts.command()
@click.argument("name")
@data_options
def enable(name: str, data: Path | None, config_file: Path | None) -> None:
    """Switch an account on again. Its users sign in anew."""
    with_services(settings_of(config_file, data=data), lambda services: services.accounts.set_enabled(name, True))
    click.echo(f"{name} is on")
