"""Migrations: up from empty, once, by whoever is first."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

import migrations
from migrations import HEAD
from migrations.run import current_revision, needs_upgrade, upgrade, upgrade_sqlite

ROWS = (
    "meta",
    "config",
    "leases",
    "locks",
    "accounts",
    "access_keys",
    "buckets",
    "usage",
    "blobs",
    "contents",
    "segments",
)


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


@pytest.mark.parametrize("revision", ["head", "0001"])
def test_a_database_is_made_for_its_owner_alone(tmp_path: Path, revision: str) -> None:
    """Also in a folder that others may look into; with it the log and the index that SQLite keeps beside it."""
    path = tmp_path / "database.sqlite"
    before = os.umask(0o022)
    try:
        upgrade(path, revision)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE more (a)")
            modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
    finally:
        os.umask(before)
    assert modes == {path.name + ending: 0o600 for ending in ("", "-wal", "-shm")}


def test_a_database_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "database.sqlite"
    upgrade(path, "0001")
    path.chmod(0o640)
    upgrade(path)
    assert current_revision(path) == HEAD
    assert path.stat().st_mode & 0o777 == 0o640


def test_an_upgrade_of_what_is_new_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "database.sqlite"
    upgrade(path)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE config SET generation = 42")
    upgrade(path)
    assert connection.execute("SELECT generation FROM config").fetchall() == [(42,)]
    connection.close()


def test_a_database_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "database.sqlite"
    upgrade(path)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(RuntimeError, match="newer"):
        needs_upgrade(path)


def test_up_from_the_first_schema_with_data_in_it(tmp_path: Path) -> None:
    path = tmp_path / "database.sqlite"
    upgrade(path, "0001")
    assert current_revision(path) == "0001"
    assert needs_upgrade(path)
    with sqlite3.connect(path) as connection:
        for statement in (
            "UPDATE meta SET value = 7 WHERE name = 'config_generation'",
            "INSERT INTO meta (name, value) VALUES ('deployment_id', x'6162')",
            "INSERT INTO accounts (name, canonical_id, is_root, created_ms) VALUES ('root', 'c', 1, 5)",
            "INSERT INTO buckets (name, account_id, region, created_ms) VALUES ('photos', 1, 'eu', 6)",
            "INSERT INTO usage (bucket_id, objects, bytes) VALUES (1, 3, 4)",
            "INSERT INTO blobs (store, name, offset, length) VALUES ('local', '1/1', 0, 4)",
            "INSERT INTO contents (uid, size, etag, segment_count) VALUES (x'00', 4, 'e', 1)",
            "INSERT INTO segments (content_id, start, length, blob_id, blob_offset) VALUES (1, 0, 4, 1, 0)",
            "INSERT INTO versions (bucket_id, key, content_id, modified_ms, headers) VALUES (1, x'ff00', 1, 8, '[]')",
            "INSERT INTO heads (bucket_id, key, seq, size, etag, modified_ms) VALUES (1, x'ff00', 1, 4, 'e', 8)",
        ):
            connection.execute(statement)
    connection.close()
    upgrade(path)
    assert current_revision(path) == HEAD
    with sqlite3.connect(path) as connection:

        def rows(sql: str) -> list[tuple[object, ...]]:
            return connection.execute(sql).fetchall()

        assert rows("SELECT * FROM config") == [(1, 7)]
        assert rows("SELECT * FROM meta") == [("deployment_id", b"ab")]
        assert rows("SELECT name, store, encryption, created_ms FROM buckets") == [("photos", None, None, 6)]
        assert rows("SELECT watched, images FROM buckets") == [(0, None)]
        assert rows("SELECT * FROM jobs") == rows("SELECT * FROM renditions") == []
        assert rows("SELECT name, length, state, sealed_key FROM blobs") == [("1/1", 4, "live", None)]
        assert rows("SELECT etag, encryption, customer_key FROM contents") == [("e", None, None)]
        assert rows("SELECT h.key, v.content_id FROM heads h JOIN versions v ON v.seq = h.seq") == [(b"\xff\x00", 1)]
        assert rows("SELECT * FROM usage") == [(1, 3, 4)]
        assert rows("SELECT * FROM usage_deltas") == []
        with pytest.raises(sqlite3.IntegrityError):
            connection.execute("INSERT INTO accounts (name, canonical_id, is_root, created_ms) VALUES ('b', 'd', 1, 5)")
    connection.close()


def test_up_from_a_row_for_each_user_to_a_moment_of_the_account(tmp_path: Path) -> None:
    path = tmp_path / "database.sqlite"
    upgrade(path, "0004")
    with sqlite3.connect(path) as connection:
        for statement in (
            "INSERT INTO accounts (name, canonical_id, is_root, created_ms) VALUES ('shop', 'c', 0, 5)",
            "INSERT INTO users (account_id, subject, tokens_from_ms, created_ms) VALUES (1, 'ann', 7, 6)",
        ):
            connection.execute(statement)
    connection.close()
    upgrade(path)
    with sqlite3.connect(path) as connection:
        found = connection.execute(
            "SELECT a.name, a.tokens_from_ms, u.tokens_from_ms FROM users u JOIN accounts a ON a.id = u.account_id"
        ).fetchall()
    connection.close()
    assert found == [("shop", 0, 7)]


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
    errors = [process.communicate(timeout=200)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, errors
    assert current_revision(path) == HEAD


@pytest.mark.parametrize("way", [upgrade, upgrade_sqlite], ids=["script", "migrations"])
def test_a_file_that_somebody_else_is_making_is_waited_for(tmp_path: Path, way: Callable[[Path], None]) -> None:
    path = tmp_path / "metadata.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as making:
        making.execute("BEGIN IMMEDIATE")
        made = threading.Timer(0.2, making.execute, ["COMMIT"])
        made.start()
        try:
            way(path)
        finally:
            made.join()
    assert current_revision(path) == HEAD


def test_alembic_is_imported_only_when_the_schema_is_behind() -> None:
    program = (
        "import sys, migrations.run, gateway.services; "
        "sys.exit(any(name.split('.')[0] in ('alembic', 'sqlalchemy') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
