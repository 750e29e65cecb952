"""Tables for people; plain lines with tabs where the output is not a terminal, for `cut` and `grep`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

import click


def print_table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    if not sys.stdout.isatty():
        for row in rows:
            click.echo("\t".join(row))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*titles, box=box.SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)
