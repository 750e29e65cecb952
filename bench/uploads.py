"""Uploads by `/api/v1`: how many a second, and how soon they are answered, with their processing going on and without.

Rate limits are off; the slots are as usual, so some of the connections wait for their turn. Two servers take turns: one processes what is
uploaded, the other leaves that to workers, of which there are none. Every file is another one: nothing is shared.
"""

from __future__ import annotations

import contextlib
import itertools
import statistics
from collections.abc import Iterator
from pathlib import Path

from bench.figure import Line, median
from bench.photo import photo_jpeg
from bench.processor import processor_seconds, workers
from bench.requests import presigned
from bench.server import Endpoint, free_port, pixgate
from conformance.load import Figures, run

BOUNDARY = "bench-5f3d0c"
LIMITS_OFF = {
    "PIXGATE_RATE_LIMITS_ENABLED": "false",
    "PIXGATE_IMAGE_MAX_BYTES": "20MB",
}
_numbers = itertools.count()


def sized(amount: int, photo: bytes) -> bytes:
    """A photograph of exactly so many bytes: what is behind its end means nothing."""
    return photo + bytes(amount - len(photo))


def form(photo: bytes) -> bytes:
    """A form with a file that nobody has sent before."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="photo.jpg"\r\n\r\n'
    return head.encode() + photo[:-8] + next(_numbers).to_bytes(8) + f"\r\n--{BOUNDARY}--\r\n".encode()


def uploads(endpoint: Endpoint, photo: bytes, count: int, connections: int) -> Figures:
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    requests = [
        presigned(endpoint, "POST", "api", "v1/images/upload", body=form(photo), headers=headers) for _ in range(count)
    ]
    return run(endpoint.address, requests, connections=connections, status=b"201")


@contextlib.contextmanager
def servers(folder: Path) -> Iterator[tuple[Endpoint, Endpoint]]:
    """One that processes, and one that does not."""
    idle = {"PIXGATE_JOBS_ENGINE": "celery", "PIXGATE_CELERY_URL": f"redis://127.0.0.1:{free_port()}/0"}
    with (
        pixgate(folder / "uploads-on" / "data", environment=LIMITS_OFF) as on,
        pixgate(folder / "uploads-off" / "data", environment=LIMITS_OFF | idle) as off,
    ):
        yield on, off


def measure(folder: Path, rounds: int, count: int) -> Iterator[Line]:
    """`count` is of uploads a round."""
    for name in ("uploads-on", "uploads-off"):
        (folder / name).mkdir()
    # About what phones send: 500 KB, and 5 MB of a larger picture.
    small, large = sized(500_000, photo_jpeg(1600, 1064)), sized(5_000_000, photo_jpeg(4000, 2668))
    with servers(folder) as (on, off):
        for endpoint in (on, off):
            uploads(endpoint, small, 8, 4)
        rates: dict[str, list[float]] = {"on": [], "off": []}
        costs: list[float] = []
        delays: dict[str, list[float]] = {"on": [], "off": []}
        for _ in range(rounds):
            for state, endpoint in (("off", off), ("on", on)):
                before = processor_seconds(workers(endpoint.pid))
                rates[state].append(uploads(endpoint, small, count, 16).rate)
                if state == "off":
                    costs.append((processor_seconds(workers(endpoint.pid)) - before) / count)
        for state in ("on", "off"):
            aim = ">= 120" if state == "on" else ""
            yield Line(f"uploads of 500 KB, processing {state}", median(rates[state]), "/s", aim)
        yield Line("  its workers' processor time", statistics.median(costs) * 1000, "ms", "")
        for _ in range(rounds):
            for state, endpoint in (("off", off), ("on", on)):
                delays[state].append(uploads(endpoint, large, max(20, count // 10), 2).percentile(95) * 1000)
        for state in ("on", "off"):
            yield Line(f"upload of 5 MB, p95, processing {state}", median(delays[state]), "ms", "<= 500")
