"""PostgreSQL stands still, dies, restarts and loses answers under writes: unknown is said to be unknown, done is done."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.deployment import Deployment
from tests.ledger import Ledger
from tests.servers.line_proxy import POSTGRESQL_COMMITTED, LineProxy
from tests.servers.minio import Minio
from tests.servers.postgresql import PostgreSQL
from tests.services import Server
from tests.traffic import Traffic, ask


def _rounds(deployment: Deployment, postgresql: PostgreSQL, rounds: int, away: float) -> None:
    try:
        nodes = deployment.start("a", workers=2)
        assert ask(nodes[0], "PUT", "kept").status == 200
        traffic = Traffic(nodes, "kept", final=False)
        with traffic.flowing():
            traffic.until("PUT 200", 20)
            faults = [
                (postgresql.pause, postgresql.resume),
                (postgresql.kill, postgresql.start),
                (postgresql.stop, postgresql.start),
            ]
            for _ in range(rounds):
                for begin, end in faults[: 2 if rounds == 1 else 3]:
                    begin()
                    traffic.until("PUT 503", 3, 60)
                    traffic.until("GET 503", 2, 60)
                    time.sleep(away)
                    end()
                    traffic.until("PUT 200", 10, 60)
                    traffic.until("GET 200", 10, 60)
            traffic.until("multipart 200", 1, 60)
        deployment.audit(traffic.ledger, "kept")
    finally:
        deployment.kill()


def test_postgresql_stops_dies_and_restarts_under_load(
    tmp_path: Path, own_postgresql: PostgreSQL, minio: Minio
) -> None:
    _rounds(Deployment.new(tmp_path, own_postgresql, minio), own_postgresql, 1, 0.5)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_postgresql_stops_dies_and_restarts_under_load_many_times(
    tmp_path: Path, own_postgresql: PostgreSQL, minio: Minio
) -> None:
    _rounds(Deployment.new(tmp_path, own_postgresql, minio), own_postgresql, 25, 3)


def _appears(node: Server, key: str) -> None:
    deadline = time.monotonic() + 60
    while ask(node, "HEAD", "kept", key).status != 200:
        assert time.monotonic() < deadline, f"{key} was not done"
        time.sleep(0.02)


def _lost_answers(deployment: Deployment, proxy: LineProxy, rounds: int) -> None:
    try:
        (node,) = deployment.start("a")
        assert ask(node, "PUT", "kept").status == 200
        ledger = Ledger()
        for number in range(rounds):
            key, body = f"put-{number}", b"%d" % number * 50_000
            digest = ledger.sending(key, body)
            lost = proxy.when(key.encode(), by="client", then="lose")
            assert ask(node, "PUT", "kept", key, body).status == 503
            lost.wait()
            # It is done in a moment, and stays: the client may look, or send it again.
            _appears(node, key)
            assert ask(node, "GET", "kept", key).body == body
            again = ask(node, "PUT", "kept", key, body)
            assert again.status == 200
            ledger.acknowledged(key, digest)

            key = f"gone-{number}"
            for _ in range(5):
                digest = ledger.sending(key, b"x")
                assert ask(node, "PUT", "kept", key, b"x").status == 200
                ledger.acknowledged(key, digest)
                digest = ledger.sending(key, None)
                lost = proxy.when(POSTGRESQL_COMMITTED)
                answer = ask(node, "DELETE", "kept", key)
                lost.wait()
                if answer.status == 503:
                    break
                # The line of a lease's renewal, every ten seconds, was the one.
                ledger.acknowledged(key, digest)
            assert answer.status == 503
            assert ask(node, "GET", "kept", key).status == 404
            assert ask(node, "DELETE", "kept", key).status == 204
            ledger.acknowledged(key, digest)

            # What the lost answer did counts for conditions.
            key = f"new-{number}"
            digest = ledger.sending(key, body)
            lost = proxy.when(key.encode(), by="client", then="lose", skip=1)
            first = ask(node, "PUT", "kept", key, body, headers={"If-None-Match": "*"})
            assert first.status == 503
            lost.wait()
            _appears(node, key)
            assert ask(node, "PUT", "kept", key, body, headers={"If-None-Match": "*"}).status == 412
            ledger.acknowledged(key, digest)
        assert ask(node, "GET", "kept", query=[("list-type", "2")]).status == 200
        proxy.clear()
        deployment.audit(ledger, "kept")
    finally:
        deployment.kill()


def test_a_line_cut_between_the_commit_and_its_answer(tmp_path: Path, postgresql: PostgreSQL, minio: Minio) -> None:
    with LineProxy(postgresql.port) as proxy:
        _lost_answers(Deployment.new(tmp_path, postgresql, minio, database_port=proxy.port), proxy, 2)


@pytest.mark.long
def test_many_lines_cut_between_the_commit_and_its_answer(tmp_path: Path, postgresql: PostgreSQL, minio: Minio) -> None:
    with LineProxy(postgresql.port) as proxy:
        _lost_answers(Deployment.new(tmp_path, postgresql, minio, database_port=proxy.port), proxy, 50)
