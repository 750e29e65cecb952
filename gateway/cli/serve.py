"""`pixgate serve`."""

from __future__ import annotations

import types
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import click

from gateway.cli.context import settings_of
from gateway.collector import importing
from gateway.settings.address import Address
from gateway.settings.settings import Settings
from gateway.settings.shown import variable

_FIRST = ("listen", "data", "workers", "region", "domain", "public_url", "tls_cert", "tls_key", "log_level")
"""The flags that the help shows; the rest of the settings have theirs, too."""


def _setting_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """A flag for every setting that is no secret: secrets on a command line are seen by everyone on the machine."""
    for name, field in reversed(Settings.model_fields.items()):
        extra = field.json_schema_extra
        if isinstance(extra, dict) and extra.get("secret"):
            continue
        command = click.option(
            "--" + name.replace("_", "-"),
            name,
            multiple=name == "domain",
            help=f"{field.description} ({variable(name)})",
            hidden=name not in _FIRST,
            metavar=_metavar(name, field.annotation),
        )(command)
    return command


def _metavar(name: str, annotation: object) -> str:
    if name == "listen":
        return "HOST:PORT"
    kinds = get_args(annotation) if isinstance(annotation, types.UnionType) else (annotation,)
    return "PATH" if Path in kinds else "N" if int in kinds else "TEXT"


@click.command()
@_setting_options
@click.option(
    "--config", "config_file", type=click.Path(path_type=Path), help="TOML file with settings (PIXGATE_CONFIG)."
)
def serve(config_file: Path | None, domain: tuple[str, ...], **flags: object) -> None:
    """Run the server until SIGTERM or Ctrl-C; a second one ends it at once. SIGHUP reads the certificate again.

    Every setting that is no secret has a flag; the reference in the documentation lists them all.
    """
    settings = settings_of(config_file, domain=",".join(domain) or None, **flags)

    with importing():
        from gateway.startup import serve as run
        from gateway.supervisor.log import configure_supervisor_logging, say
        from gateway.supervisor.roles import StartRefused

    configure_supervisor_logging(settings.log_level)

    def on_ready(address: Address) -> None:
        from gateway import __version__

        say(2, f"pixgate {__version__} is ready at {settings.base_url(address)} (Ctrl-C stops it)\n")

    try:
        raise SystemExit(run(settings, on_ready))
    except StartRefused as error:
        raise click.ClickException(str(error)) from error
