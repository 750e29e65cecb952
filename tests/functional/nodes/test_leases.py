"""Nodes that die or stand still in the middle of a PUT: nothing half is seen, and another node sweeps what they left."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from conformance.probe import Probe
from conformance.sigv4 import UNSIGNED
from conformance.wire import Connection
from tests.deployment import Deployment
from tests.ledger import Ledger
from tests.servers.fault_proxy import FaultProxy
from tests.servers.line_proxy import LineProxy
from tests.servers.minio import Minio
from tests.servers.postgresql import PostgreSQL
from tests.services import Server
from tests.traffic import Cut, ask

BLOB = re.compile(r"/[0-9a-f]{16}/\d+/\d+")
"""In the target of whatever is asked of the store for a blob of its own."""
BODY = b"0123456789abcdef" * 200_000
"""Half of it is more than a node gathers before it begins to write."""
BEGUN_SECONDS = 60
LEASE_SECONDS = 60
"""In which a node that lost its lease has a new one: it looks every ten seconds."""


def _begin(node: Server, key: str) -> Connection:
    """Send the head of a PUT and half of its body."""
    probe = Probe(node.target())
    path = probe.path("kept", key)
    headers = probe.signed_headers("PUT", path, payload=UNSIGNED)
    connection = probe.open()
    connection.head("PUT", path, [*headers, ("Content-Length", str(len(BODY))), ("Connection", "close")])
    connection.body(BODY[: len(BODY) // 2])
    return connection


def test_a_node_killed_between_the_store_and_the_commit(tmp_path: Path, postgresql: PostgreSQL, minio: Minio) -> None:
    """Its blob is there, and no row: a name under a lease that ends, which another node's sweep removes."""
    deployment = Deployment.new(tmp_path, postgresql, minio)
    with LineProxy(postgresql.port) as proxy:
        behind = deployment.database_url.replace(f":{postgresql.port}/", f":{proxy.port}/")
        try:
            (other,) = deployment.start("a")
            others = set(deployment.leases())
            (doomed,) = deployment.start("b", database_url=behind)
            (lease,) = set(deployment.leases()) - others
            assert ask(other, "PUT", "kept").status == 200
            committing = proxy.when(b"doomed", by="client", then="hang")
            with ThreadPoolExecutor(1) as threads:
                put = threads.submit(ask, doomed, "PUT", "kept", "doomed", BODY)
                committing.wait()
                doomed.kill()
                with pytest.raises(Cut):
                    put.result()
            orphans = {name for name in deployment.names(killed=True) if name.startswith(f"{lease}/")}
            assert len(orphans) == 1
            ledger = Ledger()
            assert deployment.sweep().names == 0, "its lease has not ended: it might still commit"
            assert deployment.names(killed=True) >= orphans
            deployment.let_leases_end(lease)
            assert deployment.sweep().names == 1
            assert not deployment.names(killed=True) & orphans
            assert ask(other, "GET", "kept", "doomed").status == 404
            deployment.audit(ledger, "kept")
        finally:
            deployment.kill()


def test_a_node_that_slept_past_its_lease_may_not_commit(tmp_path: Path, postgresql: PostgreSQL, minio: Minio) -> None:
    with FaultProxy(minio.port) as proxy:
        deployment = Deployment.new(tmp_path, postgresql, minio, store_endpoint=proxy.endpoint)
        try:
            _sleep_past_the_lease(deployment, proxy)
        finally:
            deployment.kill()


def _sleep_past_the_lease(deployment: Deployment, proxy: FaultProxy) -> None:
    other, sleeper = deployment.start("a", "b")
    assert ask(other, "PUT", "kept").status == 200
    # What is stored before the sleep is stored; what was on its way is not.
    ledger = Ledger()
    digest = ledger.sending("before", BODY)
    assert ask(sleeper, "PUT", "kept", "before", BODY).status == 200
    ledger.acknowledged("before", digest)
    digest = ledger.sending("sleeping", BODY)
    seen = len(proxy.seen)
    with _begin(sleeper, "sleeping") as connection:
        # Its blob has its name, under the lease of now.
        deadline = time.monotonic() + BEGUN_SECONDS
        while not any(BLOB.search(one.target) for one in proxy.seen[seen:]):
            assert time.monotonic() < deadline, "nothing came to the store"
            time.sleep(0.01)
        sleeper.pause()
        (asleep,) = [
            row[0]
            for row in deployment.rows("SELECT id, owner FROM leases WHERE state = 'live'")
            if row[1].endswith(tuple(f":{pid}" for pid in _pids(sleeper)))
        ]
        deployment.let_leases_end(asleep)
        deployment.sweep()
        assert asleep not in deployment.leases()
        sleeper.resume()
        connection.body(BODY[len(BODY) // 2 :])
        connection.answer().refused(503, "ServiceUnavailable")
    ledger.refused("sleeping", digest, frozenset({""}))
    for node in (other, sleeper):
        assert ask(node, "GET", "kept", "sleeping").status == 404
        assert ask(node, "GET", "kept", "before").body == BODY

    # It takes another lease by itself, and writes again.
    digest = ledger.sending("after", BODY)
    deadline = time.monotonic() + LEASE_SECONDS
    while (answer := ask(sleeper, "PUT", "kept", "after", BODY)).status != 200:
        assert answer.status == 503
        assert time.monotonic() < deadline
        time.sleep(0.2)
    ledger.acknowledged("after", digest)
    deployment.audit(ledger, "kept")


def _pids(node: Server) -> list[int]:
    import psutil

    return [process.pid for process in psutil.Process(node.pid).children(recursive=True)]
