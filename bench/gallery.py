"""What a page of 50 images costs out of a million, over HTTP: first pages, deep ones, filters, one's own, look-alikes.

`python -m bench.gallery [--images 1000000] [--database postgresql://...]`: on SQLite in a new folder, or on a PostgreSQL
database that is new and empty. The rows are written by bulk SQL; there are no bytes behind them.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import http.client
import json
import sqlite3
import statistics
import tempfile
import time
from pathlib import Path

import asyncpg
import psutil

from bench.figure import Line
from bench.server import Endpoint, cli, pixgate
from gateway.backends import DATABASE
from signing.sigv4.payload import UNSIGNED_PAYLOAD
from signing.sigv4.sign import Credentials, sign_header

IMAGES = 1_000_000
OF_ANOTHER = 100_000
"""Images of a second account, among which look-alikes are looked for."""
FIRST_MS = 1_700_000_000_000
STEP_MS = 1000
AIM_MS = 15.0
DIALECTS = {
    "sqlite": {
        "numbers": "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {last})",
        "random": "hex(randomblob(13))",
        "digest": "randomblob(32)",
        "looks": "random()",
        "key": "CAST(i || '/photo.jpg' AS BLOB)",
    },
    "postgresql": {
        "numbers": "WITH n (i) AS (SELECT generate_series(0::bigint, {last}))",
        "random": "upper(substr(md5(random()::text), 1, 26))",
        "digest": "decode(md5(i::text) || md5((-i)::text), 'hex')",
        "looks": "('x' || substr(md5(i::text), 1, 16))::bit(64)::bigint",
        "key": "convert_to(i || '/photo.jpg', 'UTF8')",
    },
}
STATEMENTS = (
    # There is one content, of all of them: a page does not look at it.
    "INSERT INTO contents (id, uid, size, etag, segment_count) VALUES (1, {empty}, 0, 'd41d8cd98f00b204e9800998ecf8427e', 0)",
    "CREATE TEMPORARY TABLE made AS {numbers} SELECT i, "
    "'I' || replace(replace(replace(replace({random}, '0', 'G'), '1', 'H'), '8', 'J'), '9', 'K') AS name, "
    "CASE WHEN i < {of_another} THEN {another} ELSE {account} END AS account, "
    "CASE WHEN i < {of_another} THEN {second} ELSE {first} END AS bucket, "
    "{first_ms} + i * {step_ms} AS at_ms, 10000 + (i * 7919) % 4990000 AS size, "
    "CASE WHEN i % 10 = 3 THEN 0 ELSE 1 END AS listed FROM n",
    "INSERT INTO versions (seq, bucket_id, key, content_id, modified_ms, headers, image_id) "
    "SELECT i + 1, bucket, {key}, 1, at_ms, '[]', name FROM made ORDER BY i",
    "INSERT INTO heads (bucket_id, key, seq, size, etag, modified_ms) "
    "SELECT bucket, {key}, i + 1, size, 'd41d8cd98f00b204e9800998ecf8427e', at_ms FROM made ORDER BY bucket, {key}",
    "INSERT INTO images (image_id, seq, bucket_id, account_id, filename, content_type, size, sha256, width, height, "
    "visibility, listed, metadata, tags, upload_ip, dominant_color, blurhash, phash, status, job_id, created_ms, updated_ms) "
    "SELECT name, i + 1, bucket, account, 'photo-' || i || '.jpg', CASE WHEN i % 5000 = 0 THEN 'image/webp' "
    "WHEN i % 10 = 1 THEN 'image/png' ELSE 'image/jpeg' END, size, {digest}, 4000, 3000, "
    "CASE WHEN listed = 1 THEN 'public' ELSE 'private' END, listed, '{{\"place\":\"somewhere\"}}', "
    "CASE WHEN i % 10000 = 0 THEN '[\"common\",\"rare\"]' WHEN i % 10 = 0 THEN '[\"common\"]' END, '192.0.2.1', "
    "'#a0b0c0', 'LEHV6nWB2yk8pyo0adR*.7kCMdnj', {looks}, 'completed', lower(name), at_ms, at_ms FROM made ORDER BY name",
    "INSERT INTO image_tags (image_id, tag, account_id, created_ms, size, listed) "
    "SELECT name, 'common', account, at_ms, size, listed FROM made WHERE i % 10 = 0 ORDER BY name",
    "INSERT INTO image_tags (image_id, tag, account_id, created_ms, size, listed) "
    "SELECT name, 'rare', account, at_ms, size, listed FROM made WHERE i % 10000 = 0 ORDER BY name",
    "UPDATE buckets SET known_images = 1",
    "DROP TABLE made",
)
"""One image in ten is private, one has the tag `common` and one is a PNG; one in ten thousand is `rare`."""


def statements(engine: str, count: int, ids: list[int]) -> list[str]:
    account, another, first, second = ids
    dialect = DIALECTS[engine]
    values = dialect | {
        "numbers": dialect["numbers"].format(last=count - 1),
        "empty": "x'00'" if engine == "sqlite" else "decode('00', 'hex')",
        "of_another": OF_ANOTHER,
        "account": account,
        "another": another,
        "first": first,
        "second": second,
        "first_ms": FIRST_MS,
        "step_ms": STEP_MS,
    }
    return [text.format(**values) for text in STATEMENTS]


def fill_sqlite(path: Path, count: int, ids: list[int]) -> str:
    """Gives the id of an image of the second account."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA cache_size = -4000000")
    connection.execute("BEGIN")
    for statement in statements("sqlite", count, ids):
        connection.execute(statement)
    found = connection.execute("SELECT image_id FROM images WHERE account_id = ? LIMIT 1", (ids[1],)).fetchone()
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return str(found[0])


async def fill_postgresql(url: str, count: int, ids: list[int]) -> str:
    connection = await asyncpg.connect(url)
    async with connection.transaction():
        for statement in statements("postgresql", count, ids):
            await connection.execute(statement)
    await connection.execute("VACUUM ANALYZE")
    found = await connection.fetchval("SELECT image_id FROM images WHERE account_id = $1 LIMIT 1", ids[1])
    await connection.close()
    return str(found)


IDS = (
    "SELECT id FROM accounts WHERE is_root = 1",
    "SELECT id FROM accounts WHERE name = 'bench'",
    "SELECT id FROM buckets WHERE name = 'gallery-1'",
    "SELECT id FROM buckets WHERE name = 'gallery-2'",
)
"""Root's account, another one, and a bucket of each."""


async def ids_of(place: Path | str) -> list[int]:
    if isinstance(place, str):
        connection = await asyncpg.connect(place)
        found = [int(await connection.fetchval(sql)) for sql in IDS]
        await connection.close()
        return found
    database = sqlite3.connect(place)
    found = [int(database.execute(sql).fetchone()[0]) for sql in IDS]
    database.close()
    return found


class Client:
    """One connection; requests are signed where a key is given."""

    def __init__(self, server: Endpoint) -> None:
        self._server = server
        self._connection = http.client.HTTPConnection(server.host, server.port)

    def get(self, path: str, keys: tuple[str, str] | None = None) -> dict[str, object]:
        path, _, query = path.partition("?")
        headers = {}
        if keys is not None:
            headers = sign_header(
                Credentials(*keys), method="GET", host=self._server.netloc, raw_path=path.encode(),
                raw_query=query.encode(), now=time.time(), region="us-east-1", payload_hash=UNSIGNED_PAYLOAD,
            ).headers  # fmt: skip
        self._connection.request("GET", f"{path}?{query}", headers=headers)
        answer = self._connection.getresponse()
        body = answer.read()
        assert answer.status == 200, body
        document: dict[str, object] = json.loads(body)
        return document


def processor_seconds(pid: int) -> float:
    """What a server and its processes have used of the processors so far; of PostgreSQL's nothing is in it."""
    server = psutil.Process(pid)
    times = [process.cpu_times() for process in (server, *server.children(recursive=True))]
    return float(sum(one.user + one.system for one in times))


def deep(count: int, order: str = "created-desc") -> str:
    """The cursor in the middle of a list by time."""
    number = count // 2
    place = [order, FIRST_MS + number * STEP_MS, "I" + "A" * 26]
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def measure(
    server: Endpoint, count: int, keys: tuple[str, str], others: tuple[str, str], one: str, rounds: int
) -> list[Line]:
    client = Client(server)
    middle = deep(count)
    moment = (FIRST_MS + count // 3 * STEP_MS) // 1000
    before = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))
    base = "/api/v1/images?limit=50"
    cases: list[tuple[str, str, tuple[str, str] | None]] = [
        ("the newest", base, None),
        ("from the middle", f"{base}&cursor={middle}", None),
        ("the oldest", f"{base}&order=asc", None),
        ("by size", f"{base}&sort=size", None),
        ("a common tag", f"{base}&tag=common", None),
        ("a common tag, from the middle", f"{base}&tag=common&cursor={middle}", None),
        ("a rare tag", f"{base}&tag=rare", None),
        ("a tag, by size", f"{base}&tag=common&sort=size", None),
        ("before a moment", f"{base}&created_before={before}", None),
        ("one type of ten", f"{base}&content_type=image/png", None),
        ("a type that is rare", f"{base}&content_type=image/webp", None),
        ("a type that nobody has", f"{base}&content_type=image/avif", None),
        ("large ones", f"{base}&min_size=4900000", None),
        ("large ones, from the middle", f"{base}&min_size=4900000&cursor={middle}", None),
        ("of one account", f"{base}&owner=root", None),
        ("of the account with the oldest", f"{base}&owner=bench", None),
        ("one's own", "/api/v1/users/me/images?limit=50", keys),
        ("one's own, by size", "/api/v1/users/me/images?limit=50&sort=size", keys),
        ("one's own with a tag", "/api/v1/users/me/images?limit=50&tag=rare", keys),
        ("look-alikes among 100,000", f"/api/v1/images/{one}/duplicates?distance=8", others),
    ]
    lines = []
    for name, path, signer in cases:
        took: list[float] = []
        processor = 0.0
        found = 0
        for number in range(rounds + 3):
            if number == 3:
                processor = processor_seconds(server.pid)
            begin = time.perf_counter()
            document = client.get(path, signer)
            took.append((time.perf_counter() - begin) * 1000)
            images = document.get("images", document.get("duplicates"))
            found = len(images) if isinstance(images, list) else 0
        processor = (processor_seconds(server.pid) - processor) / rounds * 1000
        took = sorted(took[3:])
        p95 = took[int(len(took) * 0.95)]
        aim = "<= 15" if found and "look-alikes" not in name else "-"
        lines.append(
            Line(
                name,
                statistics.median(took),
                "ms",
                aim,
                note=f"p95 {p95:.1f}, {processor:.1f} ms of our processors, {found} images",
            )
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, default=IMAGES)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--database", help="of PostgreSQL; without it SQLite in a folder of its own")
    options = parser.parse_args()
    count = options.images
    with tempfile.TemporaryDirectory(prefix="pixgate-gallery-") as folder:
        data = Path(folder) / "data"
        environment = {} if options.database is None else {"PIXGATE_DATABASE_URL": options.database}
        with pixgate(data, environment=environment):
            cli(data, "buckets", "create", "gallery-1", "--account", "root", environment=environment)
            cli(data, "buckets", "create", "gallery-2", "--account", "bench", environment=environment)
            root = json.loads(cli(data, "keys", "create", "--account", "root", "--json", environment=environment))
        begin = time.perf_counter()
        if options.database is None:
            place = data / DATABASE
            one = fill_sqlite(place, count, asyncio.run(ids_of(place)))
        else:
            one = asyncio.run(fill_postgresql(options.database, count, asyncio.run(ids_of(options.database))))
        print(f"{count:,} images written in {time.perf_counter() - begin:.0f} s")
        with pixgate(data, environment=environment) as server:
            keys = root["access_key"], root["secret_key"]
            others = server.access_key, server.secret_key
            for line in measure(server, count, keys, others, one, options.rounds):
                print(line.text())


if __name__ == "__main__":
    main()
