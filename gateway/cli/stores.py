"""`pixgate stores`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.context import data_options, json_option, print_json, settings_of, with_services

if TYPE_CHECKING:
    from gateway.services import Services
    from gateway.services.store_states import StoreState


@click.group()
def stores() -> None:
    """Where bytes live."""


@stores.command("list")
@json_option
@data_options
def list_stores(as_json: bool, data: Path | None, config_file: Path | None) -> None:
    """List the stores of the settings, and whether they answer now."""
    from gateway.services.store_states import store_states

    async def work(services: Services) -> list[StoreState]:
        return await store_states(services)

    found = with_services(settings_of(config_file, data=data), work, whole=False)
    if as_json:
        print_json(
            [
                {
                    "store": one.name,
                    "kind": one.kind,
                    "default": one.default,
                    "status": one.status,
                    "detail": one.detail,
                }
                for one in found
            ]
        )
        return
    from gateway.cli.table import print_table

    print_table(
        ("STORE", "KIND", "DEFAULT", "STATE", "DETAIL"),
        [(one.name, one.kind, "yes" if one.default else "", one.status, one.detail or "") for one in found],
    )
