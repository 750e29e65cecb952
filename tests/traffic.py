"""A small bounded load of many kinds of requests, which keeps a ledger and notices every answer that may not be."""

from __future__ import annotations

import http.client
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from conformance.probe import Probe
from conformance.sigv4 import UNSIGNED, Pairs, query_string
from conformance.wire import Answer
from tests.ledger import ABSENT, Ledger, digest_of
from tests.services import Server

HEAD_SECONDS = 12.0
"""A head comes within five seconds; the rest is for a machine that does much else."""
BODY_SECONDS = 60.0
SIZES = (0, 200, 4096, 40_000, 300_000, 1_500_000)
SMALL = 64 * 1024
"""Up to here a body is sent to the store as a whole: it fails as early as a request without one."""
PAUSE = 0.01


class Cut(Exception):
    """The line ended before the whole answer was there."""


class Wrong(AssertionError):
    """An answer that may not be: too late, no S3 error, or other bytes than were stored."""


def ask(
    server: Server,
    method: str,
    bucket: str,
    key: str = "",
    body: bytes = b"",
    *,
    query: Pairs = (),
    headers: dict[str, str] | None = None,
    head_seconds: float = HEAD_SECONDS,
) -> Answer:
    """One request on a connection of its own. Raises Cut; Wrong where its head is late or it is an error of no form."""
    probe = Probe(server.target())
    path = probe.path(bucket, key)
    signed = probe.signed_headers(method, path, query, headers, payload=UNSIGNED)
    if body or method in {"PUT", "POST"}:
        signed.append(("Content-Length", str(len(body))))
    began = time.monotonic()
    try:
        with probe.open(timeout=head_seconds) as connection:
            connection.head(
                method, f"{path}?{query_string(query)}" if query else path, [*signed, ("Connection", "close")]
            )
            connection.body(body)
            response = http.client.HTTPResponse(connection.socket, method=method)
            response.begin()
            connection.socket.settimeout(BODY_SECONDS)
            answer = Answer(response.status, tuple(response.getheaders()), response.read())
    except TimeoutError as error:
        raise Wrong(f"{method} {bucket}/{key}: nothing came for {time.monotonic() - began:.1f} s") from error
    except (http.client.HTTPException, OSError) as error:
        raise Cut(f"{method} {bucket}/{key}: {type(error).__name__} {error}") from None
    if answer.status >= 500:
        if answer.status != 503 or answer.header("Retry-After") is None:
            raise Wrong(f"{method} {bucket}/{key}: {answer.status} {answer.body[:200]!r}")
        if method != "HEAD" and answer.code not in {"ServiceUnavailable", "SlowDown"}:
            raise Wrong(f"{method} {bucket}/{key}: 503 {answer.code}")
    return answer


@dataclass
class Traffic:
    """Clients that put, read, delete and list on some nodes, each its own keys, until told to stop.

    `final`: 503 means that nothing happened and never will; else, as S3 has it, the outcome is unknown. `patience` is how
    long the answer to a long body may take, in seconds.
    """

    servers: Sequence[Server]
    bucket: str
    ledger: Ledger = field(default_factory=Ledger)
    clients: int = 4
    seed: int = 1
    final: bool = True
    patience: float = HEAD_SECONDS
    outcomes: dict[str, int] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def flowing(self) -> Iterator[None]:
        """While the block runs. Raises what any client saw that may not be."""
        self._stop.clear()
        with ThreadPoolExecutor(self.clients) as threads:
            jobs = [threads.submit(self._client, number) for number in range(self.clients)]
            try:
                yield
            finally:
                self._stop.set()
                # What a client saw is the reason of whatever else fails.
                for job in jobs:
                    job.result()

    def until(self, outcome: str, more: int = 1, seconds: float = 60) -> None:
        """Wait until so many more requests ended thus."""
        before = self.outcomes.get(outcome, 0)
        self.wait(lambda: self.outcomes.get(outcome, 0) >= before + more, f"{more} more {outcome}", seconds)

    def wait(self, condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
        """Wait for a condition."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"no {what} within {seconds} s: {self.outcomes}"
            assert not self._stop.is_set(), f"a client saw what may not be: {self.outcomes}"
            time.sleep(0.02)

    def _count(self, outcome: str) -> None:
        with self._lock:
            self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1

    def _client(self, number: int) -> None:
        dice = random.Random(f"{self.seed} {number} {self.ledger.acknowledgements}")
        keys = [f"c{number}/{place}" for place in range(12)]
        kinds = (self._put, self._get, self._delete, self._multipart, self._list)
        try:
            while not self._stop.is_set():
                act = dice.choices(kinds, (40, 40, 8, 8, 4))[0]
                act(dice.choice(self.servers), dice.choice(keys), dice)
                time.sleep(PAUSE)
        except BaseException:
            self._stop.set()
            raise

    def _change(self, kind: str, key: str, body: bytes | None, send: Callable[[], Answer]) -> None:
        before = self.ledger.possible(key)
        digest = self.ledger.sending(key, body)
        try:
            answer = send()
        except Cut:
            self._count(f"{kind} cut")
            return
        self._count(f"{kind} {answer.status}")
        if answer.status in (200, 204):
            self.ledger.acknowledged(key, digest)
        elif answer.status < 500 and answer.status not in (404,):
            raise Wrong(f"{kind} {key}: {answer.status} {answer.body[:300]!r}")
        elif self.final:
            self.ledger.refused(key, digest, before)

    def _put(self, server: Server, key: str, dice: random.Random) -> None:
        body = dice.randbytes(dice.choice(SIZES))
        late = HEAD_SECONDS if len(body) <= SMALL else self.patience
        self._change("PUT", key, body, lambda: ask(server, "PUT", self.bucket, key, body, head_seconds=late))

    def _delete(self, server: Server, key: str, _: random.Random) -> None:
        self._change("DELETE", key, None, lambda: ask(server, "DELETE", self.bucket, key))

    def _multipart(self, server: Server, key: str, dice: random.Random) -> None:
        """Each step at another node, as it comes. What fails before the completion changes nothing."""
        body = dice.randbytes(dice.choice(SIZES[1:]))
        try:
            began = ask(server, "POST", self.bucket, key, query=[("uploads", "")])
            if began.status != 200:
                self._count(f"multipart {began.status}")
                return
            upload = began.text("UploadId") or ""
            query = [("partNumber", "1"), ("uploadId", upload)]
            where = dice.choice(self.servers)
            late = HEAD_SECONDS if len(body) <= SMALL else self.patience
            part = ask(where, "PUT", self.bucket, key, body, query=query, head_seconds=late)
            if part.status != 200:
                self._count(f"multipart {part.status}")
                return
        except Cut:
            self._count("multipart cut")
            return
        etag = part.header("ETag") or ""
        document = (
            "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber>"
            f"<ETag>{etag.replace(chr(34), '&quot;')}</ETag></Part></CompleteMultipartUpload>"
        ).encode()
        where = dice.choice(self.servers)
        complete: Callable[[], Answer] = lambda: ask(  # noqa: E731 -- it is sent below
            where, "POST", self.bucket, key, document, query=[("uploadId", upload)]
        )
        self._change("multipart", key, body, complete)

    def _get(self, server: Server, key: str, _: random.Random) -> None:
        possible = self.ledger.possible(key)
        try:
            answer = ask(server, "GET", self.bucket, key)
        except Cut:
            self._count("GET cut")
            return
        self._count(f"GET {answer.status}")
        if answer.status == 200:
            found = digest_of(answer.body)
        elif answer.status == 404:
            found = ABSENT
        elif answer.status == 503:
            return
        else:
            raise Wrong(f"GET {key}: {answer.status} {answer.body[:300]!r}")
        if found not in possible:
            raise Wrong(f"GET {key}: {answer.status}, {len(answer.body)} bytes, which it may not hold")

    def _list(self, server: Server, key: str, _: random.Random) -> None:
        prefix = key.partition("/")[0] + "/"
        try:
            answer = ask(server, "GET", self.bucket, query=[("list-type", "2"), ("prefix", prefix)])
        except Cut:
            self._count("LIST cut")
            return
        self._count(f"LIST {answer.status}")
        if answer.status == 503:
            return
        listed = set(answer.succeeded().texts("Contents/Key"))
        for place in range(12):
            possible = self.ledger.possible(f"{prefix}{place}")
            if ABSENT not in possible and f"{prefix}{place}" not in listed:
                raise Wrong(f"the list lacks {prefix}{place}")
            if possible == {ABSENT} and f"{prefix}{place}" in listed:
                raise Wrong(f"the list has {prefix}{place}, which is not there")
