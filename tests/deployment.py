"""A deployment as in production: nodes of ours in front of one PostgreSQL, one bucket and perhaps a Redis; and its audit."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
from botocore.exceptions import ClientError

from gateway.blobs.port import PROBES_KEPT_MS
from gateway.services import Services
from gateway.services.clock import now_ms
from gateway.services.sweep import SweepReport
from migrations.run import upgrade
from tests.functional.beside import beside
from tests.ledger import Ledger, digest_of
from tests.servers.ports import free_port
from tests.servers.postgresql import PostgreSQL
from tests.servers.s3 import S3Server
from tests.services import Server, stand_on

READERS = 8
BACK_SECONDS = 60
"""In which every worker of a node uses a store again that was away: each leaves it alone for up to eight (docs/adr/0022)."""

T = TypeVar("T")


@dataclass
class Deployment:
    """`environment` is what all nodes share; `bucket` is the store's bucket, `server` the S3 server it is on."""

    folder: Path
    server: S3Server
    bucket: str
    database_url: str
    environment: dict[str, str]
    _nodes: dict[str, Server] = field(default_factory=dict)

    @classmethod
    def new(
        cls,
        folder: Path,
        postgresql: PostgreSQL,
        server: S3Server,
        *,
        redis_url: str = "",
        store_endpoint: str = "",
        database_port: int = 0,
        migrated: bool = True,
        **settings: str,
    ) -> Deployment:
        """A new database and a new bucket. `store_endpoint` and `database_port` are those of proxies in front of them;
        `settings` are more of PIXGATE_*, in lower case."""
        database = postgresql.new_database("migrated", upgrade) if migrated else postgresql.new_database()
        bucket = server.new_bucket()
        seen = database.replace(f":{postgresql.port}/", f":{database_port}/") if database_port else database
        environment = {
            "PIXGATE_MASTER_KEY": secrets.token_hex(32),
            "PIXGATE_DATABASE_URL": seen,
            "PIXGATE_DATABASE_POOL": "4",
            "PIXGATE_STORE_URL": server.store_url(bucket, store_endpoint),
            "PIXGATE_MIN_FREE_BYTES": "0",
            **({"PIXGATE_REDIS_URL": redis_url} if redis_url else {}),
            **{f"PIXGATE_{name.upper()}": value for name, value in settings.items()},
        }
        return cls(folder, server, bucket, database, environment)

    # Nodes

    def node(self, name: str = "a", *, workers: int = 1, **settings: str) -> Server:
        """A node with a data folder of its own, not yet started; the same one for each who asks for the name."""
        if name not in self._nodes:
            data = self.folder / name / "data"
            data.parent.mkdir(parents=True, exist_ok=True)
            more = {f"PIXGATE_{key.upper()}": value for key, value in settings.items()}
            stand_on(data, self.environment | more)
            port = free_port()
            self._nodes[name] = Server(data, workers=workers, arguments=("--listen", f"127.0.0.1:{port}"))
            self._nodes[name].url = f"http://127.0.0.1:{port}"
        return self._nodes[name]

    def start(self, *names: str, workers: int = 1, **settings: str) -> list[Server]:
        """Nodes, started side by side and ready."""
        nodes = [self.node(name, workers=workers, **settings) for name in names]
        for node in nodes:
            node.begin()
        for node in nodes:
            node.wait()
        return nodes

    def stop(self) -> None:
        """End every node in good order."""
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(lambda node: node.stop() if node.running else None, self._nodes.values()))

    def kill(self) -> None:
        """End every node at once."""
        for node in self._nodes.values():
            if node.running:
                node.resume()
                node.kill()

    @contextmanager
    def running(self, *names: str, workers: int = 1) -> Iterator[list[Server]]:
        """Nodes that run until the block ends."""
        try:
            yield self.start(*names, workers=workers)
        finally:
            self.kill()

    # The database, behind the nodes' backs

    def rows(self, sql: str, *parameters: object) -> list[Any]:
        """Run a statement."""

        async def ask() -> list[Any]:
            connection = await asyncpg.connect(self.database_url, timeout=60)
            try:
                return list(await connection.fetch(sql, *parameters))
            finally:
                await connection.close()

        with ThreadPoolExecutor(1) as threads:
            return threads.submit(asyncio.run, ask()).result()

    def let_leases_end(self, *leases: int) -> None:
        """As if more than a minute had gone by in which nobody renewed these (all where none is named)."""
        chosen = list(leases) or [row[0] for row in self.rows("SELECT id FROM leases WHERE state = 'live'")]
        self.rows("UPDATE leases SET renewed_ms = renewed_ms - 120000 WHERE id = ANY($1::bigint[])", chosen)

    def leases(self) -> list[int]:
        """Those that live."""
        return [row[0] for row in self.rows("SELECT id FROM leases WHERE state = 'live' ORDER BY id")]

    # The store, behind the nodes' backs

    def names(self, *, killed: bool = False) -> set[str]:
        """The names, as in rows, of all blobs in the bucket; nothing lies there but these, renditions and the mark.

        Where a process was `killed`, what it tried the store with may stay: one looks at it while others serve already.
        """
        found = self._keys()
        # What a node tries a store with goes as soon as it was read.
        deadline = time.monotonic() + 60
        while not killed and any(name.startswith("probe-") for name in found) and time.monotonic() < deadline:
            time.sleep(0.2)
            found = self._keys()
        if killed:
            found = {name for name in found if not name.startswith("probe-")}
        (deployment,) = self.rows("SELECT value FROM meta WHERE name = 'deployment_id'")
        prefix = f"{bytes(deployment[0]).decode()}/"
        blobs = {name.removeprefix(prefix) for name in found if name.startswith(prefix)}
        others = {name for name in found if not name.startswith((prefix, f"cache/{prefix}"))}
        assert len(others) == 1, f"beside the mark: {sorted(others)[:5]}"
        return blobs

    def _keys(self) -> set[str]:
        client = self.server.client()
        try:
            pages = client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
            return {entry["Key"] for page in pages for entry in page.get("Contents", [])}
        finally:
            client.close()

    # The audit

    def with_services(self, work: Callable[[Services], Awaitable[T]]) -> T:
        """What a command does beside the nodes."""
        return beside(self.folder / "audit", work, self.environment)

    def sweep(self) -> SweepReport:
        """Remove everything that may be removed, as `pixgate sweep --grace 0s` does."""

        async def work(services: Services) -> SweepReport:
            # One of the nodes may be at it.
            while (report := await services.sweep.run_once(0)) is None:
                await asyncio.sleep(0.1)
            return report

        return self.with_services(work)

    def audit(self, ledger: Ledger, bucket: str) -> None:
        """Every acknowledged object is there byte for byte, nothing else is, and the sweep leaves no orphan.

        Ends all nodes: those that were killed before have lost their leases by then.
        """
        ledger.check(contents(next(node for node in self._nodes.values() if node.running), bucket))
        self.check_store()

    def check_store(self) -> None:
        """End all nodes and their leases, and compare the store, after a sweep, with the rows."""
        self.stop()
        self.let_leases_end()
        assert self.sweep().waiting == ()
        self.with_services(_remove_probes)
        rows = {row[0] for row in self.rows("SELECT DISTINCT name FROM blobs WHERE state = 'live'")}
        names = self.names()
        assert names == rows, f"orphans {sorted(names - rows)[:5]}, lost {sorted(rows - names)[:5]}"
        assert self.rows("SELECT 1 FROM blobs WHERE state != 'live'") == []
        checked = self.with_services(lambda services: services.fsck.run())
        assert (checked.problems, checked.leftovers) == ([], [])


async def _remove_probes(services: Services) -> None:
    """What nodes that were killed left of them, as sweeps do when it is an hour old."""
    for store in services.stores:
        await store.remove_old_probes(now_ms() + PROBES_KEPT_MS)


def contents(node: Server, bucket: str) -> dict[str, str]:
    """The digest of every object, each read as a whole, and as long as its entry in the list says."""
    client = node.client()
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    entries: Sequence[Any] = [entry for page in pages for entry in page.get("Contents", [])]

    def read(entry: Any) -> tuple[str, str]:
        body = _patiently(lambda: client.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read())
        assert len(body) == entry["Size"]
        return entry["Key"], digest_of(body)

    with ThreadPoolExecutor(READERS) as threads:
        return dict(threads.map(read, entries))


def _patiently(read: Callable[[], bytes]) -> bytes:
    """As SDKs do by default: asked again where the answer is 503."""
    deadline = time.monotonic() + BACK_SECONDS
    while True:
        try:
            return read()
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != 503 or time.monotonic() > deadline:
                raise
        time.sleep(0.2)
