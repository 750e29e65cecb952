"""Everything that a database of either engine knows, as lines of JSON, and back.

The first line tells what follows: `{"pixgate": "metadata", "format": 1, "schema": ..., "id": ..., "rows": {table: count},
"sequences": {table: last id}}`. Then come the tables, each `{"table": name, "columns": [...]}`, a list a row in the order
of its key, and `{"end": name, "rows": count, "sha256": digest of its rows' lines}`; at last `{"end": null}`. Bytes are
base64. Ids stay what they are: names of blobs and version ids are made of them.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from gateway.errors import InvalidValue
from gateway.metadata import meta
from gateway.metadata.meta import IMPORT
from gateway.metadata.port import Database, Reader, Row, Transaction

FORMAT = 1
PAGE = 2_000
"""Rows that are read, or written in one transaction, at a time."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table with the columns of its key first. `identity` is the one that is generated where none is given."""

    name: str
    key: tuple[str, ...]
    rest: tuple[str, ...]
    binary: frozenset[str] = frozenset()
    identity: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        return self.key + self.rest

    @property
    def listed(self) -> str:
        """The columns as SQL; one of them is a word of SQL, too."""
        return ", ".join(f'"{column}"' for column in self.columns)

    @property
    def ordered(self) -> str:
        return ", ".join(f'"{column}"' for column in self.key)


def _table(name: str, key: str, rest: str, *, identity: bool = False) -> Table:
    """Columns as words; those of bytes are marked with a star."""
    columns = key.split(), rest.split()
    binary = frozenset(word.rstrip("*") for words in columns for word in words if word.endswith("*"))
    keys, others = (tuple(word.rstrip("*") for word in words) for words in columns)
    return Table(name, keys, others, binary, keys[0] if identity else None)


TABLES = (
    _table("leases", "id", "owner state created_ms renewed_ms oldest_read_ms", identity=True),
    _table(
        "accounts",
        "id",
        "name canonical_id enabled is_root created_ms quota_bytes quota_images duplicates home_bucket_id tokens_from_ms",
        identity=True,
    ),
    _table(
        "access_keys",
        "access_key",
        "account_id sealed_secret* kind admin enabled generated_root bucket prefix description created_ms expires_ms "
        "scope",
    ),
    _table(
        "users",
        "id",
        "account_id issuer subject email email_key name password_hash role enabled tokens_from_ms created_ms "
        "last_login_ms",
        identity=True,
    ),
    _table("sessions", "id", "user_id created_ms expires_ms ended_ms address"),
    _table("refresh_tokens", "hash*", "session_id created_ms expires_ms used_ms"),
    _table("password_resets", "hash*", "user_id expires_ms"),
    _table("revoked_tokens", "hash*", "expires_ms"),
    _table(
        "buckets",
        "id",
        "name account_id region versioning images_public ladder created_ms store encryption watched images "
        "known_images",
        identity=True,
    ),
    _table("usage", "bucket_id", "objects bytes"),
    _table("usage_deltas", "id", "bucket_id objects bytes", identity=True),
    _table("blobs", "id", "store name offset length state condemned_ms sealed_key*", identity=True),
    _table(
        "contents",
        "id",
        "uid* size etag checksum_algorithm checksum_type checksum_value part_count segment_count encryption "
        "customer_key*",
        identity=True,
    ),
    _table("segments", "content_id start", "length blob_id blob_offset"),
    _table("content_parts", "content_id number", "start size etag checksum"),
    _table("orphans", "id", "content_id", identity=True),
    _table("versions", "seq", "bucket_id key* nonce* content_id modified_ms headers tags image_id", identity=True),
    _table("heads", "bucket_id key*", "seq size etag modified_ms checksum_algorithm checksum_type"),
    _table(
        "uploads",
        "id",
        "upload_id bucket_id key* headers tags checksum_algorithm checksum_type checksum_asked initiator created_ms "
        "completed_ms completion* result encryption customer_key* app",
        identity=True,
    ),
    _table("parts", "upload number", "content_id modified_ms"),
    _table(
        "attachments",
        "id",
        "bucket_id store source prefix* own versions round after* objects created_ms finished_ms",
        identity=True,
    ),
    _table("adopted", "attachment_id key* source_version", "etag modified_ms seq"),
    _table("jobs", "id", "kind payload created_ms run_at_ms attempts claim error sent_ms name", identity=True),
    _table("renditions", "bucket_id preset key*", "seq recipe derivative_key* content_type size etag made_ms"),
    _table(
        "images",
        "image_id",
        "seq bucket_id account_id user_id filename content_type size sha256* width height visibility moderation listed "
        "metadata tags upload_ip delete_hash* delete_expires_ms dominant_color blurhash phash status job_id created_ms "
        "updated_ms revision",
    ),
    _table("pins", "derivative_key*", "content_id name media_type width height size made_ms gone"),
    _table("same_bytes", "account_id encryption mark*", "content_id"),
    _table("image_tags", "image_id tag", "account_id created_ms size listed"),
    _table("image_jobs", "id", "image_id status attempts error result created_ms started_ms completed_ms"),
    _table("upload_windows", "who window_ms", "count"),
    _table("shares", "id", "hash* image_id user_id created_ms expires_ms revoked_ms"),
    _table(
        "audit",
        "id",
        "at_ms action via account_id user_id access_key target address request_id detail once",
        identity=True,
    ),
    _table("config", "id", "generation"),
    # Last: with the deployment's id and the master key's check value the database is one that a server may open.
    _table("meta", "name", "value*"),
)
"""In an order in which rows come after those they refer to. Locks stay: they are of processes."""

Progress = Callable[[str, int, int], None]
"""Told the table, how many rows of it are done, and how many there are."""


async def export(reader: Reader, schema: str, write: Callable[[bytes], object], progress: Progress) -> dict[str, int]:
    """Write everything, of the moment of the reader's snapshot; gives the rows of each table. Raises InvalidValue."""
    if await meta.get(reader, IMPORT) is not None:
        raise InvalidValue("an import into this database was cut off: what it holds is not whole")
    counts = {}
    for table in TABLES:
        row = await reader.one(f"SELECT count(*) FROM {table.name}")
        assert row is not None
        counts[table.name] = int(row[0])
    head = {
        "pixgate": "metadata",
        "format": FORMAT,
        "schema": schema,
        "id": secrets.token_hex(16),
        "rows": counts,
        "sequences": {
            table.name: await _last_identity(reader, table) for table in TABLES if table.identity is not None
        },
    }
    write(_line(head))
    for table in TABLES:
        write(_line({"table": table.name, "columns": table.columns}))
        digest = hashlib.sha256()
        done = 0
        async for lines in _pages(reader, table):
            for line in lines:
                digest.update(line)
            write(b"".join(lines))
            done += len(lines)
            progress(table.name, done, counts[table.name])
        write(_line({"end": table.name, "rows": done, "sha256": digest.hexdigest()}))
    write(_line({"end": None}))
    return counts


async def _pages(reader: Reader, table: Table) -> Any:
    """The rows of a table as lines, in pages."""
    after: Row = ()
    binary = [index for index, column in enumerate(table.columns) if column in table.binary]
    marks = ", ".join("?" * len(table.key))
    while True:
        behind = f"WHERE ({table.ordered}) > ({marks}) " if after else ""
        rows = await reader.all(
            f"SELECT {table.listed} FROM {table.name} {behind}ORDER BY {table.ordered} LIMIT {PAGE}", after
        )
        if not rows:
            return
        yield [_row_line(row, binary) for row in rows]
        if len(rows) < PAGE:
            return
        after = tuple(rows[-1][: len(table.key)])


def _line(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


def _row_line(row: Row, binary: list[int]) -> bytes:
    values = list(row)
    for index in binary:
        if values[index] is not None:
            values[index] = base64.b64encode(values[index]).decode()
    return _line(values)


async def _last_identity(reader: Reader, table: Table) -> int:
    """The last id that was given out: one that is gone may be in names and links still, and must not come again."""
    if reader.engine == "sqlite":
        row = await reader.one("SELECT seq FROM sqlite_sequence WHERE name = ?", (table.name,))
    else:
        sequence = f"pg_get_serial_sequence('{table.name}', '{table.identity}')::regclass"
        row = await reader.one(f"SELECT coalesce(pg_sequence_last_value({sequence}), 0)")
    return 0 if row is None else int(row[0])


async def _set_identity(tx: Transaction, table: Table, last: int) -> None:
    last = max(last, await _last_identity(tx, table))
    if not last:
        return
    if tx.engine == "sqlite":
        await tx.run("DELETE FROM sqlite_sequence WHERE name = ?", (table.name,))
        await tx.run("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table.name, last))
    else:
        await tx.one(f"SELECT setval(pg_get_serial_sequence('{table.name}', '{table.identity}'), ?)", (last,))


@dataclass(slots=True)
class _Position:
    """Where an import is: so many rows of that table are in the database, and all of those before it."""

    export: str
    table: int = 0
    rows: int = 0

    def dump(self) -> bytes:
        return _line([self.export, self.table, self.rows])


async def import_lines(database: Database, schema: str, lines: Iterable[bytes], progress: Progress) -> dict[str, int]:
    """Fill an empty database of the same schema, or go on where an earlier run was cut off; gives the rows of each table.

    Then everything is read back and compared. Raises InvalidValue where the lines are not whole or the database is not
    empty, and leaves the note of the run there, with which no server starts on it.
    """
    source = _Source(lines)
    head = source.head(schema)
    totals: dict[str, int] = head["rows"]
    position = await database.write(partial(_begin, export=str(head["id"])), heavy=True)
    digests: dict[str, str] = {}
    for number, table in enumerate(TABLES):
        done = 0
        wanted = position.rows if number == position.table else 0
        page: list[list[Any]] = []

        async def flush(number: int = number, table: Table = table) -> None:
            nonlocal page, done
            done += len(page)
            where = _Position(position.export, number, done)
            await database.write(partial(_insert, table=table, rows=page, position=where), heavy=True)
            page = []
            progress(table.name, done, totals[table.name])

        for row in source.rows(table):
            if number < position.table or (number == position.table and done < wanted):
                done += 1
                continue
            page.append(row)
            if len(page) == PAGE:
                await flush()
        if page:
            await flush()
        progress(table.name, done, totals[table.name])
        digests[table.name] = source.digest
    source.expect_end()
    counts = await database.read(partial(_compare, digests=digests), heavy=True)
    await database.write(partial(_finish, sequences=head["sequences"]), heavy=True)
    return counts


class _Source:
    """The lines of an export, checked on the way."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._lines = iter(lines)
        self.digest = ""

    def _next(self) -> tuple[bytes, Any]:
        line = next(self._lines, b"")
        if not line.endswith(b"\n"):
            raise InvalidValue("the file ends in the middle: it was not written to its end")
        try:
            return line, json.loads(line)
        except ValueError:
            raise InvalidValue("the file is no export of metadata, or damaged") from None

    def head(self, schema: str) -> dict[str, Any]:
        _, head = self._next()
        if not isinstance(head, dict) or head.get("pixgate") != "metadata" or head.get("format") != FORMAT:
            raise InvalidValue("the file is no export of metadata that this version can read")
        if head["schema"] != schema:
            raise InvalidValue(
                f"the file is of schema {head['schema']}, this version's is {schema}: export it with this version"
            )
        return head

    def rows(self, table: Table) -> Iterator[list[Any]]:
        """The rows of a table; its digest is known behind them."""
        _, begin = self._next()
        if begin != {"table": table.name, "columns": list(table.columns)}:
            raise InvalidValue(f"the file is damaged: where {table.name} should begin is something else")
        binary = [index for index, column in enumerate(table.columns) if column in table.binary]
        digest = hashlib.sha256()
        count = 0
        while True:
            line, row = self._next()
            if isinstance(row, dict):
                break
            digest.update(line)
            count += 1
            for index in binary:
                if row[index] is not None:
                    row[index] = base64.b64decode(row[index])
            yield row
        self.digest = digest.hexdigest()
        if row != {"end": table.name, "rows": count, "sha256": self.digest}:
            raise InvalidValue(f"the file is damaged: the rows of {table.name} are not those that were exported")

    def expect_end(self) -> None:
        if self._next()[1] != {"end": None}:
            raise InvalidValue("the file is damaged: it does not end where it should")


async def _begin(tx: Transaction, export: str) -> _Position:
    """Where to go on, or that this is an empty database. Raises InvalidValue."""
    note = await meta.get(tx, IMPORT)
    if note is not None:
        before, table, rows = json.loads(note)
        if before != export:
            raise InvalidValue(
                "the import of another file was cut off here; go on with that one, or empty the database"
            )
        return _Position(export, table, rows)
    for table in TABLES:
        if table.name != "config" and await tx.one(f"SELECT 1 FROM {table.name} LIMIT 1") is not None:
            raise InvalidValue(f"the database is not empty: there are {table.name}")
    position = _Position(export)
    await meta.put(tx, IMPORT, position.dump())
    return position


async def _insert(tx: Transaction, table: Table, rows: list[list[Any]], position: _Position) -> None:
    if table.name == "config":
        # The one row of a new database.
        await tx.run("DELETE FROM config")
    marks = ", ".join("?" * len(table.columns))
    await tx.many(f"INSERT INTO {table.name} ({table.listed}) VALUES ({marks})", rows)
    await meta.put(tx, IMPORT, position.dump())


async def _compare(reader: Reader, digests: dict[str, str]) -> dict[str, int]:
    """Read back what was imported. Raises InvalidValue where it is not what the file has."""
    counts = {}
    for table in TABLES:
        digest = hashlib.sha256()
        count = 0
        async for lines in _pages(reader, table):
            for line in lines:
                if table.name == "meta" and line.startswith(_line([IMPORT])[:-2] + b","):
                    continue
                digest.update(line)
                count += 1
        if digest.hexdigest() != digests[table.name]:
            raise InvalidValue(f"the rows of {table.name} in the database are not those of the file")
        counts[table.name] = count
    return counts


async def _finish(tx: Transaction, sequences: dict[str, int]) -> None:
    for table in TABLES:
        if table.identity is not None:
            await _set_identity(tx, table, sequences.get(table.name, 0))
    # Whoever had the database open as an empty one notices.
    await meta.bump_generation(tx)
    await tx.run("DELETE FROM meta WHERE name = ?", (IMPORT,))
