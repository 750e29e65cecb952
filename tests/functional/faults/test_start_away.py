"""A node that starts while its database or its store is away: 503 at every door, ready by itself when it is back."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.deployment import Deployment
from tests.functional.imaging import fetch
from tests.servers.minio import Minio
from tests.servers.postgresql import PostgreSQL
from tests.services import Server
from tests.traffic import HEAD_SECONDS, Cut, Traffic, ask

DOORS = ("/img/abc?w=10", "/api/v1/images", "/ui/", "/health", "/")
LISTENS_SECONDS = 60
BACK_SECONDS = 60


def _check_doors(node: Server) -> None:
    deadline = time.monotonic() + LISTENS_SECONDS
    while True:
        try:
            # It waits in the line of the listening socket until the first worker is there.
            answer = fetch(node, "/readyz", timeout=LISTENS_SECONDS)
            break
        except ConnectionRefusedError:
            assert time.monotonic() < deadline, "it does not even listen"
            time.sleep(0.05)
    assert answer.status == 503
    assert fetch(node, "/livez", timeout=HEAD_SECONDS).status == 200
    for path in DOORS:
        answer = fetch(node, path, timeout=HEAD_SECONDS)
        assert (answer.status, "retry-after" in answer.headers) == (503, True), path
    for method, key, body in (("GET", "key", b""), ("PUT", "key", b"x" * 100_000), ("DELETE", "key", b"")):
        try:
            refused = ask(node, method, "kept", key, body)
        except Cut:
            pytest.fail(f"{method} had no answer")
        assert (refused.status, refused.code) == (503, "ServiceUnavailable")


def _away(deployment: Deployment, leave: Callable[[], None], come: Callable[[], None], *, left_first: bool) -> None:
    """Start before there is anything, or again on what is there."""
    node = deployment.node("a", workers=2)
    traffic = Traffic([node], "kept")
    try:
        if not left_first:
            node.start()
            assert ask(node, "PUT", "kept").status == 200
            digest = traffic.ledger.sending("key", b"kept")
            assert ask(node, "PUT", "kept", "key", b"kept").status == 200
            traffic.ledger.acknowledged("key", digest)
            node.stop()
        leave()
        node.begin()
        _check_doors(node)
        assert node.running
        come()
        node.wait(BACK_SECONDS)
        if left_first:
            assert ask(node, "PUT", "kept").status == 200
        else:
            assert ask(node, "GET", "kept", "key").body == b"kept"
        deployment.audit(traffic.ledger, "kept")
    finally:
        deployment.kill()


def test_a_new_node_waits_for_its_database(tmp_path: Path, own_postgresql: PostgreSQL, minio: Minio) -> None:
    deployment = Deployment.new(tmp_path, own_postgresql, minio, migrated=False)
    _away(deployment, own_postgresql.kill, own_postgresql.start, left_first=True)


def test_a_node_waits_for_a_database_that_hangs(tmp_path: Path, own_postgresql: PostgreSQL, minio: Minio) -> None:
    deployment = Deployment.new(tmp_path, own_postgresql, minio)
    _away(deployment, own_postgresql.pause, own_postgresql.resume, left_first=False)


def test_a_new_node_waits_for_its_store(tmp_path: Path, postgresql: PostgreSQL, own_minio: Minio) -> None:
    deployment = Deployment.new(tmp_path, postgresql, own_minio)
    _away(deployment, own_minio.kill, own_minio.start, left_first=True)


@pytest.mark.long
def test_a_node_waits_for_a_store_that_hangs(tmp_path: Path, postgresql: PostgreSQL, own_minio: Minio) -> None:
    deployment = Deployment.new(tmp_path, postgresql, own_minio)
    _away(deployment, own_minio.pause, own_minio.resume, left_first=False)
