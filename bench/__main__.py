"""`make bench`: what the server reaches on this machine, as ratios to a bare aiohttp server in the same minute.

Rounds of both sides are interleaved, and the median of the rounds is printed beside the figure that is aimed at.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import psutil

from bench import jobs, production, uploads
from bench.figure import Line, median, rates
from bench.fill import fill
from bench.production import Counts
from bench.requests import plain, presigned
from bench.server import Endpoint, bare, cli, pixgate
from bench.without_bytes import timed, without_bytes
from conformance.load import Figures, run

KIB = 1024
MIB = 1024 * KIB
SMALL = os.urandom(4 * KIB)
BUCKET = "bench"


def put(endpoint: Endpoint, key: str, body: bytes, **headers: str) -> None:
    run(endpoint.address, [presigned(endpoint, "PUT", BUCKET, key, body=body, headers=headers)])


def small_requests(endpoint: Endpoint, limit: Endpoint, rounds: int, count: int) -> list[Line]:
    """GET, HEAD and PUT of 4 KiB over 16 connections."""
    keys = [f"small/{number}" for number in range(64)]
    for key in keys:
        put(endpoint, key, SMALL)
    gets = [presigned(endpoint, "GET", BUCKET, keys[number % 64]) for number in range(count)]
    heads = [presigned(endpoint, "HEAD", BUCKET, keys[number % 64]) for number in range(count)]
    limits = [plain(limit, "GET", "/")] * count
    lines = []

    def theirs() -> Figures:
        return run(limit.address, limits)

    figures, ratio = rates(rounds, lambda: run(endpoint.address, gets), theirs)
    lines.append(Line("GET 4 KiB", median([f.rate for f in figures]), "/s", ">= 6,500", ratio))
    figures, ratio = rates(rounds, lambda: run(endpoint.address, heads, bodyless=True), theirs)
    lines.append(Line("HEAD", median([f.rate for f in figures]), "/s", ">= 7,000", ratio))
    numbers = iter(range(10**9))

    def puts() -> Figures:
        requests = [presigned(endpoint, "PUT", BUCKET, f"put/{next(numbers)}", body=SMALL) for _ in range(count)]
        return run(endpoint.address, requests)

    figures, ratio = rates(rounds, puts, theirs)
    lines.append(Line("PUT 4 KiB, durable", median([f.rate for f in figures]), "/s", ">= 2,200", ratio))
    lines.append(Line("  its p99.9", median([f.percentile(99.9) * 1000 for f in figures]), "ms", "<= 50"))
    return lines


def large_requests(endpoint: Endpoint, rounds: int, count: int) -> list[Line]:
    """GET of 1 MiB and PUT of 64 MiB; the same bytes from a bare server beside the GET."""
    data = os.urandom(MIB)
    for number in range(8):
        put(endpoint, f"large/{number}", data)
    gets = [presigned(endpoint, "GET", BUCKET, f"large/{number % 8}") for number in range(count)]
    with bare(data) as limit:
        limits = [plain(limit, "GET", "/")] * count
        figures, ratio = rates(rounds, lambda: run(endpoint.address, gets), lambda: run(limit.address, limits))
    lines = [Line("GET 1 MiB", median([f.received / f.seconds / 1e6 for f in figures]), "MB/s", ">= 900", ratio)]
    body = os.urandom(64 * MIB)
    speeds = []
    for number in range(rounds):
        requests = [presigned(endpoint, "PUT", BUCKET, f"huge/{number}-{part}", body=body) for part in range(8)]
        figures_put = run(endpoint.address, requests, connections=4)
        speeds.append(8 * len(body) / figures_put.seconds / 1e6)
    lines.append(Line("PUT 64 MiB", median(speeds), "MB/s", ">= 350"))
    return lines


def listings(endpoint: Endpoint, count: int, rounds: int) -> list[Line]:
    """Pages of a thousand in buckets of `count` keys."""
    fill(endpoint.data, count)
    lines = []
    for name, depth in (("start", 0.0), ("middle", 0.5), ("end", 0.99)):
        query = f"list-type=2&start-after=k{int(count * depth):09d}"
        value = timed(rounds, lambda query=query: presigned(endpoint, "GET", "bench-flat", query=query), endpoint)
        lines.append(Line(f"ListObjectsV2, 1,000 of {count:,}, {name}", value, "ms", "<= 25"))
    value = timed(rounds, lambda: presigned(endpoint, "GET", "bench-marked", query="list-type=2"), endpoint)
    lines.append(Line(f"ListObjectsV2 across {count:,} delete markers", value, "ms", "<= 25"))
    query = "delimiter=%2F&list-type=2"
    value = timed(rounds, lambda: presigned(endpoint, "GET", "bench-nested", query=query), endpoint)
    lines.append(Line(f"ListObjectsV2, {min(1000, count // 1000):,} prefixes of 1,000 keys", value, "ms", "<= 40"))
    return lines


def image_hits(endpoint: Endpoint, limit: Endpoint, rounds: int, count: int) -> list[Line]:
    """A rendition that was rendered before, by an unsigned link to an open bucket."""
    from bench.photo import photo_jpeg

    put(endpoint, "photo.jpg", photo_jpeg())
    cli(endpoint.data, "buckets", "set", BUCKET, "--images", "public", "--ladder", "300")
    request = plain(endpoint, "GET", f"/img/{BUCKET}/photo.jpg?w=300")
    run(endpoint.address, [request] * 64)
    figures, ratio = rates(
        rounds,
        lambda: run(endpoint.address, [request] * count),
        lambda: run(limit.address, [plain(limit, "GET", "/")] * count),
    )
    return [Line("/img hit from memory", median([f.rate for f in figures]), "/s", ">= 5,000", ratio)]


def worker_memory(endpoint: Endpoint) -> float:
    """The largest worker's resident memory in MB."""
    children = psutil.Process(endpoint.pid).children()
    return max((child.memory_info().rss for child in children), default=0) / 1e6


EMBEDDED = ("small", "large", "list", "nobytes", "img", "memory")
GROUPS = (*EMBEDDED, "jobs", "uploads", "production", *(f"production.{case}" for case in production.CASES))


def embedded(folder: Path, options: argparse.Namespace, groups: set[str], show: Callable[[list[Line]], None]) -> None:
    """The embedded default: SQLite and a folder."""
    with pixgate(folder / "data") as endpoint, bare(SMALL) as limit:
        run(endpoint.address, [presigned(endpoint, "PUT", BUCKET)])
        show([Line("start to ready", endpoint.ready_seconds, "s", "<= 1.5")])
        show([Line("memory of a worker at rest", worker_memory(endpoint), "MB", "<= 150")])
        if "small" in groups:
            show(small_requests(endpoint, limit, options.rounds, options.requests))
        if "large" in groups:
            show(large_requests(endpoint, options.rounds, max(200, options.requests // 8)))
        if "img" in groups:
            show(image_hits(endpoint, limit, options.rounds, options.requests))
        if "nobytes" in groups:
            show(without_bytes(endpoint, BUCKET, options.rounds * 3, 1000, 5 * MIB))
        if "memory" in groups:
            requests = [presigned(endpoint, "GET", BUCKET, "small/1")] * 50_000
            run(endpoint.address, [presigned(endpoint, "PUT", BUCKET, "small/1", body=SMALL)])
            run(endpoint.address, requests[:5000])
            before = worker_memory(endpoint)
            run(endpoint.address, requests)
            run(endpoint.address, requests)
            show([Line("growth of a worker over 100,000 requests", worker_memory(endpoint) - before, "MB", "none")])
        if "list" in groups:
            show(listings(endpoint, options.keys, options.rounds * 3))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=8_000, help="requests a round")
    parser.add_argument("--uploads", type=int, default=300, help="uploads a round")
    parser.add_argument("--jobs", type=int, default=24, help="jobs a round")
    parser.add_argument("--keys", type=int, default=1_000_000, help="keys a bucket for the listings")
    parser.add_argument(
        "--only", default="", help=f"names of groups, comma-separated: {','.join(GROUPS)} (by default all)"
    )
    parser.add_argument("--adopted", type=int, default=20_000, help="objects to adopt, in the group production")
    parser.add_argument("--folder", type=Path, help="where the data goes (default: a temporary folder)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    groups = set(options.only.split(",")) if options.only else {*EMBEDDED, "jobs", "uploads", "production"}
    if unknown := groups.difference(GROUPS):
        parser.error(f"no such group: {', '.join(sorted(unknown))}")
    lines: list[Line] = []

    def show(found: list[Line]) -> None:
        lines.extend(found)
        for line in found if not options.json else ():
            print(line.text(), flush=True)

    with tempfile.TemporaryDirectory(dir=options.folder, prefix="pixgate-bench-") as folder:
        if groups & set(EMBEDDED):
            embedded(Path(folder), options, groups, show)
        if "jobs" in groups:
            for line in jobs.measure(Path(folder), options.rounds, options.jobs):
                show([line])
        if "uploads" in groups:
            for line in uploads.measure(Path(folder), options.rounds, options.uploads):
                show([line])
        cases = [case for case in production.CASES if groups & {"production", f"production.{case}"}]
        if cases:
            counts = Counts(options.rounds, options.requests // 2, options.adopted)
            for line in production.measure(Path(folder), counts, cases):
                show([line])
    if options.json:
        print(
            json.dumps([{"name": line.name, "value": line.value, "unit": line.unit, "aim": line.aim} for line in lines])
        )


if __name__ == "__main__":
    main()
