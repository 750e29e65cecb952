"""MinIO stands still, dies and restarts under GET, PUT and multipart: clear errors in time, and nothing lost, half or left."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.deployment import Deployment
from tests.servers.minio import Minio
from tests.servers.postgresql import PostgreSQL
from tests.traffic import Traffic, ask

STALL_SECONDS = 30
"""What a body, and the answer to one, may stand still."""


def _traffic(deployment: Deployment, bucket: str, *, seed: int = 1) -> Traffic:
    nodes = deployment.start("a", workers=2)
    assert ask(nodes[0], "PUT", bucket).status == 200
    return Traffic(nodes, bucket, patience=STALL_SECONDS + 20, seed=seed)


def _put(traffic: Traffic, key: str, size: int) -> None:
    body = key.encode() * (size // len(key))
    digest = traffic.ledger.sending(key, body)
    assert ask(traffic.servers[0], "PUT", traffic.bucket, key, body).status == 200
    traffic.ledger.acknowledged(key, digest)


def _rounds(deployment: Deployment, minio: Minio, rounds: int, away: float) -> None:
    """As often it stands still, dies, and (where there are several rounds) restarts."""
    traffic = _traffic(deployment, "kept")
    (node,) = traffic.servers
    try:
        # Of its own keys the traffic deletes each one sooner or later while none can be put.
        _put(traffic, "stays", 300_000)
        with traffic.flowing():
            traffic.until("PUT 200", 20)
            for number in range(rounds):
                faults = [(minio.pause, minio.resume), (minio.kill, minio.start), (minio.stop, minio.start)]
                for begin, end in faults[: 2 if rounds == 1 else 3]:
                    begin()
                    traffic.until("PUT 503", 3, 60)
                    if number == 0:
                        traffic.wait(lambda: ask(node, "GET", "kept", "stays").status == 503, "GET 503")
                    time.sleep(away)
                    end()
                    traffic.until("PUT 200", 10, 60)
                    traffic.until("GET 200", 10, 60)
            traffic.until("multipart 200", 1, 60)
        assert ask(node, "GET", "kept", "nothing").status == 404
        deployment.audit(traffic.ledger, "kept")
    finally:
        deployment.kill()


def test_minio_stops_dies_and_restarts_under_load(tmp_path: Path, postgresql: PostgreSQL, own_minio: Minio) -> None:
    _rounds(Deployment.new(tmp_path, postgresql, own_minio), own_minio, 1, 0.5)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_minio_stops_dies_and_restarts_under_load_many_times(
    tmp_path: Path, postgresql: PostgreSQL, own_minio: Minio
) -> None:
    _rounds(Deployment.new(tmp_path, postgresql, own_minio), own_minio, 25, 3)


def test_what_is_deleted_while_the_store_is_away_is_gone_at_once_and_its_bytes_later(
    tmp_path: Path, postgresql: PostgreSQL, own_minio: Minio
) -> None:
    deployment = Deployment.new(tmp_path, postgresql, own_minio)
    traffic = _traffic(deployment, "kept")
    (node,) = traffic.servers
    ledger = traffic.ledger
    try:
        for key, size in (("large", 200_000), ("small", 100), ("stays", 300_000)):
            _put(traffic, key, size)
        own_minio.kill()
        for key in ("large", "small"):
            digest = ledger.sending(key, None)
            assert ask(node, "DELETE", "kept", key).status == 204
            ledger.acknowledged(key, digest)
            assert ask(node, "GET", "kept", key).status == 404
        assert ask(node, "GET", "kept", query=[("list-type", "2")]).texts("Contents/Key") == ["stays"]
        assert ask(node, "GET", "kept", "stays").status == 503
        assert b"degraded" in node.fetch("/health")[1]
        assert node.fetch("/readyz")[0] == 200, "deletions, lists and renditions in memory are served all the same"
        own_minio.start()
        assert len(deployment.names(killed=True)) == 3, "nobody has swept yet"
        deployment.audit(ledger, "kept")
        assert len(deployment.names(killed=True)) == 1
    finally:
        deployment.kill()
