"""`make bench`: what the server reaches on this machine, as ratios to a bare aiohttp server in the same minute.

Rounds of both sides are interleaved, and the median of the rounds is printed beside the figure that is aimed at.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.fill import fill
from bench.requests import plain, presigned
from bench.server import Endpoint, bare, cli, pixgate
from conformance.load import Figures, run

KIB = 1024
MIB = 1024 * KIB
SMALL = os.urandom(4 * KIB)
BUCKET = "bench"


@dataclass(frozen=True, slots=True)
class Line:
    """One figure: `value` in `unit`; `aim` with a sign says which side is better."""

    name: str
    value: float
    unit: str
    aim: str
    ratio: float | None = None
    note: str = ""

    def text(self) -> str:
        ratio = "" if self.ratio is None else f"  {self.ratio:5.2f} x bare"
        return f"{self.name:44} {self.value:10,.1f} {self.unit:7} aim {self.aim:9}{ratio}  {self.note}".rstrip()


def put(endpoint: Endpoint, key: str, body: bytes, **headers: str) -> None:
    run(endpoint.address, [presigned(endpoint, "PUT", BUCKET, key, body=body, headers=headers)])


def rates(
    rounds: int, ours: Callable[[], Figures], theirs: Callable[[], Figures] | None = None
) -> tuple[list[Figures], float | None]:
    """Our rounds, and the median of the ratios to what ran beside each."""
    figures, ratios = [], []
    for _ in range(rounds):
        if theirs is not None:
            limit = theirs().rate
        figures.append(ours())
        if theirs is not None:
            ratios.append(figures[-1].rate / limit)
    return figures, statistics.median(ratios) if ratios else None


def median(values: list[float]) -> float:
    return statistics.median(values)


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


def timed(rounds: int, request: Callable[[], bytes], endpoint: Endpoint) -> float:
    """The median latency of single requests, in ms."""
    return median([run(endpoint.address, [request()]).latencies[0] * 1000 for _ in range(rounds)])


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


def completion(endpoint: Endpoint, key: str, upload_id: str, etags: list[str]) -> bytes:
    """The request that completes an upload of parts 1, 2, ... with these ETags (in quotes)."""
    parts = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>" for number, etag in enumerate(etags, 1)
    )
    body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
    return presigned(endpoint, "POST", BUCKET, key, query=f"uploadId={upload_id}", body=body)


def without_bytes(endpoint: Endpoint, rounds: int, parts: int, part_bytes: int) -> list[Line]:
    """CopyObject of a large object, and completing an upload of many parts."""
    import boto3
    from botocore.config import Config

    client = boto3.client(
        "s3",
        endpoint_url=endpoint.url,
        aws_access_key_id=endpoint.access_key,
        aws_secret_access_key=endpoint.secret_key,
        region_name="us-east-1",
        config=Config(retries={"max_attempts": 1}, read_timeout=300),
    )

    upload_id = client.create_multipart_upload(Bucket=BUCKET, Key="copied")["UploadId"]
    body = os.urandom(64 * MIB)
    done = [
        client.upload_part(Bucket=BUCKET, Key="copied", UploadId=upload_id, PartNumber=number, Body=body)["ETag"]
        for number in range(1, 17)
    ]
    run(endpoint.address, [completion(endpoint, "copied", upload_id, done)])
    source = {"x-amz-copy-source": f"/{BUCKET}/copied"}
    numbers = iter(range(rounds))
    copies = timed(
        rounds, lambda: presigned(endpoint, "PUT", BUCKET, f"copy/{next(numbers)}", headers=source), endpoint
    )
    # Parts of the smallest size: what counts is their number.
    client.put_object(Bucket=BUCKET, Key="part", Body=os.urandom(part_bytes))
    completions = []
    for number in range(max(1, rounds // 3)):
        key = f"parts/{number}"
        upload_id = client.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"]
        done = [
            client.upload_part_copy(
                Bucket=BUCKET,
                Key=key,
                UploadId=upload_id,
                PartNumber=part,
                CopySource={"Bucket": BUCKET, "Key": "part"},
            )["CopyPartResult"]["ETag"]
            for part in range(1, parts + 1)
        ]
        figures = run(endpoint.address, [completion(endpoint, key, upload_id, done)])
        completions.append(figures.latencies[0] * 1000)
    return [
        Line("CopyObject of 1 GiB", copies, "ms", "<= 30"),
        Line(f"CompleteMultipartUpload of {parts:,} parts", median(completions), "ms", "<= 30"),
    ]


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


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=8_000, help="requests a round")
    parser.add_argument("--keys", type=int, default=1_000_000, help="keys a bucket for the listings")
    parser.add_argument(
        "--only", default="", help="names of groups, comma-separated: small,large,list,nobytes,img,memory"
    )
    parser.add_argument("--folder", type=Path, help="where the data goes (default: a temporary folder)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    groups = set(options.only.split(",")) if options.only else {"small", "large", "list", "nobytes", "img", "memory"}
    lines: list[Line] = []

    def show(found: list[Line]) -> None:
        lines.extend(found)
        for line in found if not options.json else ():
            print(line.text(), flush=True)

    with tempfile.TemporaryDirectory(dir=options.folder, prefix="pixgate-bench-") as folder:
        with pixgate(Path(folder) / "data") as endpoint, bare(SMALL) as limit:
            run(endpoint.address, [presigned(endpoint, "PUT", BUCKET)])
            show([Line("start to ready", endpoint.ready_seconds, "s", "<= 1.5")])
            at_rest = worker_memory(endpoint)
            show([Line("memory of a worker at rest", at_rest, "MB", "<= 150")])
            if "small" in groups:
                show(small_requests(endpoint, limit, options.rounds, options.requests))
            if "large" in groups:
                show(large_requests(endpoint, options.rounds, max(200, options.requests // 8)))
            if "img" in groups:
                show(image_hits(endpoint, limit, options.rounds, options.requests))
            if "nobytes" in groups:
                show(without_bytes(endpoint, options.rounds * 3, 1000, 5 * MIB))
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
    if options.json:
        print(
            json.dumps([{"name": line.name, "value": line.value, "unit": line.unit, "aim": line.aim} for line in lines])
        )


if __name__ == "__main__":
    main()
