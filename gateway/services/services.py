"""All use cases over one data folder, opened and closed together."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.blobs.filesystem import FilesystemStore
from gateway.errors import GatewayError, InvalidValue, Unavailable, WrongMasterKey
from gateway.metadata import accounts as account_rows
from gateway.metadata import meta
from gateway.metadata import sweep as blob_rows
from gateway.metadata.port import Transaction
from gateway.metadata.sqlite import SqliteDatabase
from gateway.model import Account
from gateway.services.accounts import Accounts, Keys, new_canonical_id
from gateway.services.buckets import Buckets
from gateway.services.clock import now_ms
from gateway.services.copying import Copying
from gateway.services.directory import Directory, RootCredentials
from gateway.services.fsck import Fsck
from gateway.services.lease import Lease
from gateway.services.listing import Listing
from gateway.services.multipart import Multipart
from gateway.services.objects import Objects
from gateway.services.secrets import CHECK_NAME, MasterKey
from gateway.services.stores import Stores
from gateway.services.sweep import GRACE_MS, Sweep

if TYPE_CHECKING:
    from gateway.render.client import RenderClient

log = logging.getLogger("pixgate.services")

DATABASE = "pixgate.sqlite"
HANDOVER = "run/handover.sock"
DEPLOYMENT_NAME = "deployment_id"
CHECKPOINT_SECONDS = 1.0
SWEEP_SECONDS = 60.0
THREADS = 16


class Services:
    """Made by `open` on the running event loop."""

    def __init__(
        self,
        database: SqliteDatabase,
        store: FilesystemStore,
        master: MasterKey,
        root_account: Account,
        root: RootCredentials | None,
        region: str,
        grace_ms: int,
    ) -> None:
        self.executor = ThreadPoolExecutor(THREADS, thread_name_prefix="io")
        self.database = database
        self.store = store
        self.lease = Lease(database, store)
        self.directory = Directory(database, master, root_account, root)
        self.stores = Stores((store,), self.lease)
        self.accounts = Accounts(database)
        self.keys = Keys(database, self.directory, master)
        self.buckets = Buckets(database, region)
        self.objects = Objects(database, store, self.directory, self.lease, self.executor)
        self.copying = Copying(database, self.stores, self.executor)
        self.listing = Listing(database)
        self.uploads = Multipart(database, store, self.stores, self.lease, self.executor)
        self.sweep = Sweep(database, store, secrets.token_hex(8), grace_ms=grace_ms)
        self.fsck = Fsck(database, store)
        self.render: RenderClient | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._open = True

    @classmethod
    async def open(
        cls,
        data: Path,
        *,
        master: MasterKey,
        region: str = "us-east-1",
        root: RootCredentials | None = None,
        min_free: int = 0,
        worker: bool = False,
        grace_ms: int = GRACE_MS,
    ) -> Services:
        """Open a migrated data folder. A worker also takes a lease, checkpoints and sweeps.

        Raises InvalidValue where the master key or the store is not the database's, DatabaseUnavailable,
        StoreUnavailable.
        """
        path = data / DATABASE
        if not path.exists():
            raise InvalidValue(f"there is no database in {data}: run `pixgate migrate` or `pixgate serve` first")
        database = SqliteDatabase(path, data / HANDOVER)
        try:
            deployment, root_account = await database.write(lambda tx: _bootstrap(tx, master))
            used = bool(await blob_rows.blobs_after(database, after=0, limit=1))
            blobs = data / "blobs"
            blobs.mkdir(mode=0o700, exist_ok=True)
            store = FilesystemStore(blobs, deployment, min_free=min_free)
            store.claim(used=used)
            services = cls(database, store, master, root_account, root, region, grace_ms)
        except BaseException:
            await database.close()
            raise
        try:
            services.directory.refresh()
            if worker:
                await services.lease.begin()
                services.lease.keep()
                services._every(CHECKPOINT_SECONDS, "checkpoint", database.checkpoint)
                services._every(SWEEP_SECONDS, "sweep", services._sweep)
        except BaseException:
            await services.close()
            raise
        return services

    def _every(self, seconds: float, name: str, action: Callable[[], asyncio.Future[None] | object]) -> None:
        async def repeat() -> None:
            while True:
                await asyncio.sleep(seconds)
                try:
                    result = action()
                    if asyncio.iscoroutine(result):
                        await result
                except GatewayError as error:
                    log.warning("%s: %s", name, error)

        self._tasks.append(asyncio.get_running_loop().create_task(repeat(), name=name))

    async def _sweep(self) -> None:
        self.store.release_idle()
        report = await self.sweep.run_once()
        if report is not None and (report.blobs or report.names):
            log.info("sweep: %s contents, %s blobs, %s names", report.contents, report.blobs, report.names)

    async def check(self) -> None:
        """Raise the fact that keeps this process from serving, if there is one."""
        if not self._open:
            raise Unavailable("closing")
        await self.database.one("SELECT 1")

    async def health(self) -> dict[str, dict[str, object]]:
        """An entry each for database and store: `status` is healthy, degraded or unhealthy, `detail` says why."""
        entries: dict[str, dict[str, object]] = {}
        try:
            await self.check()
            entries["database"] = {"status": "healthy", "engine": "sqlite"}
        except GatewayError as error:
            entries["database"] = {"status": "unhealthy", "engine": "sqlite", "detail": str(error)}
        try:
            await asyncio.to_thread(self.store.probe)
            self.store.check_room()
            entries["store"] = {"status": "healthy", "kind": "folder"}
        except GatewayError as error:
            # Reads and deletes go on.
            entries["store"] = {"status": "degraded", "kind": "folder", "detail": str(error)}
        return entries

    async def close(self) -> None:
        """Give back the lease and close everything. Writes that were begun are finished."""
        self._open = False
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        try:
            await self.lease.end()
        except GatewayError as error:
            log.warning("the lease could not be given back: %s", error)
        self.executor.shutdown()
        await self.database.close()
        self.store.close()


async def _bootstrap(tx: Transaction, master: MasterKey) -> tuple[str, Account]:
    """The facts that a new database lacks: deployment id, the master key's check value, the root account."""
    deployment = await meta.put_if_absent(tx, DEPLOYMENT_NAME, secrets.token_hex(8).encode())
    check = await meta.put_if_absent(tx, CHECK_NAME, master.check_value())
    if not secrets.compare_digest(check, master.check_value()):
        raise WrongMasterKey("the master key is not the one that this database was made with")
    root = await account_rows.root(tx)
    if root is None:
        root = await account_rows.create(tx, "root", new_canonical_id(), now_ms(), is_root=True)
    return deployment.decode(), root
