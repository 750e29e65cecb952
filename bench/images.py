"""`make bench-img`: renders over HTTP beside libvips bare in the same minute, and what answers that are known cost.

Every width is asked for once, so that nothing comes from a memory. 4 connections; two decoders, two bare processes. The
rounds of all sides are interleaved, and the median of their ratios is what counts: the machine has other work, too.
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy
import psutil
from PIL import Image
from skimage.metrics import structural_similarity

from bench.bare_vips import Processes, Work, processes
from bench.figure import Line, median
from bench.photos import encoded, photo
from bench.requests import plain, presigned
from bench.server import Endpoint, bare, cli, pixgate
from conformance.load import Figures, run
from signing.image_link import raw_link_key, sign_link

BUCKET = "bench"
SEEDS = (1, 2, 3, 4)
SIDE = 512
CONNECTIONS = 4
WIDTHS = tuple(range(SIDE, SIDE + 64))
SMALL_WIDTHS = tuple(range(258, 321))


@dataclass(frozen=True, slots=True)
class Case:
    """Renders of one kind: `aim` in renders a second, `reference` what libvips 8.18 made on the machine of the aim."""

    name: str
    source: str
    output: str
    quality: int
    aim: float
    reference: float


CASES = (
    Case("JPEG", "jpeg", "jpeg", 80, 42, 33),
    Case("WebP", "webp", "webp", 80, 15, 12),
    Case("PNG", "png", "png", 80, 18, 20),
    Case("JPEG to WebP", "jpeg", "webp", 80, 26, 20),
    Case("JPEG to AVIF", "jpeg", "avif", 60, 12, 8),
)
GROUPS = ("cold", "mezzanine", "alike", "storm", "large", "hits")


class Links:
    """Signed links of one deployment."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        key = json.loads(cli(endpoint.data, "keys", "create", "--account", "bench", "--links", "--json"))
        self._id, self._key = key["access_key"], raw_link_key(key["secret_key"])
        self._expires = int(time.time()) + 86_400

    def request(self, key: str, options: str) -> bytes:
        """The HTTP request for a rendition; `options` in the compact form."""
        pairs = [(name, value) for name, _, value in (item.partition(":") for item in options.split(","))]
        link = sign_link(f"/img/{BUCKET}/{key}", pairs, key_id=self._id, key=self._key, expires=self._expires)
        return plain(self.endpoint, "GET", link)


@dataclass(frozen=True, slots=True)
class Bench:
    """A deployment with the photographs in it, and bare processes that have them too."""

    links: Links
    bare: Processes
    rounds: int
    count: int

    def over_http(self, works: Sequence[Work], *, mezzanine: bool = False) -> Figures:
        """Each of them once, none of which may come from a memory."""
        requests = [
            self.links.request(work.source, work.options.replace(",exact:1", "") if mezzanine else work.options)
            for work in works
        ]
        return run(self.links.endpoint.address, requests, connections=CONNECTIONS, check=_was_rendered)


def _was_rendered(head: bytes) -> bool:
    return b"x-cache: miss" in head.lower()


def cold(bench: Bench) -> Iterator[Line]:
    """Fit into 512 pixels, from the original."""
    hops = []
    for case in CASES:
        works = itertools.cycle(
            [Work(f"{case.source}-{seed}", width, case.output, case.quality) for width in WIDTHS for seed in SEEDS]
        )
        ours, limits, plain_rates = [], [], []
        for _ in range(bench.rounds):
            chosen = list(itertools.islice(works, bench.count))
            ours.append(bench.over_http(chosen).rate)
            limits.append(bench.bare.run("thumbnail", chosen).rate)
            plain_rates.append(bench.bare.run("pipeline", chosen).rate)
        ratio = statistics.median(one / other for one, other in zip(ours, limits, strict=True))
        hops += [other / one - 1 for one, other in zip(ours, plain_rates, strict=True)]
        yield Line(
            f"{case.name}, fit {SIDE}",
            median(ours),
            "/s",
            f">= {case.aim:.0f}",
            ratio,
            f"(aim {case.aim / case.reference:.2f} x)",
            "libvips",
        )
    yield Line("time of HTTP, broker and processes", statistics.median(hops) * 100, "%", "<= 12")


def from_mezzanine(bench: Bench) -> Iterator[Line]:
    """JPEG to about 300 pixels, from the mezzanine and from the original; and how much alike they are."""
    for seed in SEEDS:
        run(bench.links.endpoint.address, [bench.links.request(f"jpeg-{seed}", "w:250")])
    works = itertools.cycle([Work(f"jpeg-{seed}", width, "jpeg", 80) for width in SMALL_WIDTHS for seed in SEEDS])
    rates, ratios = [], []
    for _ in range(bench.rounds):
        chosen = list(itertools.islice(works, bench.count))
        rates.append(bench.over_http(chosen, mezzanine=True).rate)
        ratios.append(rates[-1] / bench.over_http(chosen).rate)
    yield Line("JPEG to 300 from a mezzanine", median(rates), "/s", ">= 2.5 x", median(ratios), "", "original")


def alike(bench: Bench) -> Iterator[Line]:
    """SSIM: of ours and libvips' results against the photograph; of mezzanine and original against each other."""
    for case in CASES:
        works = [Work(f"{case.source}-{seed}", SIDE, case.output, case.quality) for seed in SEEDS]
        worst, sizes = 1.0, 0.0
        for seed, work in zip(SEEDS, works, strict=True):
            theirs, ours = bench.bare.run("thumbnail", [work]).data, bench.bare.run("pipeline", [work]).data
            wanted = _grey(photo(seed).resize(_opened(ours).size, Image.Resampling.LANCZOS))
            worst = min(worst, _ssim(wanted, _grey(_opened(ours))) - _ssim(wanted, _grey(_opened(theirs))))
            sizes += len(ours) / len(theirs) / len(SEEDS)
        yield Line(
            f"{case.name}: SSIM less libvips', the worst", worst * 1000, "/1000", ">= -3", sizes, "in bytes", "libvips"
        )
    values = []
    for seed, width in itertools.product(SEEDS, (120, 300, 320, 600, 900)):
        pictures = [_body(bench, f"jpeg-{seed}", f"w:{width},q:95{exact}") for exact in ("", ",exact:1")]
        small, exact = (_grey(_opened(data)) for data in pictures)
        values.append(_ssim(small, exact))
    yield Line("SSIM from a mezzanine, the worst", min(values) * 1000, "/1000", ">= 985")


def storm(bench: Bench) -> Iterator[Line]:
    """GET of 4 KiB over S3 on 4 connections, idle and beside more renders than the decoders can do."""
    endpoint = bench.links.endpoint
    run(endpoint.address, [presigned(endpoint, "PUT", BUCKET, "small", body=b"x" * 4096)])
    gets = [presigned(endpoint, "GET", BUCKET, "small")] * 500
    sides = itertools.cycle(range(600, 900))
    ratios, beside = [], []
    for _ in range(min(bench.rounds, 3)):
        idle = run(endpoint.address, gets, connections=CONNECTIONS).percentile(99)
        requests = [
            bench.links.request(f"jpeg-{seed}", Work("", next(sides), "webp", 81).options)
            for _, seed in zip(range(32), itertools.cycle(SEEDS), strict=False)
        ]
        renders = threading.Thread(target=lambda made=requests: run(endpoint.address, made, connections=16))
        renders.start()
        time.sleep(0.2)
        beside.append(run(endpoint.address, gets, connections=CONNECTIONS).percentile(99) * 1000)
        ratios.append(beside[-1] / 1000 / idle)
        renders.join()
    yield Line("p99 of S3 GETs beside a storm of renders", median(beside), "ms", "<= 3 x", median(ratios), "", "idle")


def _body(bench: Bench, key: str, options: str) -> bytes:
    import http.client

    endpoint = bench.links.endpoint
    connection = http.client.HTTPConnection(endpoint.host, endpoint.port, timeout=60)
    try:
        connection.request("GET", bench.links.request(key, options).split(b" ")[1].decode())
        return connection.getresponse().read()
    finally:
        connection.close()


def _opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")


def _grey(image: Image.Image) -> numpy.ndarray:
    return numpy.asarray(image.convert("L"))


def _ssim(one: numpy.ndarray, other: numpy.ndarray) -> float:
    return float(structural_similarity(one, other, data_range=255))


def large(folder: Path, rounds: int) -> Iterator[Line]:
    """A JPEG of 50 megapixels to 300 pixels: time beside libvips alone, and the decoder's memory."""
    source = {"large": encoded(1, "jpeg", (8160, 6120))}
    environment = {"PIXGATE_IMAGE_MAX_BYTES": "100MB", "PIXGATE_IMAGE_DECODERS": "1"}
    with pixgate(folder / "large", environment=environment) as endpoint, processes(source, 1) as alone:
        links = Links(endpoint)
        run(endpoint.address, [presigned(endpoint, "PUT", BUCKET)])
        run(endpoint.address, [presigned(endpoint, "PUT", BUCKET, "large", body=source["large"])])
        ratios, times = [], []
        for number in range(rounds + 1):
            work = Work("large", 290 + number, "jpeg", 80)
            figures = run(endpoint.address, [links.request("large", work.options)], check=_was_rendered)
            limit = alone.run("thumbnail", [work])
            if number:
                times.append(figures.seconds * 1000)
                ratios.append(figures.seconds / limit.seconds)
        peak = max(
            _peak(process)
            for process in psutil.Process(endpoint.pid).children(recursive=True)
            if "decoder" in " ".join(process.cmdline())
        )
        yield Line("JPEG of 50 megapixels to 300", median(times), "ms", "<= 1.2 x", median(ratios), "", "libvips")
        yield Line("  its decoder's peak memory", peak / 1e6, "MB", "<= 300")


def _peak(process: psutil.Process) -> int:
    status = Path(f"/proc/{process.pid}/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))


@contextmanager
def _tier(folder: Path, name: str) -> Iterator[Endpoint]:
    """A server whose only memory of renditions is the one of that name."""
    environment = {"PIXGATE_IMAGE_WORKER_CACHE_BYTES": "0", "PIXGATE_IMAGE_MEMORY_CACHE_BYTES": "0"}
    if name == "folder":
        with pixgate(folder / name, environment=environment | {"PIXGATE_IMAGE_STORE_CACHE_BYTES": "100MB"}) as endpoint:
            yield endpoint
    elif name == "Redis":
        from tests.servers.redis import Redis

        with (
            Redis.own() as redis,
            pixgate(folder / name, environment=environment | {"PIXGATE_REDIS_URL": redis.url}) as endpoint,
        ):
            yield endpoint
    else:
        with pixgate(folder / name) as endpoint:
            yield endpoint


def hits(folder: Path, rounds: int, count: int) -> Iterator[Line]:
    """One rendition of 300 pixels, asked for again and again, from each memory."""
    for name, aim in (("memory", 5000), ("Redis", 3000), ("folder", 3000)):
        with _tier(folder, name) as endpoint, bare(b"x" * 15_000) as limit:
            links = Links(endpoint)
            run(endpoint.address, [presigned(endpoint, "PUT", BUCKET)])
            run(endpoint.address, [presigned(endpoint, "PUT", BUCKET, "photo", body=encoded(1, "jpeg"))])
            request = links.request("photo", "w:300")
            # The first renders, and what it renders is in the memory a moment later.
            run(endpoint.address, [request])
            time.sleep(1)
            run(endpoint.address, [request] * 200)
            rates, ratios = [], []
            for _ in range(rounds):
                bound = run(limit.address, [plain(limit, "GET", "/")] * count).rate
                rates.append(run(endpoint.address, [request] * count, check=_was_hit).rate)
                ratios.append(rates[-1] / bound)
            yield Line(f"hit from {name}", median(rates), "/s", f">= {aim:,}", median(ratios))


def _was_hit(head: bytes) -> bool:
    return b"x-cache: hit" in head.lower()


@contextmanager
def deployed(folder: Path, rounds: int, count: int) -> Iterator[Bench]:
    """A server with two decoders, and two bare processes."""
    sources = {f"{name}-{seed}": encoded(seed, name) for name in ("jpeg", "webp", "png") for seed in SEEDS}
    with pixgate(folder / "cold", environment={"PIXGATE_IMAGE_DECODERS": "2"}) as endpoint, processes(sources) as limit:
        run(endpoint.address, [presigned(endpoint, "PUT", BUCKET)])
        for key, data in sources.items():
            run(endpoint.address, [presigned(endpoint, "PUT", BUCKET, key, body=data)])
        bench = Bench(Links(endpoint), limit, rounds, count)
        # Decoders and processes have started, and everything is imported.
        warm = [Work(f"jpeg-{seed}", 200, name, 80) for seed in SEEDS for name in ("jpeg", "webp", "png", "avif")]
        bench.over_http(warm)
        for mode in ("thumbnail", "pipeline"):
            limit.run(mode, warm)
        yield bench


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.images")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--renders", type=int, default=32, help="renders a round")
    parser.add_argument("--requests", type=int, default=4000, help="hits a round")
    parser.add_argument(
        "--only", default="", help=f"names of groups, comma-separated: {','.join(GROUPS)} (by default all)"
    )
    options = parser.parse_args()
    groups = set(options.only.split(",")) if options.only else set(GROUPS)
    if unknown := groups.difference(GROUPS):
        parser.error(f"no such group: {', '.join(sorted(unknown))}")

    def show(lines: Iterator[Line]) -> None:
        for line in lines:
            print(line.text(), flush=True)

    parts: dict[str, Callable[[Bench], Iterator[Line]]] = {
        "cold": cold,
        "mezzanine": from_mezzanine,
        "alike": alike,
        "storm": storm,
    }
    with tempfile.TemporaryDirectory(prefix="pixgate-bench-") as name:
        folder = Path(name)
        if groups & set(parts):
            with deployed(folder, options.rounds, options.renders) as bench:
                for part in [part for part in parts if part in groups]:
                    show(parts[part](bench))
        if "large" in groups:
            show(large(folder, options.rounds))
        if "hits" in groups:
            show(hits(folder, options.rounds, options.requests))


if __name__ == "__main__":
    main()
