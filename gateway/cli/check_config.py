"""`pixgate check-config`."""

from __future__ import annotations

from pathlib import Path

import click

from gateway.cli.context import data_options, json_option, print_json, settings_of
from gateway.settings.settings import Settings
from gateway.settings.shown import shown_value


@click.command("check-config")
@json_option
@data_options
def check_config(as_json: bool, data: Path | None, config_file: Path | None) -> None:
    """Read the settings from all sources as `serve` would, tell every mistake at once, and show what is in force."""
    settings = settings_of(config_file, data=data)
    from gateway.tls import TlsRefused, load_tls

    try:
        load_tls(settings)
    except TlsRefused as error:
        raise click.ClickException(str(error)) from error
    from gateway.img.dialects.doors import preset_problems

    problems = preset_problems(settings)
    if problems:
        raise click.ClickException("\n".join(problems))
    values: dict[str, str] = {name: shown_value(settings, name) for name in Settings.model_fields}
    if as_json:
        print_json(values)
        return
    from gateway.cli.table import print_table

    print_table(("SETTING", "VALUE"), list(values.items()))
