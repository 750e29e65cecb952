"""Metadata moved from one engine to the other and back: all of it, also when it is cut off in the middle."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import os
import secrets
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import DatabaseUnavailable, InvalidValue
from gateway.metadata import (
    accounts,
    audit,
    buckets,
    image_jobs,
    images,
    jobs,
    keys,
    leases,
    listing,
    meta,
    sessions,
    sweep,
    transfer,
    upload_windows,
    uploads,
    usage,
    users,
    versions,
)
from gateway.metadata.contents import NewContent, NewPart
from gateway.metadata.port import Database, Transaction
from gateway.metadata.postgres import PostgresDatabase
from gateway.metadata.sqlite import SqliteDatabase
from gateway.metadata.versions import NewVersion
from gateway.model.accounts import KeyKind, Role
from gateway.model.buckets import BucketImages, Versioning
from gateway.model.checksums import Checksum, ChecksumAlgorithm, ChecksumType
from gateway.model.contents import Encryption
from gateway.model.objects import WriteConditions
from gateway.model.uploads import MultipartUpload
from migrations import HEAD
from migrations.run import upgrade
from tests.contract.image_rows import image_row
from tests.contract.metadata_rows import blob, plain
from tests.data_folder import new_data_folder
from tests.servers.postgresql import PostgreSQL

NO_CONDITIONS = WriteConditions()


@pytest.fixture
async def make(tmp_path: Path, postgresql: PostgreSQL) -> AsyncIterator[Callable[[str], Database]]:
    """Makes an empty database of an engine."""
    made: list[Database] = []

    def database(engine: str) -> Database:
        if engine == "sqlite":
            folder = new_data_folder(tmp_path / secrets.token_hex(4))
            made.append(SqliteDatabase(folder / "pixgate.sqlite"))
        else:
            made.append(PostgresDatabase(postgresql.new_database(f"schema_{HEAD}", upgrade)))
        return made[-1]

    yield database
    for each in made:
        await each.close()


async def fill(database: Database) -> None:
    """Rows of every table, with all that a column can hold."""

    async def operation(tx: Transaction) -> None:
        await meta.put(tx, "deployment_id", b"\x00\xff binary")
        owner = await accounts.create(tx, "ümlaut", "c" * 64, 1)
        root = await accounts.create(tx, "root", "r" * 64, 2, is_root=True)
        await keys.insert(
            tx,
            keys.SealedKey(
                "PG1", b"\x00sealed\xff", KeyKind.S3, True, True, True, None, None, 'eine "Beschreibung"', 3, None, root
            ),
        )
        await keys.insert(
            tx, keys.SealedKey("PL1", b"s", KeyKind.LINK, False, False, False, "b", "p/", "", 3, 1 << 60, owner)
        )
        lease = await leases.create(tx, "host:1", int(time.time() * 1000) - 100_000)
        bucket = await buckets.create(tx, "photos", owner, "eu", 4)
        await buckets.set_versioning(tx, bucket.id, Versioning.ENABLED)
        await buckets.set_ladder(tx, bucket.id, (320, 640))
        await buckets.set_store(tx, bucket.id, "minio")
        await buckets.set_encryption(tx, bucket.id, Encryption.SSE_S3)
        doomed = await buckets.create(tx, "doomed", owner, "eu", 4)
        for number in range(30):
            new, _ = plain(bucket.id, bytes([number * 8]) + "ключ".encode(), lease, size=number)
            await versions.put(tx, new, NO_CONDITIONS)
        await versions.put(tx, plain(bucket.id, b"gone", lease)[0], NO_CONDITIONS)
        await versions.delete(tx, bucket.id, b"gone", None, None, 9)
        checksum = Checksum(ChecksumAlgorithm.CRC32C, ChecksumType.COMPOSITE, "AAAA-2")
        sealed = NewContent(
            secrets.token_bytes(16),
            9,
            "e-2",
            checksum,
            blob(lease, 9),
            (),
            (NewPart(1, 0, 5, "p1", "x"), NewPart(3, 5, 4, "p3", None)),
            encryption=Encryption.SSE_C,
            customer_key=b"\x01" * 48,
        )
        headers = (("content-type", "image/png"), ("x-amz-meta-ü", "\u0000😀"))
        version = NewVersion(bucket.id, b"\x00", sealed, headers, (("tag", "value"),), "i" * 26, 7)
        await versions.put(tx, version, NO_CONDITIONS)
        upload = MultipartUpload(
            0, "u1", bucket.id, b"\xff\xfe", headers, (), ChecksumAlgorithm.CRC64NVME, ChecksumType.FULL_OBJECT, True,
            "me", 8, Encryption.SSE_S3, None,
        )  # fmt: skip
        await uploads.create(tx, upload)
        found = await uploads.get(tx, bucket.id, b"\xff\xfe", "u1")
        await uploads.put_part(tx, found.id, 2, NewContent(b"u" * 16, 4, "e", blob=blob(lease)), 5)
        await uploads.create(tx, MultipartUpload(**{**_fields(upload), "upload_id": "u2"}))
        second = await uploads.get(tx, bucket.id, b"\xff\xfe", "u2")
        await uploads.finish(tx, second.id, b"\x00completion", {"etag": "e"}, 9)
        await tx.run("INSERT INTO usage_deltas (bucket_id, objects, bytes) VALUES (?, 1, -5)", (doomed.id,))
        await tx.run("UPDATE blobs SET sealed_key = ? WHERE id = 1", (b"\x00" * 60,))
        await tx.run("UPDATE blobs SET state = 'condemned', condemned_ms = 5 WHERE id = 2")
        await tx.run(
            "INSERT INTO attachments (bucket_id, store, source, prefix, own, versions, created_ms) "
            "VALUES (?, 'minio', 'theirs', ?, 1, 0, 5)",
            (bucket.id, b"p/\xff"),
        )
        await tx.run(
            "INSERT INTO adopted (attachment_id, key, source_version, etag, modified_ms, seq) VALUES (1, ?, '', 'e', 5, 3)",
            (b"\xfe",),
        )
        await buckets.change_images(
            tx, bucket.id, lambda _: BucketImages(presets={"card": "w:400"}, renditions=("p:card",), purge=True), 4
        )
        await jobs.add(tx, jobs.PURGE, {"bucket": bucket.id, "name": "photos", "key": "00ff"}, 5, run_at_ms=6)
        await tx.run(
            "INSERT INTO renditions (bucket_id, preset, key, seq, recipe, derivative_key, content_type, size, etag, made_ms) "
            "VALUES (?, 'card', ?, 3, 'r', ?, 'image/webp', 5, 'e', 6)",
            (bucket.id, b"k\xff", b"\x00\xff"),
        )
        row = image_row(
            "I" * 27,
            3,
            bucket.id,
            owner.id,
            tags=("süß",),
            metadata={"ключ": [1]},
            sha256=b"\xff" * 32,
            phash=b"\xfe" * 8,
        )
        await images.insert(tx, row)
        await tx.run(
            "INSERT INTO shares (id, hash, image_id, user_id, created_ms, expires_ms) VALUES ('s', ?, ?, 1, 2, 3)",
            (b"\x00\xff" * 16, "I" * 27),
        )
        await tx.run(
            "INSERT INTO same_bytes (account_id, encryption, mark, content_id) VALUES (1, '@', ?, 1)", (b"\x00\xff",)
        )
        await tx.run(
            "INSERT INTO pins (derivative_key, content_id, name, media_type, width, height, size, made_ms) "
            "VALUES (?, 1, 'medium', 'image/webp', 600, 400, 12345, 7)",
            (b"\x00pin\xff",),
        )
        await image_jobs.insert(tx, "job", "I" * 27, 5)
        await upload_windows.take(tx, "user 1", 5, 10)
        await audit.note(tx, audit.Event(audit.Action.LOGIN, audit.Actor("api"), 5, target="ünn"))
        user = await users.insert(
            tx, users.NewUser(owner, "", "sub", "Ünn@example.org", "ünn@example.org", None, "$2b$", Role.MODERATOR, 5)
        )
        await sessions.begin(tx, "session", user.id, 5, 6, "192.0.2.1")
        await sessions.add_refresh(tx, b"\x00\xff" * 16, "session", 5, 6)
        await sessions.add_reset(tx, b"\x00\xfe" * 16, user.id, 6)
        await sessions.revoke(tx, b"\x00\xfd" * 16, 6)
        await tx.insert("INSERT INTO orphans (content_id) VALUES (?)", (1,))
        # The last id of each is given out and gone.
        await tx.run(
            "DELETE FROM orphans WHERE id = ?", (await tx.insert("INSERT INTO orphans (content_id) VALUES (1)"),)
        )
        await tx.run("DELETE FROM leases WHERE id = ?", (await leases.create(tx, "gone", 5),))

    await database.write(operation, heavy=True)


def _fields(upload: MultipartUpload) -> dict[str, Any]:
    return {name: getattr(upload, name) for name in upload.__slots__}


async def dumped(database: Database) -> list[bytes]:
    lines: list[bytes] = []
    await database.read(
        lambda reader: transfer.export(reader, HEAD, lambda data: lines.extend(data.splitlines(True)), nobody),
        heavy=True,
    )
    return lines


def nobody(_table: str, _done: int, _total: int) -> None:
    """Watches no progress."""


def rows_of(lines: list[bytes]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    name = ""
    for line in lines[1:]:
        value = json.loads(line)
        if isinstance(value, list):
            found[name].append(value)
        elif "table" in value:
            name = value["table"]
            found[name] = []
    return found


@pytest.mark.parametrize(("source", "target"), [("sqlite", "postgresql"), ("postgresql", "sqlite")])
async def test_everything_arrives_and_goes_on_from_there(
    make: Callable[[str], Database], source: str, target: str
) -> None:
    before = make(source)
    await fill(before)
    lines = await dumped(before)
    rows = rows_of(lines)
    assert [name for name, entries in rows.items() if not entries] == []
    after = make(target)
    progress: list[tuple[str, int, int]] = []
    counts = await transfer.import_lines(after, HEAD, lines, lambda *told: progress.append(told))
    assert counts == {name: len(entries) for name, entries in rows.items()}
    assert {table for table, done, total in progress if done == total} == set(rows)
    again = rows_of(await dumped(after))
    # The import itself is a change of configuration.
    assert again.pop("config") == [[1, rows.pop("config")[0][1] + 1]]
    assert again == rows
    assert await usage.totals(after) == await usage.totals(before)
    first = await before.read(lambda reader: listing.objects(reader, 1, b"", b"", None, 100))
    assert await after.read(lambda reader: listing.objects(reader, 1, b"", b"", None, 100)) == first

    async def next_ids(tx: Transaction) -> tuple[int, int, int, int]:
        bucket = await buckets.create(tx, "next", (await accounts.list_all(tx))[0], "eu", 1)
        lease = await leases.create(tx, "next", 1)
        written = await versions.put(tx, plain(bucket.id, b"k", lease)[0], NO_CONDITIONS)
        orphan = await tx.insert("INSERT INTO orphans (content_id) VALUES (1)")
        return bucket.id, lease, written.content_id, orphan

    assert await after.write(next_ids) == await before.write(next_ids), "ids that were given out come again"


@pytest.mark.parametrize("target", ["sqlite", "postgresql"])
async def test_an_import_that_is_cut_off_anywhere_goes_on(
    make: Callable[[str], Database], target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "PAGE", 7)
    source = make("sqlite")
    await fill(source)
    lines = await dumped(source)
    after = make(target)

    class Cut(Exception):
        pass

    def until(limit: int) -> Any:
        for number, line in enumerate(lines):
            if number == limit:
                raise Cut
            yield line

    for limit in range(1, len(lines), 11):
        with pytest.raises(Cut):
            await transfer.import_lines(after, HEAD, until(limit), nobody)
        with pytest.raises(InvalidValue, match="cut off"):
            await after.write(lambda tx: meta.put_if_absent(tx, "deployment_id", b"new"))
    await transfer.import_lines(after, HEAD, lines, nobody)
    again, rows = rows_of(await dumped(after)), rows_of(lines)
    assert again.pop("config") != rows.pop("config")
    assert again == rows


async def test_what_is_not_whole_or_not_ours_is_refused(make: Callable[[str], Database]) -> None:
    source = make("sqlite")
    await fill(source)
    lines = await dumped(source)
    with pytest.raises(InvalidValue, match="not empty"):
        await transfer.import_lines(source, HEAD, lines, nobody)
    for damage, reason in (
        (lines[:-1], "not written to its end"),
        ([*lines[:20], lines[20][:-1]], "not written to its end"),
        ([b"GIF89a\n"], "no export"),
        ([b'{"a": 1}\n'], "no export"),
        ([lines[0].replace(b'"schema":"%s"' % HEAD.encode(), b'"schema":"0001"'), *lines[1:]], "of schema 0001"),
        ([line.replace(b'"photos"', b'"fotos"') for line in lines], "buckets are not those"),
        ([line for line in lines if b'"gone"' not in line and b"Z29uZQ==" not in line], "are not those"),
    ):
        target = make("sqlite")
        with pytest.raises(InvalidValue, match=reason):
            await transfer.import_lines(target, HEAD, damage, nobody)
    other = make("sqlite")
    with pytest.raises(InvalidValue):
        await transfer.import_lines(other, HEAD, lines[:-1], nobody)
    with pytest.raises(InvalidValue, match="another file"):
        await transfer.import_lines(other, HEAD, await dumped(source), nobody)
    with pytest.raises(InvalidValue, match="not whole"):
        await dumped(other)


async def test_rows_that_changed_in_the_database_meanwhile_are_found(make: Callable[[str], Database]) -> None:
    source, target = make("sqlite"), make("sqlite")
    await fill(source)
    lines = await dumped(source)

    def meddled() -> Any:
        yield from lines[:-1]
        connection = sqlite3.connect(target.path)  # type: ignore[attr-defined]
        connection.execute("UPDATE heads SET size = size + 1 WHERE bucket_id = 1")
        connection.commit()
        connection.close()
        yield lines[-1]

    with pytest.raises(InvalidValue, match="heads in the database"):
        await transfer.import_lines(target, HEAD, meddled(), nobody)


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
async def test_every_table_and_column_travels(make: Callable[[str], Database], engine: str) -> None:
    database = make(engine)
    left = {"alembic_version", "locks", "sqlite_sequence"}
    if engine == "sqlite":
        names = await database.all("SELECT name FROM sqlite_master WHERE type = 'table'")
        schema = {
            name: {row[1] for row in await database.all(f"PRAGMA table_info({name})")}
            for (name,) in names
            if name not in left
        }
    else:
        schema = {}
        for table, column in await database.all(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
        ):
            if table not in left:
                schema.setdefault(table, set()).add(column)
    assert {table.name: set(table.columns) for table in transfer.TABLES} == schema


def run(*arguments: str, url: str | None = None, **options: Any) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PIXGATE_")}
    if url is not None:
        environment["PIXGATE_DATABASE_URL"] = url
    return subprocess.run(
        [sys.executable, "-m", "gateway", *arguments], env=environment, capture_output=True, text=True, **options
    )


async def test_the_commands_there_and_back(
    tmp_path: Path, postgresql: PostgreSQL, make: Callable[[str], Database]
) -> None:
    data = new_data_folder(tmp_path / "data")
    source = SqliteDatabase(data / "pixgate.sqlite")
    await fill(source)
    await source.close()
    url = postgresql.new_database()
    there, back = tmp_path / "there.jsonl.gz", tmp_path / "back.jsonl"
    steps = [
        (("export", str(there)), None, data),
        (("import", str(there)), url, data),
        (("export", str(back)), url, data),
        (("import", str(back)), None, tmp_path / "new"),
    ]
    for arguments, database, folder in steps:
        done = await asyncio.to_thread(run, "metadata", *arguments, "--data", str(folder), url=database)
        assert done.returncode == 0, done.stderr
    assert there.stat().st_mode & 0o077 == 0, "secrets, even sealed, are their owner's"
    first = rows_of(gzip.decompress(there.read_bytes()).splitlines(True))
    second = rows_of(back.read_bytes().splitlines(True))
    first.pop("config")
    second.pop("config")
    assert first == second
    third = run("metadata", "import", str(back), "--data", str(data), url=url)
    assert third.returncode == 1
    assert "not empty" in third.stderr
    busy = SqliteDatabase(data / "pixgate.sqlite")
    await busy.write(lambda tx: leases.create(tx, "live", int(time.time() * 1000)))
    await busy.close()
    refused = run("metadata", "export", str(tmp_path / "no"), "--data", str(data))
    assert refused.returncode == 1
    assert "stop it first" in refused.stderr
    assert not (tmp_path / "no").exists()
    assert run("metadata", "export", "-", "--force", "--data", str(data)).returncode == 0


async def test_a_killed_import_goes_on(tmp_path: Path, postgresql: PostgreSQL, make: Callable[[str], Database]) -> None:
    source = make("sqlite")
    await fill(source)

    async def more(tx: Transaction) -> None:
        await tx.many("INSERT INTO orphans (content_id) VALUES (?)", [(number,) for number in range(60_000)])

    await source.write(more, heavy=True)
    lines = await dumped(source)
    file = tmp_path / "file.jsonl"
    file.write_bytes(b"".join(lines))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PIXGATE_")}
    command = [sys.executable, "-m", "gateway", "metadata", "import", str(file), "--data", str(tmp_path / "data")]
    # One that is done before anybody sees that it has begun proves nothing: then another one.
    for _ in range(5):
        url = environment["PIXGATE_DATABASE_URL"] = postgresql.new_database()
        process = await asyncio.create_subprocess_exec(*command, env=environment, stderr=asyncio.subprocess.PIPE)
        target = PostgresDatabase(url)
        until = time.monotonic() + 60
        # In the middle of the large table.
        while time.monotonic() < until:
            try:
                if (row := await target.one("SELECT count(*) FROM orphans")) is not None and row[0] >= 4000:
                    break
            except (DatabaseUnavailable, Exception):
                pass
            await asyncio.sleep(0.01)
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGKILL)
        await process.communicate()
        row = await target.one("SELECT count(*) FROM orphans")
        assert row is not None
        if row[0] < 60_000:
            break
        await target.close()
    assert 0 < row[0] < 60_000, "it was cut off in the middle"
    done = await asyncio.to_thread(subprocess.run, command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    again, rows = rows_of(await dumped(target)), rows_of(lines)
    assert again.pop("config") != rows.pop("config")
    assert again == rows
    assert await target.read(sweep.inconsistencies) == await source.read(sweep.inconsistencies)
    await target.close()
