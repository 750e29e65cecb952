"""A store that refuses, hangs, cuts bodies and lies about lengths: one clear error or the right bytes, nothing in between."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.deployment import Deployment
from tests.ledger import Ledger
from tests.servers.fault_proxy import (
    CutAnswer,
    CutUpload,
    Fault,
    FaultProxy,
    Hang,
    HangInAnswer,
    LoseAnswer,
    Refusal,
    WrongLength,
)
from tests.servers.minio import Minio
from tests.servers.postgresql import PostgreSQL
from tests.services import Server
from tests.traffic import HEAD_SECONDS, Cut, ask

BUCKET = "kept"
BLOB = r"/[0-9a-f]{16}/\d+/"
"""In the target of whatever is asked of the store for a blob."""
SMALL, MIDDLE, LARGE = 4000, 400_000, 70 * 1024**2
"""Of one call, of one streamed body, of several parts at the store."""


@dataclass
class Bench:
    """One node behind a proxy; what is stored is noted for the audit at the end of the module."""

    deployment: Deployment
    node: Server
    proxy: FaultProxy
    ledger: Ledger
    count: int = 0

    def put(self, size: int, head_seconds: float = HEAD_SECONDS) -> tuple[str, bytes, int]:
        """Put a new key; gives it, its body and the status."""
        self.count += 1
        key = f"key-{self.count}"
        body = random.Random(self.count).randbytes(min(size, MIDDLE)) * max(1, size // MIDDLE)
        digest = self.ledger.sending(key, body)
        status = ask(self.node, "PUT", BUCKET, key, body, head_seconds=head_seconds).status
        if status == 200:
            self.ledger.acknowledged(key, digest)
        else:
            self.ledger.refused(key, digest, frozenset({""}))
        return key, body, status

    def stored(self, size: int) -> tuple[str, bytes]:
        """A new key that is there."""
        key, body, status = self.put(size)
        assert status == 200
        return key, body

    def usual(self) -> None:
        """Without a fault everything is as ever, at once or when the store is tried again."""
        self.proxy.clear()
        self.proxy.cut()
        # It is left alone for seconds where it failed often.
        deadline = time.monotonic() + 60
        while self.put(10)[2] != 200:
            assert time.monotonic() < deadline, "it is not tried again"
            time.sleep(0.05)
        key, body = self.stored(MIDDLE)
        assert ask(self.node, "GET", BUCKET, key).body == body


@pytest.fixture(scope="module")
def module_bench(tmp_path_factory: pytest.TempPathFactory, postgresql: PostgreSQL, minio: Minio) -> Iterator[Bench]:
    with FaultProxy(minio.port) as proxy:
        folder = tmp_path_factory.mktemp("lies")
        # Each read asks the store: nothing is remembered.
        deployment = Deployment.new(folder, postgresql, minio, store_endpoint=proxy.endpoint, blob_memory_bytes="0")
        with deployment.running("a") as (node,):
            assert ask(node, "PUT", BUCKET).status == 200
            bench = Bench(deployment, node, proxy, Ledger())
            yield bench
            proxy.clear()
            deployment.audit(bench.ledger, BUCKET)


@pytest.fixture
def bench(module_bench: Bench) -> Iterator[Bench]:
    """The module's, and afterwards it serves as if nothing had been."""
    yield module_bench
    module_bench.usual()


@pytest.mark.parametrize("size", [SMALL, MIDDLE])
@pytest.mark.parametrize("fault", [Refusal(503), Refusal(500, "InternalError"), Hang()], ids=str)
def test_what_the_store_does_not_do_is_refused_in_time(bench: Bench, fault: Fault, size: int) -> None:
    key, body = bench.stored(size)
    bench.proxy.on(fault, "", BLOB, count=None)
    assert bench.put(size)[2] == 503
    assert ask(bench.node, "GET", BUCKET, key).status == 503
    assert ask(bench.node, "HEAD", BUCKET, key).status == 200, "that is in the database"
    digest = bench.ledger.sending(key, None)
    assert ask(bench.node, "DELETE", BUCKET, key).status == 204, "that too"
    bench.ledger.acknowledged(key, digest)
    assert len(body) == size


@pytest.mark.parametrize("size", [SMALL, MIDDLE])
def test_one_that_is_busy_once_is_asked_again(bench: Bench, size: int) -> None:
    refused = bench.proxy.on(Refusal(503), "PUT", BLOB)
    key, body = bench.stored(size)
    refused_too = bench.proxy.on(Refusal(503), "GET", BLOB)
    assert ask(bench.node, "GET", BUCKET, key).body == body
    assert (refused.hits.hits, refused_too.hits.hits) == (1, 1)


@pytest.mark.parametrize("size", [SMALL, MIDDLE])
@pytest.mark.parametrize(
    "fault",
    [CutAnswer(1000), CutAnswer(1000, reset=True), CutAnswer(0), WrongLength(10), WrongLength(-10)],
    ids=str,
)
def test_a_body_that_is_not_what_it_should_be_never_looks_whole(bench: Bench, fault: Fault, size: int) -> None:
    key, body = bench.stored(size)
    rule = bench.proxy.on(fault, "GET", BLOB, count=None)
    for _ in range(2):
        try:
            answer = ask(bench.node, "GET", BUCKET, key)
        except Cut:
            continue
        assert answer.status == 503
    assert rule.hits.hits
    bench.proxy.clear()
    bench.usual()
    assert ask(bench.node, "GET", BUCKET, key).body == body


def test_a_range_is_not_taken_for_another(bench: Bench) -> None:
    key, body = bench.stored(MIDDLE)
    bench.proxy.on(WrongLength(-1), "GET", BLOB)
    try:
        answer = ask(bench.node, "GET", BUCKET, key, headers={"Range": "bytes=100-299999"})
    except Cut:
        return
    assert answer.status in (206, 503)
    assert answer.status == 503 or answer.body == body[100:300_000]


def test_a_small_body_that_stands_still_is_refused_in_time(bench: Bench) -> None:
    """It is read whole before anything is said."""
    key, _ = bench.stored(SMALL)
    bench.proxy.on(HangInAnswer(1000), "GET", BLOB, count=None)
    assert ask(bench.node, "GET", BUCKET, key).status == 503


@pytest.mark.long
def test_a_body_that_stands_still_is_cut(bench: Bench) -> None:
    key, _ = bench.stored(MIDDLE)
    bench.proxy.on(HangInAnswer(1000), "GET", BLOB, count=None)
    with pytest.raises(Cut):
        ask(bench.node, "GET", BUCKET, key, head_seconds=40)


@pytest.mark.parametrize("size", [SMALL, MIDDLE])
def test_an_upload_that_is_cut_is_refused_or_done_again(bench: Bench, size: int) -> None:
    bench.proxy.on(CutUpload(1000), "PUT", BLOB)
    key, body, status = bench.put(size)
    assert status in (200, 503)
    assert ask(bench.node, "GET", BUCKET, key).status == (200 if status == 200 else 404)
    assert len(body) == size


@pytest.mark.parametrize("size", [SMALL, MIDDLE])
def test_an_answer_that_is_lost_leaves_no_orphan(bench: Bench, size: int) -> None:
    """The store has the bytes, and we were not told: written again under the same name, or left to the sweep."""
    lost = bench.proxy.on(LoseAnswer(), "PUT", BLOB)
    key, _, status = bench.put(size)
    assert lost.hits.hits == 1
    assert ask(bench.node, "GET", BUCKET, key).status == (200 if status == 200 else 404)


@pytest.mark.parametrize(
    ("fault", "method", "target", "expected"),
    [
        (Refusal(503), "POST", "uploads", {200}),
        (CutUpload(1_000_000), "PUT", "partNumber=3", {503}),
        (Refusal(403, "AccessDenied"), "PUT", "partNumber=2", {503}),
        (LoseAnswer(), "POST", "uploadId", {200}),
    ],
    ids=["begin", "part cut", "part refused", "completed unheard"],
)
def test_a_blob_in_parts(bench: Bench, fault: Fault, method: str, target: str, expected: set[int]) -> None:
    rule = bench.proxy.on(fault, method, target)
    key, body, status = bench.put(LARGE, 60)
    assert rule.hits.hits == 1
    assert status in expected
    answer = ask(bench.node, "GET", BUCKET, key, head_seconds=60)
    if status == 200:
        assert answer.body == body
    else:
        assert answer.status == 404


@pytest.mark.parametrize("refusal", [Refusal(507, "XMinioStorageFull"), Refusal(403, "AccessDenied")], ids=str)
def test_a_store_that_takes_nothing_still_gives(bench: Bench, refusal: Refusal) -> None:
    key, body = bench.stored(MIDDLE)
    bench.proxy.on(refusal, "PUT", BLOB, count=None)
    for size in (SMALL, MIDDLE):
        assert bench.put(size)[2] == 503
        assert ask(bench.node, "GET", BUCKET, key).body == body
