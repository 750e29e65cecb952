"""Conditional writes of one key at several nodes at once: exactly one wins, and what it wrote is what is there."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from conformance.wire import Answer
from tests.functional.nodes.conftest import Cluster
from tests.traffic import ask


def _race(
    cluster: Cluster, threads: ThreadPoolExecutor, bucket: str, key: str, bodies: list[bytes], headers: dict[str, str]
) -> bytes:
    """The body of the one that won."""

    def put(number: int) -> Answer:
        return ask(cluster.nodes[number % 3], "PUT", bucket, key, bodies[number], headers=headers)

    answers = list(threads.map(put, range(len(bodies))))
    won = [number for number, answer in enumerate(answers) if answer.status == 200]
    assert len(won) == 1, [answer.status for answer in answers]
    for number, answer in enumerate(answers):
        if number not in won:
            answer.refused_any((412, "PreconditionFailed"), (409, "ConditionalRequestConflict"))
    for node in cluster.nodes:
        assert ask(node, "GET", bucket, key).body == bodies[won[0]]
    return bodies[won[0]]


def _rounds(cluster: Cluster, rounds: int, versioned: bool) -> None:
    dice = random.Random(rounds)
    bucket = f"races-{rounds}-{'versioned' if versioned else 'plain'}"
    client = cluster.nodes[0].client()
    client.create_bucket(Bucket=bucket)
    if versioned:
        client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    with ThreadPoolExecutor(6) as threads:
        for number in range(rounds):
            # Small ones share packs and batches, the others are streamed.
            bodies = [dice.randbytes(dice.choice((0, 10, 70_000))) + bytes([place]) for place in range(6)]
            key = f"key-{number}"
            _race(cluster, threads, bucket, key, bodies, {"If-None-Match": "*"})
            etag = ask(cluster.nodes[number % 3], "HEAD", bucket, key).header("ETag") or ""
            _race(cluster, threads, bucket, key, [body + b"2" for body in bodies], {"If-Match": etag})
            if versioned:
                found = client.list_object_versions(Bucket=bucket, Prefix=key)["Versions"]
                assert len(found) == 2, "who lost wrote a version"


@pytest.mark.parametrize("versioned", [False, True], ids=["plain", "versioned"])
def test_one_winner(cluster: Cluster, versioned: bool) -> None:
    _rounds(cluster, 25, versioned)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_one_winner_in_a_thousand_rounds(cluster: Cluster) -> None:
    _rounds(cluster, 1000, False)
