"""Two hundred requests for the same new rendition at three nodes at once are one render, with Redis and without."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.functional.nodes.conftest import Cluster
from tests.images import jpeg
from tests.services import Server
from tests.traffic import ask

REQUESTS = 200


@pytest.fixture(scope="module")
def without_redis(cluster: Cluster) -> Iterator[list[Server]]:
    """Three more nodes of the deployment, whose renditions meet in the store, and their locks in the database."""
    nodes = cluster.deployment.start("d", "e", "f", image_store_cache_bytes="100MB")
    yield nodes
    for node in nodes:
        node.stop()


def _renders(nodes: list[Server]) -> float:
    return sum(node.metric("pixgate_renders_total", result="ok") for node in nodes)


@pytest.mark.parametrize("shared", ["redis", "store"])
def test_two_hundred_at_once(cluster: Cluster, shared: str, request: pytest.FixtureRequest) -> None:
    nodes: list[Server] = cluster.nodes if shared == "redis" else request.getfixturevalue("without_redis")
    bucket = f"photos-{shared}"
    assert ask(nodes[0], "PUT", bucket).status == 200
    assert ask(nodes[1], "PUT", bucket, "photo", jpeg((2400, 1600))).status == 200
    renders = []
    # From the original: a mezzanine is a render of its own.
    # A node to which Redis is silent for a tenth of a second does without it, which a busy machine may bring about once.
    for width in range(333, 336 if shared == "redis" else 334):
        before = _renders(nodes)

        def get(number: int, width: int = width) -> bytes:
            answer = ask(
                nodes[number % 3], "GET", bucket, "photo", query=[("x-img", f"w:{width},exact:1")], head_seconds=60
            )
            return answer.succeeded().body

        with ThreadPoolExecutor(REQUESTS) as threads:
            pictures = set(threads.map(get, range(REQUESTS)))
        assert len(pictures) == 1
        renders.append(_renders(nodes) - before)
        if renders[-1] == 1:
            break
    assert renders[-1] == 1, renders
