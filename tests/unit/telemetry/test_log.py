"""The log: one JSON object a line, bounded, whole lines, and nothing secret."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import select
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.telemetry import Metrics, RequestRecord, Telemetry
from gateway.telemetry import log as log_module
from gateway.telemetry.log import LogWriter, event_line, request_line


def ignore(lines: int) -> None:
    pass


@given(
    st.builds(
        RequestRecord,
        method=st.text(),
        bucket=st.none() | st.text(),
        error_code=st.none() | st.text(),
        access_key=st.none() | st.text(),
        remote=st.none() | st.text(),
        status=st.integers(0, 999),
        bytes_in=st.integers(0, 2**60),
    )
)
def test_whatever_a_client_sends_a_line_is_one_json_object(record: RequestRecord) -> None:
    line = request_line(record, 0.00125)
    assert line.endswith("\n")
    assert line.count("\n") == 1
    fields = json.loads(line)
    assert fields["request_id"] == record.request_id
    assert fields["ms"] == 1.25
    assert fields["bytes_in"] == record.bytes_in
    assert fields["bucket"] == (None if record.bucket is None else record.bucket[:64])


def test_the_fields_of_a_request() -> None:
    record = RequestRecord(
        operation="GetObject", method="GET", bucket="photos", status=404, error_code="NoSuchKey", access_key="PGX"
    )
    fields = json.loads(request_line(record, 0.5))
    expected = {
        "event": "request",
        "door": "s3",
        "operation": "GetObject",
        "method": "GET",
        "bucket": "photos",
        "status": 404,
        "error": "NoSuchKey",
        "ms": 500.0,
        "access_key": "PGX",
    }
    assert {name: fields[name] for name in expected} == expected
    assert fields["time"].endswith("Z")


def test_an_exception_is_one_line_too() -> None:
    try:
        raise ValueError("first\nsecond")
    except ValueError as error:
        caught = (type(error), error, error.__traceback__)
    record = logging.LogRecord("pixgate", logging.ERROR, __file__, 1, "it %s", ("failed",), caught)
    record.request_id = "ABC"
    line = event_line(record)
    assert line.count("\n") == 1
    fields = json.loads(line)
    assert (fields["event"], fields["exception"], fields["request_id"]) == ("it failed", "ValueError", "ABC")
    assert "second" in fields["traceback"]


async def test_lines_arrive_in_order_after_a_moment(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("wb") as file:
        writer = LogWriter(file.fileno(), dropped=ignore)
        writer.attach(asyncio.get_running_loop())
        for number in range(1200):
            writer.write(f"{number}\n")
        await asyncio.sleep(4 * log_module.FLUSH_INTERVAL)
        writer.close()
    assert path.read_text().split() == [str(number) for number in range(1200)]


def test_a_blocked_output_stops_nothing_and_what_is_lost_is_counted() -> None:
    reading, writing = os.pipe()
    lost: list[int] = []
    writer = LogWriter(writing, dropped=lost.append)
    began = time.monotonic()
    for number in range(log_module.QUEUE_LINES + 5000):
        writer.write(f"{number:0100}\n")
    assert time.monotonic() - began < 10
    assert sum(lost) > 0
    taken = 0
    while select.select([reading], [], [], 30)[0]:
        taken += os.read(reading, 1 << 20).count(b"\n")
        if taken + sum(lost) >= log_module.QUEUE_LINES + 5000:
            break
    assert taken + sum(lost) == log_module.QUEUE_LINES + 5000
    writer.close()
    os.close(reading)
    os.close(writing)


@pytest.mark.parametrize(
    ("data", "size", "pieces"),
    [
        (b"aa\nbb\ncc\n", 6, [b"aa\nbb\n", b"cc\n"]),
        (b"aa\nbb\n", 100, [b"aa\nbb\n"]),
        (b"a-line-longer-than-all\nb\n", 4, [b"a-line-longer-than-all\n", b"b\n"]),
        (b"", 4, []),
    ],
)
def test_a_pipe_gets_whole_lines(data: bytes, size: int, pieces: list[bytes]) -> None:
    assert [data[start:end] for start, end in log_module._cuts(data, size)] == pieces


def test_telemetry_counts_and_logs_a_request(tmp_path: Path) -> None:
    path = tmp_path / "log"
    metrics = Metrics([], [], workers=1, body_modes=[])
    with path.open("wb") as file:
        writer = LogWriter(file.fileno(), dropped=ignore)
        telemetry = Telemetry(metrics, writer)
        telemetry.begin()
        telemetry.finish(RequestRecord(door="web", status=200))
        quiet = Telemetry(metrics, writer, log_requests=False)
        quiet.begin()
        quiet.finish(RequestRecord(door="web", status=200))
        writer.close()
    assert len(path.read_text().splitlines()) == 1
    families = {family.name: family for family in metrics.collect()}
    assert families["pixgate_requests"].samples[0].value == 2
    assert families["pixgate_in_flight"].samples[0].value == 0
