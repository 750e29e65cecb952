"""The metrics in Prometheus' text format, all workers added up."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Protocol

from gateway import __version__
from gateway.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Work(Protocol):
    """For the meaning see `gateway.jobs.engine.State`."""

    @property
    def workers(self) -> int | None: ...

    @property
    def waiting(self) -> Mapping[str, float]: ...


class _Node:
    """A collector in the sense of prometheus_client."""

    def __init__(
        self,
        metrics: Metrics,
        stored: tuple[int, int] | None,
        sandbox: Mapping[str, bool] | None,
        jobs: Mapping[str, tuple[int, int]] | None,
        work: Work | None,
    ) -> None:
        self._metrics = metrics
        self._stored = stored
        self._sandbox = sandbox
        self._jobs = jobs
        self._work = work

    def collect(self) -> Iterator[Metric]:
        from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily

        yield from self._metrics.collect()
        if self._stored is not None:
            objects, total = self._stored
            yield GaugeMetricFamily("pixgate_objects", "Objects that a listing shows.", value=objects)
            yield GaugeMetricFamily("pixgate_object_bytes", "Bytes of those objects.", value=total)
        if self._sandbox is not None:
            layers = GaugeMetricFamily(
                "pixgate_render_sandbox_layer",
                "1 for each layer that keeps the decoders in, 0 where it is missing.",
                labels=["layer"],
            )
            for name, present in self._sandbox.items():
                layers.add_metric([name], int(present))
            yield layers
        if self._jobs is not None:
            jobs = GaugeMetricFamily(
                "pixgate_jobs", "Background work that is not done: waiting or worked at, or failed for good.",
                labels=["kind", "state"],
            )  # fmt: skip
            for kind, (waiting, failed) in sorted(self._jobs.items()):
                jobs.add_metric([kind, "waiting"], waiting)
                jobs.add_metric([kind, "failed"], failed)
            yield jobs
        if self._work is not None:
            oldest = GaugeMetricFamily(
                "pixgate_jobs_oldest_seconds", "For how long the oldest job has been due.", labels=["kind"]
            )
            for kind, waited in sorted(self._work.waiting.items()):
                oldest.add_metric([kind], waited)
            yield oldest
            if self._work.workers is not None:
                yield GaugeMetricFamily(
                    "pixgate_job_workers", "Workers that Celery tells and that live.", value=self._work.workers
                )
        resident = GaugeMetricFamily("pixgate_worker_resident_bytes", "Resident memory.", labels=["worker"])
        for slot, pid in self._metrics.processes():
            size = _resident(pid)
            if size is not None:
                resident.add_metric([str(slot)], size)
        yield resident
        yield InfoMetricFamily("pixgate_build", "The running version.", value={"version": __version__})


def _resident(pid: int) -> int | None:
    try:
        with open(f"/proc/{pid}/statm", "rb") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return None


def exposition(
    metrics: Metrics,
    stored: tuple[int, int] | None,
    sandbox: Mapping[str, bool] | None = None,
    jobs: Mapping[str, tuple[int, int]] | None = None,
    work: Work | None = None,
) -> bytes:
    """The body of an answer to a scrape.

    Where that is known: `stored` is how many objects and bytes there are, `sandbox` which layers of it decoders have, `jobs`
    how many of each kind are waiting and failed, `work` for how long and who is there to do them.
    """
    from prometheus_client import CollectorRegistry, generate_latest

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Node(metrics, stored, sandbox, jobs, work))
    return generate_latest(registry)
