"""Metrics in memory that all workers share: one block of integers, made before the fork, a region a worker.

Counting is an addition to a cell of one's own region, so it needs no lock and costs tens of nanoseconds; a scrape, by
whichever worker, adds the regions up. Labels are closed sets known at the start (operations, codes): nothing that a
client sends can make a new series. Regions outlive their worker, so counters never fall when one is restarted.
"""

from __future__ import annotations

import mmap
import os
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.telemetry.request import RequestRecord

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0)
"""Upper bounds of the latency histogram's buckets."""
STATUSES = (
    *(200, 201, 202, 204, 206, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 405, 406, 408, 409, 410, 411, 412),
    *(413, 414, 415, 416, 417, 422, 429, 431, 499, 500, 501, 502, 503, 504, 507),
)
OTHER = "other"
UNKNOWN = "Unknown"
DOORS = ("s3", "img", "api", "web")
RENDER_RESULTS = ("ok", "refused", "busy", "timeout", "crashed", "failed")
CACHE_TIERS = ("worker", "broker", "redis", "store", "variants")


@dataclass(frozen=True, slots=True)
class Operation:
    """A series of requests: the door it came through and its name, as AWS spells it."""

    door: str
    name: str


class Block:
    """`regions` times `cells` 64-bit integers in shared memory. Make it before forking."""

    def __init__(self, regions: int, cells: int) -> None:
        self._memory = mmap.mmap(-1, max(1, regions * cells) * 8)
        self._view = memoryview(self._memory).cast("q")
        self.regions = regions
        self.cells = cells

    def region(self, index: int) -> memoryview:
        return self._view[index * self.cells : (index + 1) * self.cells]

    def total(self, cell: int) -> int:
        return sum(self._view[cell :: self.cells])


class Metrics:
    """All metrics of a node. `adopt(n)` says which region this process counts in."""

    def __init__(
        self,
        operations: Iterable[Operation],
        error_codes: Iterable[str],
        *,
        workers: int,
        body_modes: Sequence[str],
    ) -> None:
        rows = dict.fromkeys([*operations, *(Operation(door, UNKNOWN) for door in DOORS)])
        self.operations = tuple(rows)
        self.codes = tuple(dict.fromkeys([*error_codes, OTHER]))
        self.body_modes = tuple(dict.fromkeys([*body_modes, OTHER]))
        self._rows = {(row.door, row.name): index for index, row in enumerate(self.operations)}
        self._unknown = {door: self._rows[(door, UNKNOWN)] for door in DOORS}
        self._status = {status: index for index, status in enumerate(STATUSES)}
        self._code = {code: index for index, code in enumerate(self.codes)}
        self._mode = {mode: index for index, mode in enumerate(self.body_modes)}
        self._result = {result: index for index, result in enumerate(RENDER_RESULTS)}
        self._tier = {tier: index for index, tier in enumerate(CACHE_TIERS)}

        self._next = 0
        self._requests = self._reserve(len(self.operations) * (len(STATUSES) + 1))
        self._seconds = self._reserve(len(self.operations) * (len(SECONDS) + 2))
        self._errors = self._reserve(len(self.operations) * len(self.codes))
        self._bytes_in = self._reserve(len(DOORS))
        self._bytes_out = self._reserve(len(DOORS))
        self._modes = self._reserve(len(self.body_modes))
        self._renders = self._reserve(len(RENDER_RESULTS))
        self._hits = self._reserve(len(CACHE_TIERS))
        self._cache_errors = self._reserve(len(CACHE_TIERS))
        self._in_flight = self._reserve(1)
        self._connections = self._reserve(1)
        self._dropped = self._reserve(1)
        self._alive = self._reserve(1)
        self._door = {door: index for index, door in enumerate(DOORS)}
        self._block = Block(workers, self._next)
        self._cells = self._block.region(0)

    def _reserve(self, count: int) -> int:
        start = self._next
        self._next += count
        return start

    def adopt(self, region: int) -> None:
        """Count in this region from now on; its gauges, left by a predecessor, start anew."""
        self._cells = self._block.region(region)
        self._cells[self._in_flight] = 0
        self._cells[self._connections] = 0
        self._cells[self._alive] = os.getpid()

    def abandon(self, region: int) -> None:
        """A worker has died: its gauges are void."""
        cells = self._block.region(region)
        for cell in (self._in_flight, self._connections, self._alive):
            cells[cell] = 0

    def begin(self) -> None:
        self._cells[self._in_flight] += 1

    def finish(self, record: RequestRecord, seconds: float) -> None:
        """Count a request that has ended. `begin` was called at its start."""
        cells = self._cells
        door = record.door
        row = self._rows.get((door, record.operation))
        if row is None:
            row = self._unknown[door]
        cells[self._in_flight] -= 1
        cells[self._requests + row * (len(STATUSES) + 1) + self._status.get(record.status, len(STATUSES))] += 1
        base = self._seconds + row * (len(SECONDS) + 2)
        cells[base + bisect_left(SECONDS, seconds)] += 1
        cells[base + len(SECONDS) + 1] += int(seconds * 1e6)
        if record.error_code is not None:
            code = self._code.get(record.error_code)
            cells[self._errors + row * len(self.codes) + (len(self.codes) - 1 if code is None else code)] += 1
        index = self._door[door]
        if record.bytes_in:
            cells[self._bytes_in + index] += record.bytes_in
        if record.bytes_out:
            cells[self._bytes_out + index] += record.bytes_out
        if record.body_mode is not None:
            cells[self._modes + self._mode.get(record.body_mode, len(self.body_modes) - 1)] += 1

    def render(self, result: str) -> None:
        """Count a render that was asked for, by how it ended (RENDER_RESULTS)."""
        self._cells[self._renders + self._result[result]] += 1

    def render_cache_hit(self, tier: str) -> None:
        """Count a rendition that came from a memory (CACHE_TIERS)."""
        self._cells[self._hits + self._tier[tier]] += 1

    def render_cache_error(self, tier: str) -> None:
        """Count a look into a memory, or a rendition for it, that came to nothing (CACHE_TIERS)."""
        self._cells[self._cache_errors + self._tier[tier]] += 1

    def log_dropped(self, lines: int) -> None:
        self._cells[self._dropped] += lines

    def set_mine(self, count: int) -> None:
        """This worker's open connections."""
        self._cells[self._connections] = count

    def fewest(self) -> int:
        """The open connections of the living worker that has fewest."""
        block, connections, alive = self._block, self._connections, self._alive
        view, cells = block._view, block.cells
        return min(
            (view[n * cells + connections] for n in range(block.regions) if view[n * cells + alive]),
            default=0,
        )

    def processes(self) -> list[tuple[int, int]]:
        """(region, process id) of the living workers."""
        pids = [int(self._block.region(region)[self._alive]) for region in range(self._block.regions)]
        return [(region, pid) for region, pid in enumerate(pids) if pid]

    def collect(self) -> Iterator[Metric]:
        """The families with their totals over all workers, as prometheus_client's registry asks for them."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

        total = self._block.total
        requests = CounterMetricFamily("pixgate_requests", "Requests.", labels=["door", "operation", "code"])
        seconds = HistogramMetricFamily("pixgate_request_seconds", "Time to the last byte.", labels=["operation"])
        errors = CounterMetricFamily("pixgate_errors", "Requests refused or failed.", labels=["operation", "code"])
        by_name: dict[str, tuple[list[int], int]] = {}
        failed: dict[tuple[str, str], int] = {}
        width = len(STATUSES) + 1
        for row, operation in enumerate(self.operations):
            count = 0
            for index in range(width):
                value = total(self._requests + row * width + index)
                if value:
                    count += value
                    status = str(STATUSES[index]) if index < len(STATUSES) else OTHER
                    requests.add_metric([operation.door, operation.name, status], value)
            if not count:
                continue
            base = self._seconds + row * (len(SECONDS) + 2)
            buckets, micros = by_name.get(operation.name, ([0] * (len(SECONDS) + 1), 0))
            buckets = [have + total(base + index) for index, have in enumerate(buckets)]
            by_name[operation.name] = buckets, micros + total(base + len(SECONDS) + 1)
            for index, code in enumerate(self.codes):
                value = total(self._errors + row * len(self.codes) + index)
                if value:
                    failed[(operation.name, code)] = failed.get((operation.name, code), 0) + value
        for name, (buckets, micros) in by_name.items():
            running, shown = 0, []
            for bound, value in zip([*map(str, SECONDS), "+Inf"], buckets, strict=True):
                running += value
                shown.append((bound, running))
            seconds.add_metric([name], shown, micros / 1e6)
        for (name, code), value in failed.items():
            errors.add_metric([name, code], value)
        yield from (requests, seconds, errors)
        yield self._counters("pixgate_bytes_in", "Bytes of request bodies.", "door", DOORS, self._bytes_in)
        yield self._counters("pixgate_bytes_out", "Bytes of response bodies.", "door", DOORS, self._bytes_out)
        yield self._counters(
            "pixgate_s3_body_mode", "Request bodies by their framing.", "mode", self.body_modes, self._modes
        )
        yield self._counters("pixgate_renders", "Renders by result.", "result", RENDER_RESULTS, self._renders)
        yield self._counters("pixgate_render_cache_hits", "Renditions from a memory.", "tier", CACHE_TIERS, self._hits)
        yield self._counters(
            "pixgate_render_cache_errors",
            "Looks and writes that a memory of renditions failed or refused.",
            "tier",
            CACHE_TIERS,
            self._cache_errors,
        )
        dropped = CounterMetricFamily("pixgate_log_lines_dropped", "Log lines dropped: the output was blocked.")
        dropped.add_metric([], total(self._dropped))
        yield dropped
        yield GaugeMetricFamily("pixgate_in_flight", "Requests in the works.", value=total(self._in_flight))
        yield GaugeMetricFamily("pixgate_connections", "Open connections.", value=total(self._connections))
        yield GaugeMetricFamily("pixgate_workers", "Living worker processes.", value=len(self.processes()))

    def _counters(self, name: str, text: str, label: str, values: Sequence[str], start: int) -> Metric:
        from prometheus_client.core import CounterMetricFamily

        family = CounterMetricFamily(name, text, labels=[label])
        for index, value in enumerate(values):
            family.add_metric([value], self._block.total(start + index))
        return family
