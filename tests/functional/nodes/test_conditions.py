"""Conditional writes of one key at several nodes at once: exactly one wins, and what it wrote is what is there."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from conformance.wire import Answer
from tests.functional.nodes.conftest import Cluster
from tests.services import Server
from tests.traffic import ask


class _Undecided(Exception):
    """A node did not hear of the end of its write in time, as it may be on a machine that stands still for seconds."""


def _ask(node: Server, method: str, bucket: str, key: str) -> Answer:
    """What a patient client gets."""
    deadline = time.monotonic() + 60
    while (answer := ask(node, method, bucket, key)).status == 503 and time.monotonic() < deadline:
        time.sleep(0.2)
    return answer


def _race(
    cluster: Cluster, threads: ThreadPoolExecutor, bucket: str, key: str, bodies: list[bytes], headers: dict[str, str]
) -> None:
    """One wins, at most; exactly one where every node knows how it went."""

    def put(number: int) -> Answer:
        return ask(cluster.nodes[number % 3], "PUT", bucket, key, bodies[number], headers=headers)

    answers = list(threads.map(put, range(len(bodies))))
    won = [number for number, answer in enumerate(answers) if answer.status == 200]
    statuses = [answer.status for answer in answers]
    assert len(won) <= 1, statuses
    if 503 in statuses:
        raise _Undecided
    assert len(won) == 1, statuses
    for number, answer in enumerate(answers):
        if number not in won:
            answer.refused_any((412, "PreconditionFailed"), (409, "ConditionalRequestConflict"))
    for node in cluster.nodes:
        assert _ask(node, "GET", bucket, key).body == bodies[won[0]]


def _rounds(cluster: Cluster, rounds: int, versioned: bool) -> None:
    dice = random.Random(rounds)
    bucket = f"races-{rounds}-{'versioned' if versioned else 'plain'}"
    client = cluster.nodes[0].client()
    client.create_bucket(Bucket=bucket)
    if versioned:
        client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    undecided = 0
    with ThreadPoolExecutor(6) as threads:
        for number in range(rounds):
            # Small ones share packs and batches, the others are streamed.
            bodies = [dice.randbytes(dice.choice((0, 10, 70_000))) + bytes([place]) for place in range(6)]
            key = f"key-{number}"
            try:
                _race(cluster, threads, bucket, key, bodies, {"If-None-Match": "*"})
                etag = _ask(cluster.nodes[number % 3], "HEAD", bucket, key).header("ETag") or ""
                _race(cluster, threads, bucket, key, [body + b"2" for body in bodies], {"If-Match": etag})
            except _Undecided:
                undecided += 1
                continue
            if versioned:
                found = client.list_object_versions(Bucket=bucket, Prefix=key)["Versions"]
                assert [one["Key"] for one in found].count(key) == 2, "who lost wrote a version"
    assert undecided <= rounds // 5


@pytest.mark.parametrize("versioned", [False, True], ids=["plain", "versioned"])
def test_one_winner(cluster: Cluster, versioned: bool) -> None:
    _rounds(cluster, 25, versioned)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_one_winner_in_a_thousand_rounds(cluster: Cluster) -> None:
    _rounds(cluster, 1000, False)
