"""Migrations on PostgreSQL: up from empty, up with data, once, by whoever is first. For SQLite see tests/unit/migrations."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import Any

import asyncpg
import pytest

from migrations import HEAD, postgresql
from migrations.run import Unreachable, current_revision, needs_upgrade, upgrade
from tests.servers.postgresql import PostgreSQL


def rows(url: str, sql: str, *arguments: Any) -> list[tuple[Any, ...]]:
    async def work() -> list[tuple[Any, ...]]:
        connection = await asyncpg.connect(url)
        try:
            return [tuple(row) for row in await connection.fetch(sql, *arguments)]
        finally:
            await connection.close()

    return asyncio.run(work())


def test_up_from_empty(postgresql_url: str) -> None:
    assert current_revision(postgresql_url) is None
    assert needs_upgrade(postgresql_url)
    upgrade(postgresql_url)
    assert current_revision(postgresql_url) == HEAD
    assert not needs_upgrade(postgresql_url)
    assert rows(postgresql_url, "SELECT id, generation FROM config") == [(1, 1)]
    upgrade(postgresql_url)
    assert rows(postgresql_url, "SELECT id, generation FROM config") == [(1, 1)]


def test_up_from_the_first_schema_with_data_in_it(postgresql_url: str) -> None:
    upgrade(postgresql_url, "0001")
    assert current_revision(postgresql_url) == "0001"
    assert needs_upgrade(postgresql_url)
    for statement in (
        "UPDATE meta SET value = '7' WHERE name = 'config_generation'",
        "INSERT INTO meta (name, value) VALUES ('deployment_id', 'ab')",
        "INSERT INTO accounts (name, canonical_id, is_root, created_ms) VALUES ('root', 'c', 1, 5)",
        "INSERT INTO buckets (name, account_id, region, created_ms) VALUES ('photos', 1, 'eu', 6)",
        "INSERT INTO usage (bucket_id, objects, bytes) VALUES (1, 3, 4)",
        "INSERT INTO blobs (store, name, \"offset\", length) VALUES ('local', '1/1', 0, 4)",
        "INSERT INTO contents (uid, size, etag, segment_count) VALUES ('u', 4, 'e', 1)",
        "INSERT INTO versions (bucket_id, key, content_id, modified_ms, headers) VALUES (1, '\\xff00', 1, 8, '[]')",
        "INSERT INTO heads (bucket_id, key, seq, size, etag, modified_ms) VALUES (1, '\\xff00', 1, 4, 'e', 8)",
    ):
        rows(postgresql_url, statement)
    upgrade(postgresql_url)
    assert current_revision(postgresql_url) == HEAD
    assert rows(postgresql_url, "SELECT * FROM config") == [(1, 7)]
    assert rows(postgresql_url, "SELECT name, value FROM meta") == [("deployment_id", b"ab")]
    assert rows(postgresql_url, "SELECT name, store, encryption FROM buckets") == [("photos", None, None)]
    assert rows(postgresql_url, "SELECT name, length, state, sealed_key FROM blobs") == [("1/1", 4, "live", None)]
    assert rows(postgresql_url, "SELECT key, v.content_id FROM heads h JOIN versions v USING (seq, key)") == [
        (b"\xff\x00", 1)
    ]
    assert rows(postgresql_url, "SELECT * FROM usage") == [(1, 3, 4)]


def test_nodes_that_start_at_once_migrate_once(postgresql_url: str) -> None:
    program = "import sys; from migrations.run import upgrade; upgrade(sys.argv[1])"
    processes = [
        subprocess.Popen([sys.executable, "-c", program, postgresql_url], stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    errors = [process.communicate(timeout=200)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, errors
    assert rows(postgresql_url, "SELECT version_num FROM alembic_version") == [(HEAD,)]


def test_a_migration_that_fails_leaves_nothing_half_done(postgresql_url: str) -> None:
    rows(postgresql_url, "CREATE TABLE parts (x INT)")
    with pytest.raises(asyncpg.DuplicateTableError):
        upgrade(postgresql_url)
    assert current_revision(postgresql_url) is None
    assert rows(
        postgresql_url, "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    ) == [("parts",)]


def test_a_database_of_another_version_is_refused(postgresql_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    upgrade(postgresql_url)
    rows(postgresql_url, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(RuntimeError, match="newer"):
        needs_upgrade(postgresql_url)
    with pytest.raises(RuntimeError, match="does not know"):
        upgrade(postgresql_url)
    monkeypatch.setattr(postgresql, "MINIMUM", 99)
    with pytest.raises(RuntimeError, match="too old"):
        current_revision(postgresql_url)


def test_what_is_away_is_told_from_what_is_wrong(postgresql: PostgreSQL, postgresql_url: str) -> None:
    away = "postgresql://nobody:geheimnis@127.0.0.1:9/none"
    with pytest.raises(Unreachable) as raised:
        current_revision(away)
    assert "geheimnis" not in str(raised.value)
    wrong = f"postgresql://nobody:geheimnis@{postgresql_url.rpartition('@')[2]}"
    with pytest.raises(RuntimeError) as refused:
        upgrade(wrong)
    assert not isinstance(refused.value, Unreachable)
    assert "geheimnis" not in str(refused.value)


def test_a_server_that_hangs_is_away(own_postgresql: PostgreSQL) -> None:
    own_postgresql.pause()
    try:
        with pytest.raises(Unreachable):
            current_revision(own_postgresql.url)
    finally:
        own_postgresql.resume()


def test_both_engines_have_the_same_tables_and_columns(postgresql_url: str, tmp_path: Any) -> None:
    import sqlite3

    upgrade(postgresql_url)
    upgrade(tmp_path / "database.sqlite")
    connection = sqlite3.connect(tmp_path / "database.sqlite")
    tables = [
        name
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        if not name.startswith("sqlite_")
    ]
    ours = {name: {row[1] for row in connection.execute(f"PRAGMA table_info({name})")} for name in tables}
    indexes = {
        name
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
    }
    connection.close()
    theirs: dict[str, set[str]] = {}
    for table, column in rows(
        postgresql_url, "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
    ):
        theirs.setdefault(table, set()).add(column)
    assert ours == theirs
    named = {name for (name,) in rows(postgresql_url, "SELECT indexname FROM pg_indexes WHERE schemaname = 'public'")}
    assert indexes <= named
