"""All use cases over one deployment, opened and closed together."""

from __future__ import annotations

import asyncio
import importlib
import logging
import secrets
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from gateway.blobs.port import Store
from gateway.errors import GatewayError, Unavailable, WrongMasterKey
from gateway.metadata import accounts as account_rows
from gateway.metadata import meta
from gateway.metadata import sweep as blob_rows
from gateway.metadata.port import Database, Transaction
from gateway.model.accounts import Account
from gateway.services.clock import now_ms
from gateway.services.directory import Directory, RootCredentials
from gateway.services.keyring import Keyring
from gateway.services.lease import Lease
from gateway.services.secrets import CHECK_NAME, MasterKey
from gateway.services.stores import Stores
from gateway.settings.auth import AuthSettings

if TYPE_CHECKING:
    from gateway.cache.pinned import PinnedRenditions
    from gateway.cache.tiered import RenditionCache
    from gateway.render.client import RenderClient
    from gateway.services.accounts import Accounts, Keys
    from gateway.services.adopt import Adoption
    from gateway.services.adopted import Adopted
    from gateway.services.audit import Audit
    from gateway.services.buckets import Buckets
    from gateway.services.cache_tags import CacheTags
    from gateway.services.copying import Copying
    from gateway.services.fsck import Fsck
    from gateway.services.issuers import Issuers
    from gateway.services.listing import Listing
    from gateway.services.mail import Mailer
    from gateway.services.moderation import Moderation
    from gateway.services.multipart import Multipart
    from gateway.services.objects import Objects
    from gateway.services.passwords import Passwords
    from gateway.services.sessions import Sessions
    from gateway.services.sweep import Sweep
    from gateway.services.upload_parts import UploadParts
    from gateway.services.users import Users
    from gateway.services.watermarks import Watermarks

log = logging.getLogger("pixgate.services")

MAINTAIN_SECONDS = 1.0
PROBE_SECONDS = 2.5
SWEEP_SECONDS = 60.0
FOLD_SECONDS = 30.0
FOLD_LOCK = "usage"
FOLD_LOCK_MS = 25_000
THREADS = 16


@dataclass(frozen=True, slots=True)
class Backends:
    """What the services stand on. `stores` makes those of a deployment, whose names tell them apart; new blobs go to the
    one named `default_store`. `memory_bytes` is for small blobs of remote stores."""

    open_database: Callable[[], Awaitable[Database]]
    make_stores: Callable[[str, Executor], Awaitable[Sequence[Store]]]
    default_store: str
    memory_bytes: int = 0


def _nobody() -> None:
    """Nobody here carries out jobs."""


PARTS = (
    "accounts",
    "adopt",
    "adopted",
    "audit",
    "buckets",
    "cache_tags",
    "copying",
    "fsck",
    "issuers",
    "listing",
    "mail",
    "moderation",
    "multipart",
    "objects",
    "passwords",
    "sessions",
    "sweep",
    "tokens",
    "upload_parts",
    "users",
    "watermarks",
)
"""The modules of the parts that are made when they are asked for."""


def import_parts() -> None:
    """Import what all parts are made of, for processes that are forked afterwards."""
    for name in PARTS:
        importlib.import_module("gateway.services." + name)


class Services:
    """Made by `open` on the running event loop.

    What every process needs is made at once. The other parts are made, and their modules imported, as they are first
    asked for: a command loads only what it uses. A worker makes them all before it is ready (`complete`).
    """

    def __init__(
        self,
        deployment: str,
        database: Database,
        stores: Sequence[Store],
        backends: Backends,
        executor: ThreadPoolExecutor,
        master: MasterKey,
        root_account: Account,
        root: RootCredentials | None,
        region: str,
        grace_ms: int | None,
        auth: AuthSettings,
        public_url: str | None,
        near_url: str,
    ) -> None:
        self.executor = executor
        self.database = database
        self.deployment = deployment
        self.master = master
        self.lease = Lease(database, stores)
        self.directory = Directory(database, master, root_account, root)
        self.keyring = Keyring(database, self.directory, master)
        self.stores = Stores(
            stores, backends.default_store, self.lease, self.keyring, memory_bytes=backends.memory_bytes
        )
        self.server_presets: Collection[str] = ()
        self.render: RenderClient | None = None
        self.cache: RenditionCache | None = None
        self.pinned: PinnedRenditions | None = None
        self.wake_jobs: Callable[[], None] = _nobody
        """Has this process look for due jobs at once. Called after the commit that added one; costs nothing."""
        self._all_stores = stores
        self._unclaimed: Mapping[str, GatewayError] = {}
        self._region = region
        self._grace_ms = grace_ms
        self._auth = auth
        self._urls = public_url, near_url
        self._tasks: list[asyncio.Task[None]] = []
        self._open = True

    # --- the parts

    def complete(self) -> None:
        """Make every part that there is not yet. Raises InvalidValue where the settings of one are of no use."""
        for name, made in vars(Services).items():
            if isinstance(made, cached_property):
                getattr(self, name)

    def _has(self, part: str) -> bool:
        return part in vars(self)

    @cached_property
    def audit(self) -> Audit:
        from gateway.services.audit import Audit

        return Audit(self.database)

    @cached_property
    def accounts(self) -> Accounts:
        from gateway.services.accounts import Accounts

        return Accounts(self.database)

    @cached_property
    def keys(self) -> Keys:
        from gateway.services.accounts import Keys

        return Keys(self.database, self.directory, self.master)

    @cached_property
    def passwords(self) -> Passwords:
        from gateway.services.passwords import Passwords

        return Passwords(self._auth.bcrypt_cost)

    @cached_property
    def issuers(self) -> Issuers:
        from gateway.services.issuers import Issuers

        return Issuers(self._auth.jwt_issuers)

    @cached_property
    def sessions(self) -> Sessions:
        from gateway.services.sessions import Sessions
        from gateway.services.tokens import Signer, derived_secret

        return Sessions(self.database, Signer(self._auth, derived_secret(self.master.derive)), self.issuers, self._auth)

    @cached_property
    def users(self) -> Users:
        from gateway.services.users import Users

        registration = self._auth.registration
        return Users(self.database, self.passwords, self.sessions, self.audit, registration=registration)

    @cached_property
    def mailer(self) -> Mailer:
        from gateway.services.mail import Mailer

        return Mailer(self._auth, *self._urls)

    @cached_property
    def moderation(self) -> Moderation:
        from gateway.services.moderation import Moderation

        return Moderation(self.database)

    @cached_property
    def buckets(self) -> Buckets:
        from gateway.services.buckets import Buckets

        buckets = Buckets(self.database, self._region, [store.name for store in self._all_stores])
        buckets.server_presets = self.server_presets
        return buckets

    @cached_property
    def adoption(self) -> Adoption:
        from gateway.services.adopt import Adoption

        return Adoption(self.database, self.stores, self.directory, self.buckets)

    @cached_property
    def adopted(self) -> Adopted:
        from gateway.services.adopted import Adopted

        return Adopted(self.database, self.stores, self.adoption)

    @cached_property
    def objects(self) -> Objects:
        from gateway.services.objects import Objects

        return Objects(self.database, self.stores, self.directory, self.lease, self.executor)

    @cached_property
    def copying(self) -> Copying:
        from gateway.services.copying import Copying

        return Copying(self.database, self.stores, self.lease, self.executor)

    @cached_property
    def listing(self) -> Listing:
        from gateway.services.listing import Listing

        return Listing(self.database)

    @cached_property
    def uploads(self) -> Multipart:
        from gateway.services.multipart import Multipart

        return Multipart(self.database, self.stores, self.executor)

    @cached_property
    def upload_parts(self) -> UploadParts:
        from gateway.services.upload_parts import UploadParts

        return UploadParts(self.database, self.stores, self.directory, self.lease, self.executor)

    @cached_property
    def sweep(self) -> Sweep:
        from gateway.services.sweep import GRACE_MS, Sweep

        grace_ms = GRACE_MS if self._grace_ms is None else self._grace_ms
        return Sweep(self.database, self._all_stores, secrets.token_hex(8), grace_ms=grace_ms)

    @cached_property
    def fsck(self) -> Fsck:
        from gateway.services.fsck import Fsck

        return Fsck(self.database, self._all_stores, self.keyring)

    @cached_property
    def cache_tags(self) -> CacheTags:
        from gateway.services.cache_tags import PURPOSE, CacheTags

        return CacheTags(self.master.derive(PURPOSE))

    @cached_property
    def watermarks(self) -> Watermarks:
        from gateway.services.watermarks import Watermarks

        return Watermarks(self.directory, self.objects, self.adopted)

    # --- opening

    @classmethod
    async def open(
        cls,
        backends: Backends,
        *,
        master: MasterKey,
        region: str = "us-east-1",
        root: RootCredentials | None = None,
        worker: bool = False,
        whole: bool = True,
        grace_ms: int | None = None,
        auth: AuthSettings | None = None,
        public_url: str | None = None,
        near_url: str = "",
    ) -> Services:
        """Open a migrated deployment. A worker also takes a lease, maintains the database and sweeps.

        Where it need not be `whole`, it is opened although a store cannot be used; `check_store` says why.

        Raises InvalidValue where the master key or a store is not the database's, DatabaseUnavailable, StoreUnavailable.
        """
        stores: Sequence[Store] = ()
        unclaimed: dict[str, GatewayError] = {}
        executor = ThreadPoolExecutor(THREADS, thread_name_prefix="io")
        database = await backends.open_database()
        try:
            deployment, root_account = await database.write(lambda tx: _bootstrap(tx, master))
            stores = await backends.make_stores(deployment, executor)
            for store in stores:
                used = await blob_rows.used(database, store.name)
                try:
                    await store.claim(used=used)
                except GatewayError as error:
                    if whole:
                        raise
                    unclaimed[store.name] = error
            services = cls(
                deployment,
                database,
                stores,
                backends,
                executor,
                master,
                root_account,
                root,
                region,
                grace_ms,
                auth or AuthSettings(),
                public_url,
                near_url,
            )
        except BaseException:
            for store in stores:
                await store.close()
            await database.close()
            executor.shutdown()
            raise
        try:
            services._unclaimed = unclaimed
            await services.directory.refresh()
            if worker:
                services.complete()
                await services.lease.begin()
                services.lease.keep()
                services.audit.begin()
                services._every(MAINTAIN_SECONDS, "maintenance", database.maintain)
                if database.engine != "sqlite":
                    services._every(FOLD_SECONDS, "usage", services._fold_usage)
                services._every(SWEEP_SECONDS, "sweep", services._sweep)
        except BaseException:
            await services.close()
            raise
        return services

    def _every(self, seconds: float, name: str, action: Callable[[], Awaitable[None]]) -> None:
        async def repeat() -> None:
            while True:
                await asyncio.sleep(seconds)
                try:
                    await action()
                except GatewayError as error:
                    log.warning("%s: %s", name, error)

        self._tasks.append(asyncio.get_running_loop().create_task(repeat(), name=name))

    async def _fold_usage(self) -> None:
        """Add up what the writes noted, if no other process is at it."""
        from gateway.metadata import usage
        from gateway.services.sweep import take_turn

        if await take_turn(self.database, FOLD_LOCK, self.sweep.owner, FOLD_LOCK_MS):
            while await self.database.write(usage.fold, heavy=True) >= usage.FOLDED:
                pass

    async def _sweep(self) -> None:
        for store in self.stores:
            store.release_idle()
        report = await self.sweep.run_once()
        if report is not None and (report.blobs or report.names):
            log.info("sweep: %s contents, %s blobs, %s names", report.contents, report.blobs, report.names)
        if report is not None:
            # A rotation of the master key that was cut short.
            await self.keyring.rewrap()

    async def check(self) -> None:
        """Raise the fact that keeps this process from serving, if there is one."""
        if not self._open:
            raise Unavailable("closing")
        await self.database.one("SELECT 1")

    async def health(self) -> dict[str, dict[str, object]]:
        """An entry for the database and one for each store: `status` is healthy, degraded or unhealthy, `detail` why."""
        names = ["database", *("store" if s is self.stores.default else f"store {s.name}" for s in self.stores)]
        checks = [_state("unhealthy", self.check()), *(_state("degraded", self.check_store(s)) for s in self.stores)]
        kinds = [("engine", self.database.engine), *(("kind", s.kind) for s in self.stores)]
        cache, pinned = self.cache, self.pinned
        tiers = [tier.check() for tier in (cache, pinned) if tier is not None]
        states, _ = await asyncio.gather(asyncio.gather(*checks), asyncio.gather(*tiers))
        entries = {name: {**state, what: kind} for name, state, (what, kind) in zip(names, states, kinds, strict=True)}
        if pinned is not None:
            entries["variants"] = dict(pinned.health())
        return entries if cache is None else {**entries, **cache.health()}

    async def check_store(self, store: Store) -> None:
        """Raise the fact that keeps a store from being used, if there is one."""
        error = self._unclaimed.get(store.name)
        if error is not None:
            raise error
        await store.probe()
        store.check_room()

    async def close(self) -> None:
        """Give back the lease and close everything. Writes that were begun are finished."""
        self._open = False
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.cache is not None:
            await self.cache.close()
        if self.pinned is not None:
            await self.pinned.close()
        if self._has("mailer"):
            await self.mailer.close()
        if self._has("issuers"):
            await self.issuers.close()
        if self._has("passwords"):
            self.passwords.close()
        if self._has("audit"):
            await self.audit.close()
        # First what is still on its way to them: the sweep looks under a lease once that it is given back.
        for store in self.stores:
            await store.close()
        try:
            await self.lease.end()
        except GatewayError as error:
            log.warning("the lease could not be given back: %s", error)
        self.executor.shutdown()
        await self.database.close()


async def _state(otherwise: str, check: Awaitable[None]) -> dict[str, object]:
    """`healthy`, or what else it is where the check fails or takes too long."""
    try:
        await asyncio.wait_for(check, PROBE_SECONDS)
    except GatewayError as error:
        return {"status": otherwise, "detail": str(error)}
    except TimeoutError:
        return {"status": otherwise, "detail": "it does not answer in time"}
    return {"status": "healthy"}


async def _bootstrap(tx: Transaction, master: MasterKey) -> tuple[str, Account]:
    """The facts that a new database lacks: deployment id, the master key's check value, the root account."""
    deployment = await meta.put_if_absent(tx, meta.DEPLOYMENT, secrets.token_hex(8).encode())
    check = await meta.put_if_absent(tx, CHECK_NAME, master.check_value())
    if not secrets.compare_digest(check, master.check_value()):
        raise WrongMasterKey("the master key is not the one that this database was made with")
    root = await account_rows.root(tx)
    if root is None:
        from gateway.services.accounts import new_canonical_id

        root = await account_rows.create(tx, "root", new_canonical_id(), now_ms(), is_root=True)
    return deployment.decode(), root
