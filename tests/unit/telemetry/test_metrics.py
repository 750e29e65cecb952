"""Counters in shared memory: totals over workers, closed label sets, gauges that die with their worker."""

from __future__ import annotations

import os
import time

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.jobs.engine import State
from gateway.telemetry import RequestRecord
from gateway.telemetry.exposition import exposition
from gateway.telemetry.metrics import Metrics, Operation

ROWS = [Operation("s3", "GetObject"), Operation("s3", "PutObject"), Operation("img", "RenderImage")]


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(ROWS, ["NoSuchKey"], workers=2, body_modes=["plain", "unsigned"])


def samples(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    text = exposition(metrics, (3, 4096)).decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def count(metrics: Metrics, sample: str, **labels: str) -> float:
    return samples(metrics).get((sample, tuple(sorted(labels.items()))), 0)


def finish(metrics: Metrics, seconds: float = 0.003, **fields: object) -> None:
    record = RequestRecord(**{"operation": "GetObject", "status": 200, **fields})  # type: ignore[arg-type]
    metrics.begin()
    metrics.finish(record, seconds)


def test_layers_of_the_sandbox_are_gauges(metrics: Metrics) -> None:
    text = exposition(metrics, None, {"network": True, "landlock": False}).decode()
    assert 'pixgate_render_sandbox_layer{layer="network"} 1.0' in text
    assert 'pixgate_render_sandbox_layer{layer="landlock"} 0.0' in text
    assert "sandbox" not in exposition(metrics, None).decode()


def test_what_waits_in_the_background(metrics: Metrics) -> None:
    text = exposition(metrics, None, jobs={"purge": (3, 1)}).decode()
    assert 'pixgate_jobs{kind="purge",state="waiting"} 3.0' in text
    assert 'pixgate_jobs{kind="purge",state="failed"} 1.0' in text
    assert "pixgate_jobs" not in exposition(metrics, None).decode()


@pytest.mark.parametrize("workers", [None, 0, 2])
def test_who_does_the_background_work_and_how_long_it_waits(metrics: Metrics, workers: int | None) -> None:
    state = State("celery", None, workers, {"purge": 1.5, "process": 60.0})
    text = exposition(metrics, None, work=state).decode()
    assert 'pixgate_jobs_oldest_seconds{kind="purge"} 1.5' in text
    assert 'pixgate_jobs_oldest_seconds{kind="process"} 60.0' in text
    assert (f"\npixgate_job_workers {workers}.0\n" in text) == (workers is not None)
    assert "pixgate_job" not in exposition(metrics, None).decode()


def test_requests_of_all_workers_are_added_up(metrics: Metrics) -> None:
    for region, times in ((0, 2), (1, 3)):
        metrics.adopt(region)
        for _ in range(times):
            finish(metrics, bytes_out=100, bytes_in=7, body_mode="unsigned")
    assert count(metrics, "pixgate_requests_total", door="s3", operation="GetObject", code="200") == 5
    assert count(metrics, "pixgate_bytes_out_total", door="s3") == 500
    assert count(metrics, "pixgate_bytes_in_total", door="s3") == 35
    assert count(metrics, "pixgate_s3_body_mode_total", mode="unsigned") == 5
    assert count(metrics, "pixgate_workers") == 2


def test_a_forked_process_counts_in_the_same_memory(metrics: Metrics) -> None:
    pid = os.fork()
    if pid == 0:
        metrics.adopt(1)
        finish(metrics)
        os.kill(os.getpid(), 9)
    os.waitpid(pid, 0)
    assert count(metrics, "pixgate_requests_total", door="s3", operation="GetObject", code="200") == 1


def test_the_histogram_is_cumulative_and_has_sum_and_count(metrics: Metrics) -> None:
    for seconds in (0.0005, 0.001, 0.0011, 7.0, 500.0):
        finish(metrics, seconds)
    bucket = "pixgate_request_seconds_bucket"
    assert count(metrics, bucket, operation="GetObject", le="0.001") == 2
    assert count(metrics, bucket, operation="GetObject", le="0.0025") == 3
    assert count(metrics, bucket, operation="GetObject", le="10.0") == 4
    assert count(metrics, bucket, operation="GetObject", le="+Inf") == 5
    assert count(metrics, "pixgate_request_seconds_count", operation="GetObject") == 5
    assert count(metrics, "pixgate_request_seconds_sum", operation="GetObject") == pytest.approx(507.0026)


def test_nothing_that_a_client_sends_makes_a_new_series(metrics: Metrics) -> None:
    before = len(samples(metrics))
    finish(metrics, operation="Invented", status=299, error_code="Invented", body_mode="invented")
    finish(metrics, operation="Invented-2", status=298, error_code="Invented-2", body_mode="invented-2")
    assert count(metrics, "pixgate_requests_total", door="s3", operation="Unknown", code="other") == 2
    assert count(metrics, "pixgate_errors_total", operation="Unknown", code="other") == 2
    assert count(metrics, "pixgate_s3_body_mode_total", mode="other") == 2
    grown = len(samples(metrics)) - before
    finish(metrics, operation="Invented-3", status=297, error_code="Invented-3")
    assert len(samples(metrics)) - before == grown


def test_errors_by_code(metrics: Metrics) -> None:
    finish(metrics, status=404, error_code="NoSuchKey")
    assert count(metrics, "pixgate_errors_total", operation="GetObject", code="NoSuchKey") == 1


def test_requests_in_flight_and_connections_go_with_their_worker(metrics: Metrics) -> None:
    metrics.adopt(0)
    metrics.begin()
    metrics.set_mine(5)
    assert count(metrics, "pixgate_in_flight") == 1
    assert count(metrics, "pixgate_connections") == 5
    metrics.abandon(0)
    assert count(metrics, "pixgate_in_flight") == 0
    assert count(metrics, "pixgate_connections") == 0


def test_counters_outlive_their_worker(metrics: Metrics) -> None:
    metrics.adopt(0)
    finish(metrics)
    metrics.abandon(0)
    metrics.adopt(0)
    finish(metrics)
    assert count(metrics, "pixgate_requests_total", door="s3", operation="GetObject", code="200") == 2


def test_the_worker_with_fewest_connections(metrics: Metrics) -> None:
    metrics.adopt(1)
    metrics.set_mine(2)
    assert metrics.fewest() == 2  # a region without a worker does not count
    metrics.adopt(0)
    assert metrics.fewest() == 0


def test_what_is_stored_and_who_serves(metrics: Metrics) -> None:
    metrics.adopt(0)
    assert count(metrics, "pixgate_objects") == 3
    assert count(metrics, "pixgate_object_bytes") == 4096
    assert count(metrics, "pixgate_worker_resident_bytes", worker="0") > 1_000_000


def test_counting_is_cheap(metrics: Metrics) -> None:
    """Far above what it takes (2 µs, and several times that where lines are counted), far below what waiting takes."""
    record = RequestRecord(operation="GetObject", status=200, bytes_out=4096)
    best = float("inf")
    for _ in range(5):
        began = time.perf_counter()
        for _ in range(1000):
            metrics.begin()
            metrics.finish(record, 0.001)
        best = min(best, (time.perf_counter() - began) / 1000)
    assert best < 60e-6
