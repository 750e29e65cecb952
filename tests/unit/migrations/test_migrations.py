"""Migrations: up from empty, once, by whoever is first."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

import migrations
from migrations import HEAD
from migrations.run import current_revision, needs_upgrade, upgrade

ROWS = ("meta", "leases", "locks", "accounts", "access_keys", "buckets", "usage", "blobs", "contents", "segments")


def scripts() -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    return ScriptDirectory.from_config(config)


def test_the_head_that_the_code_names_is_the_newest_migration() -> None:
    assert scripts().get_heads() == [HEAD]
    assert len(list(scripts().walk_revisions())) == len(
        list(Path(migrations.__file__).parent.glob("versions/[0-9]*.py"))
    )


def test_up_from_empty(tmp_path: Path) -> None:
    path = tmp_path / "database.sqlite"
    assert current_revision(path) is None
    assert needs_upgrade(path)
    assert not path.exists(), "asking makes no file"
    upgrade(path)
    assert current_revision(path) == HEAD
    assert not needs_upgrade(path)
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    assert set(ROWS) < tables


def test_an_upgrade_of_what_is_new_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "database.sqlite"
    upgrade(path)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE meta SET value = 42 WHERE name = 'config_generation'")
    upgrade(path)
    assert connection.execute("SELECT value FROM meta").fetchall() == [(42,)]
    connection.close()


def test_a_database_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "database.sqlite"
    upgrade(path)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(RuntimeError, match="newer"):
        needs_upgrade(path)


def test_an_empty_file_counts_as_new(tmp_path: Path) -> None:
    path = tmp_path / "database.sqlite"
    path.touch()
    assert needs_upgrade(path)
    upgrade(path)
    assert not needs_upgrade(path)


def test_a_migration_that_fails_leaves_nothing_half_done(tmp_path: Path) -> None:
    path = tmp_path / "database.sqlite"
    with sqlite3.connect(path) as connection:
        # In the way of one of the last statements.
        connection.execute("CREATE TABLE parts (x)")
    connection.close()
    with pytest.raises(Exception, match="already exists"):
        upgrade(path)
    assert current_revision(path) is None
    with sqlite3.connect(path) as connection:
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    connection.close()
    assert tables == ["parts"]


def test_processes_that_migrate_at_once(tmp_path: Path) -> None:
    path = tmp_path / "database.sqlite"
    program = "import sys; from pathlib import Path; from migrations.run import upgrade; upgrade(Path(sys.argv[1]))"
    processes = [
        subprocess.Popen([sys.executable, "-c", program, str(path)], stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    errors = [process.communicate(timeout=60)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, errors
    assert current_revision(path) == HEAD


def test_alembic_is_imported_only_when_the_schema_is_behind() -> None:
    program = (
        "import sys, migrations.run, gateway.services; "
        "sys.exit(any(name.split('.')[0] in ('alembic', 'sqlalchemy') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
