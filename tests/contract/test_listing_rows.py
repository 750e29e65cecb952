"""Pages of a listing on PostgreSQL, and how lists and many look-ups of one moment are asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.metadata import listing, postgres_hot, versions
from gateway.metadata.lists import batches
from gateway.metadata.port import Reader, Transaction
from tests.contract.metadata_rows import new_bucket, plain


@given(values=st.lists(st.integers(), max_size=1300))
def test_lists_for_sql_hold_every_value_in_few_lengths(values: list[int]) -> None:
    seen: list[int] = []
    for marks, batch in batches(values):
        assert marks.count("?") == len(batch)
        assert len(batch) & (len(batch) - 1) == 0
        seen += dict.fromkeys(batch)
    assert set(seen) == set(values)


KEYS = st.binary(min_size=1, max_size=6).map(lambda raw: bytes(b"ab/\x00\xef\xfe"[byte % 6] for byte in raw))


def expected(keys: list[bytes], prefix: bytes, delimiter: bytes) -> list[bytes]:
    """Keys and common prefixes, in the order of a listing."""
    found: dict[bytes, None] = {}
    for key in sorted(keys):
        if key.startswith(prefix):
            found[listing.common_prefix(key, prefix, delimiter) or key] = None
    return list(found)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    keys=st.lists(KEYS, max_size=25, unique=True),
    prefix=st.one_of(st.just(b""), KEYS),
    delimiter=st.sampled_from([b"", b"/", b"a", b"ab", b"//", b"\xef"]),
    limit=st.integers(1, 5),
)
def test_pages_of_a_listing_are_what_its_keys_say(
    postgres_heads: Callable[[list[bytes], bytes, bytes, int], list[bytes]],
    keys: list[bytes],
    prefix: bytes,
    delimiter: bytes,
    limit: int,
) -> None:
    assert postgres_heads(keys, prefix, delimiter, limit) == expected(keys, prefix, delimiter)


@pytest.fixture
def postgres_heads(migrated_url: str) -> Any:
    """Lists these keys page by page on PostgreSQL; SQLite has a test of its own."""
    from gateway.metadata.postgres import PostgresDatabase

    runner = asyncio.Runner()
    database = runner.run(_open(PostgresDatabase, migrated_url))

    async def listed(keys: list[bytes], prefix: bytes, delimiter: bytes, limit: int) -> list[bytes]:
        async def fill(tx: Transaction) -> None:
            await tx.run("DELETE FROM heads")
            await tx.many(
                "INSERT INTO heads (bucket_id, key, seq, size, etag, modified_ms) VALUES (1, ?, 1, 1, 'e', 1)",
                [(key,) for key in keys],
            )

        await database.write(fill)
        found: list[bytes] = []
        after: bytes | None = None
        while True:

            async def page(reader: Reader, after: bytes | None = after) -> Any:
                return await listing.objects(reader, 1, prefix, delimiter, after, limit)

            got = await database.read(page)
            found += sorted([*(entry.key for entry in got.objects), *got.common_prefixes])
            if not got.truncated:
                return found
            after = got.next_key

    yield lambda *arguments: runner.run(listed(*arguments))
    runner.run(database.close())
    runner.close()


async def _open(kind: Any, url: str) -> Any:
    return kind(url)


async def test_look_ups_of_one_moment_share_round_trips_and_mix_nothing_up(migrated_url: str) -> None:
    from gateway.metadata.postgres import PostgresDatabase

    database = PostgresDatabase(migrated_url)
    bucket, lease = await new_bucket(database)
    for number in range(40):
        await database.put(*plain(bucket, b"%d" % number, lease, etag=f"etag-{number}"))
    asked: list[int] = []
    ask = database._ask_currents

    async def counting(batch: Any) -> Any:
        asked.append(len(batch))
        return await ask(batch)

    database._currents = postgres_hot.Batches(counting, 1)

    async def look(number: int) -> None:
        _, row = await database.current(bucket, b"%d" % number)
        if number >= 40:
            assert row is None
            return
        found = await versions.current_of(database, bucket, b"%d" % number, row)
        assert found.key == b"%d" % number
        assert found.content is not None
        assert found.content.etag == f"etag-{number}"

    await asyncio.gather(*(look(number % 50) for number in range(500)))
    assert sum(asked) == 500
    assert max(asked) <= postgres_hot.AT_ONCE
    assert len(asked) < 20
    await database.close()
