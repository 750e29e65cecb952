"""Jobs of uploaded images beside what libvips alone needs for the same files and sizes, in as many processes as decoders.

A round of jobs is rows of one transaction, and lasts from the first one's begin until the last is completed; libvips alone
has the files in memory. The rounds are interleaved, and the median of their ratios is what counts.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.bare_vips import Processes, Work, processes
from bench.figure import Line, median
from bench.photos import encoded
from bench.requests import presigned
from bench.server import Endpoint, pixgate
from conformance.load import run
from gateway.config import load
from gateway.data_folder import open_services
from gateway.metadata import images
from gateway.metadata.image_jobs import ImageJob
from gateway.metadata.port import Transaction
from gateway.model.buckets import Bucket
from gateway.model.images import ImageRow, JobStatus, Visibility
from gateway.model.objects import ObjectVersion
from gateway.services import image_jobs
from transforms.variants import DEFAULT_QUALITY

BUCKET = "bench-jobs"
DECODERS = 2
PHONE = (4032, 3024)
POLL_SECONDS = 0.05
AIM = 0.85


@dataclass(frozen=True, slots=True)
class Case:
    """Photographs of one kind."""

    name: str
    size: tuple[int, int]
    seeds: tuple[int, ...]


CASES = (Case("JPEG of 1 MB", (2300, 1530), (1, 2, 3, 4)), Case("JPEG of 3 MB, 12 megapixels", PHONE, (1, 2)))


def measure(folder: Path, rounds: int, count: int) -> Iterator[Line]:
    """`count` jobs a round."""
    for number, case in enumerate(CASES):
        sources = {f"{case.name}-{seed}": encoded(seed, "jpeg", case.size) for seed in case.seeds}
        environment = {"PIXGATE_IMAGE_DECODERS": str(DECODERS), "PIXGATE_RATE_LIMITS_ENABLED": "false"}
        data = folder / f"jobs-{number}"
        with pixgate(data, environment=environment) as endpoint, processes(sources, DECODERS) as alone:
            run(endpoint.address, [presigned(endpoint, "PUT", BUCKET)])
            yield from _case(case, endpoint, alone, sources, rounds, count)


def _case(
    case: Case, endpoint: Endpoint, alone: Processes, sources: dict[str, bytes], rounds: int, count: int
) -> Iterator[Line]:
    ours: list[float] = []
    ratios: list[float] = []
    defaults: list[float] = []
    for number in range(rounds + 1):
        names = list(itertools.islice(itertools.cycle(sources), count))
        works = [Work(name, 0, "", DEFAULT_QUALITY) for name in names]
        limit = alone.run("variants", works).rate
        seconds, _ = _jobs(endpoint, [(f"{number}/{place}", sources[name]) for place, name in enumerate(names)])
        usual = alone.run("variants-by-default", works).rate
        if number:
            # The first round has warmed up everything.
            ours.append(count / seconds)
            ratios.append(ours[-1] / limit)
            defaults.append(ours[-1] / usual)
    size = statistics.mean(len(data) for data in sources.values()) / 1e6
    note = f"({size:.1f} MB; {statistics.median(defaults):.2f} x libvips with its own efforts)"
    yield Line(f"jobs, {case.name}", median(ours), "/s", f">= {AIM} x", median(ratios), note, "libvips")
    data = next(iter(sources.values()))
    single = [_jobs(endpoint, [(f"one/{number}", data)])[1] * 1000 for number in range(rounds)]
    yield Line("  one by itself, from commit to completion", max(single), "ms", "<= 5,000")


def _jobs(endpoint: Endpoint, objects: Sequence[tuple[str, bytes]]) -> tuple[float, float]:
    """Seconds to the last completion of jobs for these objects, stored before: from the first one's begin, and from the
    commit, which nobody tells the server of: the engine finds it where it looks for what is due."""
    run(endpoint.address, [presigned(endpoint, "PUT", BUCKET, key, body=data) for key, data in objects])
    return asyncio.run(_processed(endpoint, [key for key, _ in objects]))


async def _processed(endpoint: Endpoint, keys: Sequence[str]) -> tuple[float, float]:
    environment = {**os.environ, "PIXGATE_DATA": str(endpoint.data)}
    services = await open_services(load(environ=environment, env_file=Path(os.devnull)))
    try:
        bucket = await services.directory.bucket(BUCKET)
        assert bucket is not None
        versions = [await services.objects.get(bucket, key.encode()) for key in keys]
        jobs = await services.database.write(lambda tx: _begun(tx, bucket, versions))
        committed = time.time()
        done: list[ImageJob] = []
        while len(done) < len(jobs):
            await asyncio.sleep(POLL_SECONDS)
            found = [await image_jobs.get(services.database, identity) for identity in jobs]
            assert all(job is not None and job.status is not JobStatus.FAILED for job in found)
            done = [job for job in found if job is not None and job.status is JobStatus.COMPLETED]
        last = max(job.completed_ms or 0 for job in done) / 1000
        return last - min(job.started_ms or 0 for job in done) / 1000, last - committed
    finally:
        await services.close()


async def _begun(tx: Transaction, bucket: Bucket, versions: Sequence[ObjectVersion]) -> list[str]:
    """The rows that an upload writes beside its version."""
    moment = int(time.time() * 1000)
    jobs = []
    for version in versions:
        assert version.image_id is not None
        assert version.content is not None
        jobs.append(await image_jobs.add(tx, version.image_id, moment))
        row = ImageRow(
            image_id=version.image_id,
            seq=version.seq,
            bucket_id=bucket.id,
            account_id=bucket.owner.id,
            filename="photo.jpg",
            content_type="image/jpeg",
            size=version.content.size,
            visibility=Visibility.PRIVATE,
            job_id=jobs[-1],
            created_ms=moment,
            updated_ms=moment,
        )
        await images.insert(tx, row)
    return jobs
