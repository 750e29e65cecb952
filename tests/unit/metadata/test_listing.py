"""Listings against a model that sorts and groups the same keys in memory."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gateway.backends import DATABASE
from gateway.errors import InvalidVersionId
from gateway.metadata import listing
from gateway.metadata.sqlite import SqliteDatabase
from gateway.metadata.versions import public_version_id
from tests.data_folder import new_data_folder

T = TypeVar("T")
NONCE = bytes(8)

# Bytes at the edges of UTF-8, of each of its lengths, and the delimiters themselves, so that they collide.
ALPHABET = ["\x00", "\x01", "a", "b", "/", "0", "\x7f", "\x80", "é", "\u07ff", "\u0800", "\uffff", "\U0010ffff"]
TEXT = st.lists(st.sampled_from(ALPHABET), max_size=5).map(lambda parts: "".join(parts).encode())
KEYS = st.sets(TEXT.filter(bool), max_size=25)
DELIMITERS = st.sampled_from([b"", b"/", b"a", b"\x00", "é".encode(), b"a/", b"//", "\U0010ffff".encode()])


class Rows:
    """A database whose bucket 1 is filled anew for each example."""

    def __init__(self, path: Path) -> None:
        self.runner = asyncio.Runner()
        self.database = self.runner.run(self._open(path))

    async def _open(self, path: Path) -> SqliteDatabase:
        return SqliteDatabase(path)

    def run(self, work: Callable[[], Awaitable[T]]) -> T:
        async def waited() -> T:
            return await work()

        return self.runner.run(waited())

    def fill(self, table: str, columns: str, rows: list[tuple[object, ...]]) -> None:
        connection = self.database._writing
        connection.execute("BEGIN")
        for name in ("heads", "versions", "uploads"):
            connection.execute(f"DELETE FROM {name}")
        marks = ", ".join("?" * (columns.count(",") + 1))
        connection.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", rows)
        connection.execute("COMMIT")

    def close(self) -> None:
        self.runner.run(self.database.close())
        self.runner.close()


@pytest.fixture(scope="module")
def rows() -> Iterator[Rows]:
    with tempfile.TemporaryDirectory() as folder:
        opened = Rows(new_data_folder(Path(folder) / "data") / DATABASE)
        opened.database._writing.execute("PRAGMA synchronous = OFF")
        yield opened
        opened.close()


def group(key: bytes, prefix: bytes, delimiter: bytes) -> bytes | None:
    """The common prefix of a key, if it has one."""
    if not delimiter or delimiter not in key[len(prefix) :]:
        return None
    return key[: key.index(delimiter, len(prefix)) + len(delimiter)]


def entries(keys: set[bytes], prefix: bytes, delimiter: bytes, after: bytes | None) -> list[tuple[bytes, bool]]:
    """What a listing without a limit shows: (key or common prefix, whether it is a prefix)."""
    found: dict[bytes, bool] = {}
    for key in sorted(keys):
        if not key.startswith(prefix) or (after is not None and key <= after):
            continue
        rolled = group(key, prefix, delimiter)
        if rolled is None:
            found[key] = False
        elif after is None or rolled != after:
            found[rolled] = True
    return list(found.items())


COMMON = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@COMMON
@given(keys=KEYS, prefix=TEXT, delimiter=DELIMITERS, after=st.none() | TEXT, limit=st.integers(1, 8))
@example(keys={b"a/\xf4\x8f\xbf\xbf", b"a0"}, prefix=b"", delimiter=b"/", after=None, limit=1)
@example(keys={b"a/1", b"a/2", b"b"}, prefix=b"", delimiter=b"/", after=b"a/", limit=5)
@example(keys={b"a/1", b"a/2", b"b"}, prefix=b"", delimiter=b"/", after=b"a/1", limit=5)
def test_objects_page_by_page(
    rows: Rows, keys: set[bytes], prefix: bytes, delimiter: bytes, after: bytes | None, limit: int
) -> None:
    others: list[tuple[object, ...]] = [(2, b"a/other", 1, 0, "", 0)]
    rows.fill(
        "heads",
        "bucket_id, key, seq, size, etag, modified_ms",
        [(1, key, number, len(key), key.hex(), number) for number, key in enumerate(sorted(keys))] + others,
    )
    expected = entries(keys, prefix, delimiter, after)
    position = after
    found: list[tuple[bytes, bool]] = []
    while True:
        at = position
        page = rows.run(
            lambda at=at: rows.database.read(  # type: ignore[misc]
                lambda reader: listing.objects(reader, 1, prefix, delimiter, at, limit)
            )
        )
        shown = sorted([(entry.key, False) for entry in page.objects] + [(name, True) for name in page.common_prefixes])
        assert all(entry.etag == entry.key.hex() and entry.size == len(entry.key) for entry in page.objects)
        found += shown
        if not page.truncated:
            assert page.next_key is None
            break
        assert len(shown) == limit
        assert page.next_key == shown[-1][0]
        position = page.next_key
    assert found == expected


@dataclass(frozen=True)
class Row:
    key: bytes
    seq: int
    null: bool
    marker: bool

    @property
    def version_id(self) -> str:
        return public_version_id(self.seq, None if self.null else NONCE)


@st.composite
def version_rows(draw: st.DrawFn) -> list[Row]:
    made: list[Row] = []
    keys = sorted(draw(st.sets(TEXT.filter(bool), max_size=10)))
    order = [key for key in keys for _ in range(draw(st.integers(1, 4)))]
    order = draw(st.permutations(order))
    for number, key in enumerate(order, 1):
        null = draw(st.booleans()) and not any(row.key == key and row.null for row in made)
        made.append(Row(key, number, null, draw(st.booleans())))
    return made


@COMMON
@given(made=version_rows(), prefix=TEXT, delimiter=DELIMITERS, limit=st.integers(1, 6), marker=st.none() | TEXT)
def test_versions_page_by_page(
    rows: Rows, made: list[Row], prefix: bytes, delimiter: bytes, limit: int, marker: bytes | None
) -> None:
    connection = rows.database._writing
    rows.fill(
        "versions",
        "seq, bucket_id, key, nonce, content_id, modified_ms, headers",
        [(row.seq, 1, row.key, None if row.null else NONCE, None if row.marker else 1, row.seq, "[]") for row in made],
    )
    connection.execute("INSERT OR IGNORE INTO contents (id, uid, size, etag, segment_count) VALUES (1, x'', 5, 'e', 0)")
    newest = {row.key: row.seq for row in made}
    expected: list[tuple[bytes, str | None, bool, bool]] = []
    for row in sorted(made, key=lambda row: (row.key, -row.seq)):
        if not row.key.startswith(prefix) or (marker is not None and row.key <= marker):
            continue
        rolled = group(row.key, prefix, delimiter)
        if rolled is None:
            expected.append((row.key, row.version_id, row.marker, newest[row.key] == row.seq))
        elif rolled != marker and (not expected or expected[-1][0] != rolled or expected[-1][1] is not None):
            expected.append((rolled, None, False, False))
    key_marker, version_marker = marker, None
    found: list[tuple[bytes, str | None, bool, bool]] = []
    while True:
        key_at, version_at = key_marker, version_marker
        page = rows.run(
            lambda key_at=key_at, version_at=version_at: rows.database.read(  # type: ignore[misc]
                lambda reader: listing.versions(reader, 1, prefix, delimiter, key_at, version_at, limit)
            )
        )
        shown: list[tuple[bytes, str | None, bool, bool]] = [
            (entry.key, entry.version_id, entry.delete_marker, entry.is_latest) for entry in page.versions
        ]
        shown += [(name, None, False, False) for name in page.common_prefixes]
        # Stable: the versions of a key stay in their order.
        shown.sort(key=lambda entry: entry[0])
        found += shown
        if not page.truncated:
            break
        assert len(shown) == limit
        key_marker, version_marker = page.next_key, page.next_version_id
    assert found == expected


@COMMON
@given(
    made=st.lists(st.tuples(TEXT.filter(bool), st.integers(0, 99).map(lambda n: f"u{n:02}")), max_size=15, unique=True),
    prefix=TEXT,
    delimiter=DELIMITERS,
    limit=st.integers(1, 5),
    marker=st.none() | TEXT,
    id_marker=st.none() | st.integers(0, 99).map(lambda n: f"u{n:02}"),
)
def test_uploads_page_by_page(
    rows: Rows,
    made: list[tuple[bytes, str]],
    prefix: bytes,
    delimiter: bytes,
    limit: int,
    marker: bytes | None,
    id_marker: str | None,
) -> None:
    if len({upload for _, upload in made}) < len(made):
        made = [(key, f"{upload}-{number:02}") for number, (key, upload) in enumerate(made)]
    columns = (
        "upload_id, bucket_id, key, headers, tags, checksum_algorithm, checksum_type, checksum_asked, initiator, "
        "created_ms, completed_ms"
    )
    finished: list[tuple[object, ...]] = [("done", 1, b"a", "[]", "[]", "CRC32", "COMPOSITE", 0, "x", 1, 2)]
    rows.fill(
        "uploads",
        columns,
        [(upload, 1, key, "[]", "[]", "CRC32", "COMPOSITE", 0, "x", 1, None) for key, upload in made] + finished,
    )
    within = id_marker if marker is not None and marker >= prefix else None
    expected: list[tuple[bytes, str | None]] = []
    for key, upload in sorted(made):
        if not key.startswith(prefix):
            continue
        if marker is not None and (key < marker or (key == marker and (within is None or upload <= within))):
            continue
        rolled = group(key, prefix, delimiter)
        if rolled is None:
            expected.append((key, upload))
        elif (rolled != marker or within is not None) and (not expected or expected[-1] != (rolled, None)):
            expected.append((rolled, None))
    key_marker, upload_marker = marker, id_marker
    found: list[tuple[bytes, str | None]] = []
    while True:
        key_at, upload_at = key_marker, upload_marker
        page = rows.run(
            lambda key_at=key_at, upload_at=upload_at: rows.database.read(  # type: ignore[misc]
                lambda reader: listing.uploads(reader, 1, prefix, delimiter, key_at, upload_at, limit)
            )
        )
        shown: list[tuple[bytes, str | None]] = [(entry.key, entry.upload_id) for entry in page.uploads]
        shown += [(name, None) for name in page.common_prefixes]
        shown.sort(key=lambda entry: entry[0])
        found += shown
        if not page.truncated:
            break
        assert len(shown) == limit
        key_marker, upload_marker = page.next_key, page.next_upload_id
    assert found == expected


def test_a_page_of_nothing_is_not_truncated(rows: Rows) -> None:
    rows.fill("heads", "bucket_id, key, seq, size, etag, modified_ms", [(1, b"a", 1, 0, "", 0)])
    page = rows.run(lambda: rows.database.read(lambda reader: listing.objects(reader, 1, b"", b"", None, 0)))
    assert (page.objects, page.truncated) == ((), False)


def test_a_version_marker_that_is_none(rows: Rows) -> None:
    with pytest.raises(InvalidVersionId):
        rows.run(lambda: rows.database.read(lambda reader: listing.versions(reader, 1, b"", b"", b"a", "nonsense", 10)))


@given(TEXT)
def test_the_successor_is_behind_all_below_and_nothing_else(prefix: bytes) -> None:
    after = listing.successor(prefix)
    if after is None:
        assert prefix == b""
    else:
        assert prefix + b"\xff" * 10 < after
        assert not after.startswith(prefix)
        assert after[:-1] <= prefix


def test_a_delimiter_page_looks_at_few_rows(rows: Rows) -> None:
    """10,000 keys below 10 prefixes: one look-up a prefix, whatever lies below it."""
    keys = [f"{number // 1000}/{number:05}".encode() for number in range(10_000)]
    rows.fill("heads", "bucket_id, key, seq, size, etag, modified_ms", [(1, key, 1, 0, "", 0) for key in keys])
    steps = 0

    async def counted() -> int:
        nonlocal steps

        def count() -> int:
            nonlocal steps
            steps += 1
            return 0

        rows.database._reading.set_progress_handler(count, 100)
        page = await listing.objects(rows.database, 1, b"", b"/", None, 1000)
        rows.database._reading.set_progress_handler(None, 0)
        return len(page.common_prefixes)

    assert rows.run(counted) == 10
    assert steps * 100 < 5000
