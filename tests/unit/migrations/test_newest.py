"""The script of the newest schema: the same as all migrations, and used only while it is."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import pytest

from migrations import HEAD, newest
from migrations.run import current_revision, upgrade, upgrade_sqlite

PRAGMAS = ("journal_mode", "encoding", "page_size", "auto_vacuum", "user_version", "application_id")


def facts(path: Path) -> tuple[Iterable[object], ...]:
    """All that there is in a database: schema with what SQLite adds by itself, rows, settings of the file."""
    with closing(sqlite3.connect(path)) as connection:
        schema = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY rowid").fetchall()
        tables = [name for kind, name, _, _ in schema if kind == "table"]
        rows = {table: sorted(connection.execute(f"SELECT * FROM {table}"), key=repr) for table in tables}
        pragmas = [connection.execute(f"PRAGMA {name}").fetchone() for name in PRAGMAS]
    return sorted(schema, key=repr), rows.items(), pragmas


def test_the_script_is_that_of_the_migrations() -> None:
    assert newest.FILE.read_text(encoding="utf-8") == newest.migrated(), "run: python -m migrations.newest"


def test_it_makes_what_the_migrations_make(tmp_path: Path) -> None:
    by_script, by_migrations = tmp_path / "script.sqlite", tmp_path / "migrations.sqlite"
    assert newest.make(by_script)
    upgrade_sqlite(by_migrations)
    for ours, theirs in zip(facts(by_script), facts(by_migrations), strict=True):
        assert ours == theirs
    assert current_revision(by_script) == HEAD


@pytest.mark.parametrize("left", ["other migrations", "nothing"])
def test_a_script_that_is_not_of_these_migrations_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: str
) -> None:
    file = tmp_path / "newest.sql"
    if left == "other migrations":
        first, _, rest = newest.FILE.read_text(encoding="utf-8").partition("\n")
        file.write_text(first.replace(newest.digest(), "0" * 64) + "\n" + rest, encoding="utf-8")
    monkeypatch.setattr(newest, "FILE", file)
    monkeypatch.setattr(newest, "digest", lambda: "1" * 64)
    path = tmp_path / "database.sqlite"
    assert not newest.make(path)
    assert not path.exists()
    upgrade(path)
    assert current_revision(path) == HEAD


def test_what_is_there_already_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "database.sqlite"
    upgrade(path, "0001")
    assert not newest.make(path)
    assert current_revision(path) == "0001"
    upgrade(path)
    assert current_revision(path) == HEAD
