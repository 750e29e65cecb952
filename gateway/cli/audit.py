"""`pixgate audit`."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from gateway.cli.context import Command, data_options, json_option, print_json, settings_of, with_services
from gateway.cli.duration import Past
from gateway.metadata.audit import Action
from gateway.services.audit_export import FORMATS, described, export

if TYPE_CHECKING:
    from gateway.metadata.audit import Record, Wanted
    from gateway.services import Services


@click.group()
def audit() -> None:
    """What happened: uploads, deletions, logins, the use of keys, what administrators did."""


def filters(command: Command) -> Command:
    """Which events are meant: those that fit all that is given."""
    for option in (
        click.option("--until", type=Past(), help="Events before then: 7d for a week ago, or a date."),
        click.option("--since", type=Past(), help="Events since then: 24h for a day ago, or a date."),
        click.option("--address", help="From this address."),
        click.option("--target", help="Done to this: an image id, an account, an access key, a bucket."),
        click.option("--access-key", help="With this access key."),
        click.option("--user", "user_id", type=int, help="By the user of this number."),
        click.option("--account", help="By this account."),
        click.option("--action", type=click.Choice([one.value for one in Action]), help="Of this kind."),
    ):
        command = option(command)
    return command


async def _wanted(
    services: Services,
    action: str | None,
    account: str | None,
    user_id: int | None,
    access_key: str | None,
    target: str | None,
    address: str | None,
    since: int | None,
    until: int | None,
) -> Wanted:
    from gateway.metadata.audit import Wanted

    account_id = None if account is None else (await services.accounts.get(account)).id
    since_ms, until_ms = (None if at is None else at * 1000 for at in (since, until))
    return Wanted(action, account_id, user_id, access_key, target, address, since_ms, until_ms)


@audit.command("list")
@filters
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True, help="Events at most.")
@json_option
@data_options
def list_events(limit: int, as_json: bool, data: Path | None, config_file: Path | None, **given: Any) -> None:
    """List events, the newest first."""

    async def work(services: Services) -> list[Record]:
        return await services.audit.page(await _wanted(services, **given), limit=limit)

    found = [described(one) for one in with_services(settings_of(config_file, data=data), work)]
    if as_json:
        print_json(found)
        return
    from gateway.cli.table import print_table

    names = ("at", "action", "via", "account", "user", "access_key", "target", "address", "request_id", "detail")
    print_table(
        [name.upper().replace("_", " ") for name in names],
        [[_plain(one[name]) for name in names] for one in found],
    )


def _plain(value: object) -> str:
    if isinstance(value, dict):
        return json.dumps(value) if value else ""
    return "" if value is None else str(value)


@audit.command("export")
@filters
@click.option("--format", "format_name", type=click.Choice(sorted(FORMATS)), default="jsonl", show_default=True)
@click.option("--output", type=click.Path(path_type=Path), help="Where to; without it: the standard output.")
@data_options
def export_events(
    format_name: str, output: Path | None, data: Path | None, config_file: Path | None, **given: Any
) -> None:
    """Write all events, the newest first: a JSON document a line, or CSV.

    In CSV a cell that a spreadsheet would compute has an apostrophe in front.
    """
    from gateway.services.audit import CLI, Event
    from gateway.services.clock import now_ms

    async def work(services: Services) -> None:
        wanted = await _wanted(services, **given)
        asked = {"format": format_name} | {name: value for name, value in given.items() if value is not None}
        services.audit.later(Event(Action.AUDIT_EXPORT, CLI, now_ms(), detail=asked))
        if output is None:
            await _write(services, wanted, sys.stdout.buffer)
            return
        # Addresses of people and machines: a file that is made here is its owner's.
        with os.fdopen(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            await _write(services, wanted, file)

    async def _write(services: Services, wanted: Wanted, file: BinaryIO) -> None:
        async for piece in export(services.audit, wanted, format_name):
            file.write(piece)
        file.flush()

    with_services(settings_of(config_file, data=data), work)
