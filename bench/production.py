"""PostgreSQL, MinIO and Redis under our server, beside MinIO asked directly, each in turns on the same processors.

Our server has two workers, both sides sixteen connections from the same load generator. Behind each figure stands what a
request costs in microseconds of processor time, by who spends it: on a busy machine that says more than the clock.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.backends import Production, production
from bench.figure import Line, median
from bench.open_answers import first_byte, read_for
from bench.processor import Costs, peak_megabytes, reset_peak, tree, workers
from bench.requests import presigned
from bench.server import Endpoint, cli, pixgate
from bench.without_bytes import without_bytes
from conformance.load import Figures, Request, run

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB
BUCKET = "bench"
ADOPTED = "bench-adopted"
HOT_KEYS = 64
HELD_SECONDS = 5.0
WORKER_MEGABYTES = "<= 250"


@dataclass(frozen=True, slots=True)
class Counts:
    """How much is measured: rounds, requests of 4 KiB a round (of the larger ones accordingly fewer), objects to adopt."""

    rounds: int
    requests: int
    adopted: int


Requests = Callable[[Endpoint, int], list[Request]]
"""Makes the requests of one round, by its number, for one side."""


class Sides:
    """Our server and the store below it, which is also asked directly."""

    def __init__(self, ours: Endpoint, stands_on: Production) -> None:
        self.ours = ours
        self.direct = stands_on.direct
        self._stands_on = stands_on

    def both(self, requests: Requests) -> None:
        """Ask both once, unmeasured."""
        for side in (self.direct, self.ours):
            run(side.address, requests(side, 0))

    def compare(self, name: str, requests: Requests, aim: str, rounds: int, *, megabytes: float = 0.0) -> Line:
        """Rounds of both in turns: the median of our rates, and of the ratios.

        Rates are requests a second, or with `megabytes`, which one request moves, MB a second.
        """
        direct_costs = Costs({"store": self._store})
        costs = Costs({"workers": self.workers, "store": self._store, "database": self._database})
        unit, scale = ("MB/s", megabytes) if megabytes else ("/s", 1.0)
        rates, limits, slowest = [], [], []
        for number in range(rounds):
            limits.append(_round(self.direct, requests(self.direct, number), direct_costs).rate * scale)
            figures = _round(self.ours, requests(self.ours, number), costs)
            rates.append(figures.rate * scale)
            slowest.append(figures.percentile(99.9) * 1000)
        ratio = median([rate / limit for rate, limit in zip(rates, limits, strict=True)])
        note = f"direct {median(limits):,.0f}; p99.9 {median(slowest):,.0f} ms; us: {costs}; direct: {direct_costs}"
        return Line(name, median(rates), unit, aim, ratio, note, beside="direct")

    def workers(self) -> list[int]:
        return workers(self.ours.pid)

    def _store(self) -> list[int]:
        return tree(self._stands_on.store_pid)

    def _database(self) -> list[int]:
        return tree(self._stands_on.database_pid)


def _round(side: Endpoint, requests: list[Request], costs: Costs) -> Figures:
    with costs.measured(len(requests)):
        return run(side.address, requests)


def put_of(side: Endpoint, key: str, pieces: list[bytes]) -> Request:
    """A PUT whose body is these pieces, which may be shared among many."""
    return [presigned(side, "PUT", BUCKET, key, length=sum(map(len, pieces))), *pieces]


def small(sides: Sides, counts: Counts) -> Iterator[Line]:
    """4 KiB: written, read for the first time, and read again and again."""
    body = os.urandom(4 * KIB)

    def puts(side: Endpoint, number: int) -> list[Request]:
        keys = [f"small/{number}/{one}" for one in range(counts.requests)]
        return [presigned(side, "PUT", BUCKET, key, body=body) for key in keys]

    yield sides.compare("PUT 4 KiB, durable", puts, ">= 0.7 x", counts.rounds)

    everything = [f"small/{number}/{one}" for number in range(counts.rounds) for one in range(counts.requests)]
    random.Random(4).shuffle(everything)

    def cold_gets(side: Endpoint, number: int) -> list[Request]:
        keys = everything[number * counts.requests :][: counts.requests]
        return [presigned(side, "GET", BUCKET, key) for key in keys]

    yield sides.compare("GET 4 KiB, each for the first time", cold_gets, ">= 0.6 x", counts.rounds)

    def hot_gets(side: Endpoint, _: int) -> list[Request]:
        return [presigned(side, "GET", BUCKET, everything[one % HOT_KEYS]) for one in range(counts.requests)]

    sides.both(hot_gets)
    yield sides.compare("GET 4 KiB, 64 of them again and again", hot_gets, ">= 1.5 x", counts.rounds)


def large(sides: Sides, counts: Counts) -> Iterator[Line]:
    """1 MiB read, 64 MiB written."""
    mebibyte = os.urandom(MIB)
    keys = [f"large/{one}" for one in range(32)]
    sides.both(lambda side, _: [put_of(side, key, [mebibyte]) for key in keys])

    def gets(side: Endpoint, _: int) -> list[Request]:
        return [presigned(side, "GET", BUCKET, keys[one % len(keys)]) for one in range(max(64, counts.requests // 8))]

    yield sides.compare("GET 1 MiB", gets, ">= 0.6 x", counts.rounds, megabytes=MIB / 1e6)

    # One mebibyte again and again would be as good: nobody looks for likeness.
    def puts(side: Endpoint, _: int) -> list[Request]:
        return [put_of(side, f"huge/{one}", [mebibyte] * 64) for one in range(16)]

    yield sides.compare("PUT 64 MiB", puts, ">= 0.7 x", min(3, counts.rounds), megabytes=64 * MIB / 1e6)


def one_gibibyte(sides: Sides, counts: Counts) -> Iterator[Line]:
    """An object of 1 GiB: how soon it begins, and what many readers and writers take of a worker's memory."""
    ours = sides.ours
    mebibyte = os.urandom(MIB)
    run(ours.address, [put_of(ours, "gibibyte", [mebibyte] * 1024)])
    get = presigned(ours, "GET", BUCKET, "gibibyte")
    firsts = [first_byte(ours.address, get) * 1000 for _ in range(counts.rounds * 4)]
    yield Line("first byte of a GET of 1 GiB", median(firsts), "ms", "<= 15")

    for text, read in (("read", True), ("left unread", False)):
        reset_peak(sides.workers())
        received = read_for(ours.address, get, 64, HELD_SECONDS, read=read)
        note = f"{received / HELD_SECONDS / 1e6:,.0f} MB/s" if read else ""
        peak = peak_megabytes(sides.workers())
        yield Line(f"a worker's memory, 64 GETs of 1 GiB {text}", peak, "MB", WORKER_MEGABYTES, note=note)

    reset_peak(sides.workers())
    figures = run(ours.address, [put_of(ours, f"quarter/{one}", [mebibyte] * 256) for one in range(16)])
    note = f"{figures.rate * 256 * MIB / 1e6:,.0f} MB/s"
    peak = peak_megabytes(sides.workers())
    yield Line("a worker's memory, 16 PUTs of 256 MiB", peak, "MB", WORKER_MEGABYTES, note=note)


def adopted(sides: Sides, counts: Counts, environment: dict[str, str]) -> Iterator[Line]:
    """A bucket that was there before."""
    direct = sides.direct
    run(direct.address, [presigned(direct, "PUT", ADOPTED)])
    body = os.urandom(100)
    keys = [f"{one % 100}/{one}" for one in range(counts.adopted)]
    run(direct.address, [presigned(direct, "PUT", ADOPTED, key, body=body) for key in keys])
    began = time.perf_counter()
    report = json.loads(cli(sides.ours.data, "adopt", "--bucket", ADOPTED, "--json", environment=environment))
    seconds = time.perf_counter() - began
    if report["new"] != counts.adopted:
        raise RuntimeError(f"not everything was adopted: {report}")
    rate = counts.adopted / seconds * 60
    yield Line(f"adopted of {counts.adopted:,}", rate, "/min", ">= 100,000", note=f"{seconds:.1f} s")


@contextmanager
def deployed(folder: Path) -> Iterator[tuple[Sides, dict[str, str]]]:
    """Our server on servers of its own, and a bucket on either side."""
    with production() as stands_on, pixgate(folder / "production", environment=stands_on.environment) as ours:
        sides = Sides(ours, stands_on)
        sides.both(lambda side, _: [presigned(side, "PUT", BUCKET)])
        yield sides, stands_on.environment


CASES = ("small", "large", "rows", "gibibyte", "adopt")


def measure(folder: Path, counts: Counts, cases: Collection[str] = CASES) -> Iterator[Line]:
    """These of them, a line at a time."""
    with deployed(folder) as (sides, environment):
        if "small" in cases:
            yield from small(sides, counts)
        if "large" in cases:
            yield from large(sides, counts)
        if "rows" in cases:
            yield from without_bytes(sides.ours, BUCKET, counts.rounds * 3, 1000, 5 * MIB)
        if "gibibyte" in cases:
            yield from one_gibibyte(sides, counts)
        if "adopt" in cases:
            yield from adopted(sides, counts, environment)
