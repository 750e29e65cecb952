"""The command line. Each command is a module of its own, imported only when it is asked for."""

from __future__ import annotations

import difflib
import importlib
import sys
from collections.abc import Mapping
from typing import Any

import click

from gateway import __version__
from gateway.collector import importing

COMMANDS: Mapping[str, tuple[str, str]] = {
    "serve": ("gateway.cli.serve:serve", "Run the server."),
    "keys": ("gateway.cli.keys:keys", "Access keys and link keys."),
    "users": ("gateway.cli.users:users", "People who sign in: make, list, switch off, give roles."),
    "accounts": ("gateway.cli.accounts:accounts", "Accounts, which own buckets and keys."),
    "buckets": ("gateway.cli.buckets:buckets", "Buckets and how they show images."),
    "stores": ("gateway.cli.stores:stores", "The stores, and whether they answer."),
    "moderation": ("gateway.cli.moderation:moderation", "Images that were reported, and what is decided of them."),
    "audit": ("gateway.cli.audit:audit", "The audit log: who did what, when, from where."),
    "adopt": ("gateway.cli.adopt:adopt", "Show a bucket that is there already, without copying a byte."),
    "prewarm": ("gateway.cli.prewarm:prewarm", "Make renditions of a bucket's images before anybody asks."),
    "worker": ("gateway.cli.worker:worker", "Do background work that servers hand out by Celery."),
    "jobs": ("gateway.cli.jobs:jobs", "Background work: what waits, and what failed for good."),
    "sign": ("gateway.cli.sign:sign", "Sign a link to an image."),
    "explain": ("gateway.cli.explain:explain", "Tell how the server reads an image URL, and what would refuse it."),
    "migrate": ("gateway.cli.migrate:migrate", "Bring the database's schema up to date."),
    "metadata": ("gateway.cli.metadata:metadata", "Move metadata between SQLite and PostgreSQL."),
    "check-config": ("gateway.cli.check_config:check_config", "Check the settings and show them."),
    "fsck": ("gateway.cli.fsck:fsck", "Check rows against rows and against the stored bytes."),
    "sweep": ("gateway.cli.sweep:sweep", "Remove the bytes of what was deleted, now."),
    "doctor": ("gateway.cli.doctor:doctor", "Check what the server stands on."),
}


class Commands(click.Group):
    """A group that knows its commands' names and imports a command only to run it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module, _, name = entry[0].partition(":")
        with importing():
            command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            close = difflib.get_close_matches(args[0], COMMANDS, n=1)
            if not close:
                raise
            raise click.UsageError(f"{error.message} Did you mean {close[0]!r}?", ctx) from None


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="pixgate")
def pixgate() -> None:
    """One server: S3 for every client, and your images in any size.

    Settings come from flags, PIXGATE_* variables, .env and a TOML file (--config), in this order.
    """


def main(arguments: list[str] | None = None, **extra: Any) -> None:
    """Run a command and exit: 0 done, 1 it failed, 2 it was asked for wrongly."""
    if sys.stdout is not None and hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
    pixgate.main(args=arguments, prog_name="pixgate", **extra)
