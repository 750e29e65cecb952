"""Many rows at once, as each engine takes them fastest: one statement a row in one call, or one statement over arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gateway.metadata.lists import batches
from gateway.metadata.port import Parameters, Row, Transaction

FEW = 16
"""Rows up to which a statement each is no slower."""


async def insert_many(tx: Transaction, table: str, columns: str, rows: Sequence[Row], conflict: str = "") -> None:
    """Insert rows. `columns` are names with the types of PostgreSQL; `conflict` is an ON CONFLICT clause."""
    if not rows:
        return
    pairs = [column.rsplit(" ", 1) for column in columns.split(", ")]
    names = ", ".join(name for name, _ in pairs)
    if not tx.arrays or len(rows) < FEW:
        marks = ", ".join("?" * len(pairs))
        await tx.many(f"INSERT INTO {table} ({names}) VALUES ({marks}) {conflict}", rows)
        return
    arrays = ", ".join(f"?::{kind}[]" for _, kind in pairs)
    # `unnest` gives the rows in the order of the arrays.
    await tx.run(
        f"INSERT INTO {table} ({names}) SELECT * FROM unnest({arrays}) {conflict}",
        [list(column) for column in zip(*rows, strict=True)],
    )


def among_keys(tx: Transaction, keys: Sequence[bytes]) -> Iterator[tuple[str, Parameters]]:
    """Conditions that a key is one of these, with their parameters; together they hold for all."""
    if tx.engine != "sqlite":
        # A list of parameters is planned anew each time, an array is not.
        yield "= ANY (?::bytea[])", (list(keys),)
        return
    for marks, batch in batches(keys):
        yield f"IN ({marks})", batch


async def reserve(tx: Transaction, table: str, column: str, count: int) -> Sequence[int]:
    """Ids for so many rows to be inserted in this transaction, ascending."""
    if tx.engine == "sqlite":
        # There is one writer at a time, and SQLite counts on from the highest id that it was given.
        row = await tx.one("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,))
        first = 1 if row is None else int(row[0]) + 1
        return range(first, first + count)
    rows = await tx.all(
        f"SELECT nextval(pg_get_serial_sequence('{table}', '{column}')) FROM generate_series(1, ?)", (count,)
    )
    return sorted(int(row[0]) for row in rows)
