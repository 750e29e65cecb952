"""The newest schema of SQLite in one script, `newest.sql`: what all migrations come to on an empty file.

    python -m migrations.newest        writes it anew, from the migrations; do so with each change of one

Alembic takes longer to be imported than a server to start. So an empty file gets the script, everything else the
migrations; both leave the same schema and the same rows, to the letter, which a test compares. A script that was not
made from just these migrations is not used.
"""

from __future__ import annotations

import hashlib
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from migrations.write_ahead import BUSY_SECONDS, write_ahead

FILE = Path(__file__).with_name("newest.sql")
_MARK = "-- Made by `python -m migrations.newest` from migrations with the digest "


def script() -> str | None:
    """The statements, ended by semicolons; None where the file is missing or other migrations made it."""
    try:
        first, _, statements = FILE.read_text(encoding="utf-8").partition("\n")
        return statements if first == _MARK + digest() else None
    except OSError:
        return None


def digest() -> str:
    """The SHA-256 of what the schema comes from, in hexadecimal."""
    found = hashlib.sha256()
    for path in sorted(FILE.parent.glob("versions/[0-9]*.py")):
        # As text: a checkout may have ended the lines in its own way.
        found.update(f"{path.name}\0{path.read_text(encoding='utf-8')}\0".encode())
    return found.hexdigest()


def make(path: Path) -> bool:
    """Give an empty or missing database its schema. False where it has one, or the script is not of these migrations.

    Raises sqlite3.Error. A second caller waits for the first.
    """
    statements = script()
    if statements is None:
        return False
    with closing(sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)) as connection:
        write_ahead(connection, BUSY_SECONDS)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("BEGIN IMMEDIATE")
        if connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is not None:
            connection.execute("ROLLBACK")
            return False
        for statement in _split(statements):
            connection.execute(statement)
        connection.execute("COMMIT")
    return True


def _split(statements: str) -> Iterator[str]:
    text = ""
    for line in statements.splitlines(keepends=True):
        text += line
        if sqlite3.complete_statement(text):
            yield text
            text = ""


def contents(connection: sqlite3.Connection) -> Iterator[str]:
    """What makes a database that is like this one: its schema in the order that it was made in, then its rows."""
    tables = []
    for kind, name, sql in connection.execute("SELECT type, name, sql FROM sqlite_master ORDER BY rowid"):
        if sql is None or name == "sqlite_sequence":
            # Made by SQLite itself: the index of a constraint, the counters of AUTOINCREMENT.
            continue
        yield f"{sql};\n"
        if kind == "table":
            tables.append(name)
    for table in tables:
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
        values = " || ', ' || ".join(f"quote({column})" for column in columns)
        # The names are those of our own schema.
        for (row,) in connection.execute(f"SELECT {values} FROM {table} ORDER BY 1"):  # noqa: S608
            yield f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({row});\n"  # noqa: S608


def migrated() -> str:
    """The text of the file as the migrations make it."""
    from migrations.run import upgrade_sqlite

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "newest.sqlite"
        upgrade_sqlite(path)
        with closing(sqlite3.connect(path)) as connection:
            return f"{_MARK}{digest()}\n" + "".join(contents(connection))


if __name__ == "__main__":
    FILE.write_text(migrated(), encoding="utf-8")
