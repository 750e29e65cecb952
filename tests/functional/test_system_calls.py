"""What is acknowledged is durable: the order of system calls, since a killed process proves nothing about the disk."""

from __future__ import annotations

import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from conformance.probe import Probe
from tests.services import Server

_CALLS = "fsync,fdatasync,sync_file_range,write,writev,pwrite64,pwritev,pwritev2,sendto,sendmsg,read,recvfrom,recvmsg"
_SIZES = (0, 10, 4096, 70_000, 3_000_000, 6_000_000)
_STRACE = shutil.which("strace")
_LINE = re.compile(r"^(?P<pid>\d+)\s+(?P<time>\d+\.\d+)\s+(?P<rest>.*)$")
_SYNC = re.compile(r"(fsync|fdatasync)\(\d+<(?P<path>[^>]*)>")
_WRITTEN = re.compile(r"(write|writev|sendto|sendmsg)\(")

pytestmark = pytest.mark.skipif(_STRACE is None, reason="strace is not installed")


@dataclass(frozen=True)
class Event:
    """Something that matters, at a line of the trace: `request`, `sync` of a path, `answer`."""

    kind: str
    path: str
    line: int


def _events(trace: str, request: str) -> list[Event]:
    """What happened from the arrival of the request to its 200. A sync counts where it returned, not where it began."""
    events: list[Event] = []
    unfinished: dict[str, str] = {}
    for number, line in enumerate(trace.splitlines()):
        match = _LINE.match(line)
        if match is None:
            continue
        pid, rest = match["pid"], match["rest"]
        sync = _SYNC.match(rest)
        if sync and "<unfinished" in rest:
            unfinished[pid] = sync["path"]
        elif sync and rest.rstrip().endswith("= 0"):
            events.append(Event("sync", sync["path"], number))
        elif "resumed>" in rest and ("fsync" in rest or "fdatasync" in rest) and pid in unfinished:
            path = unfinished.pop(pid)
            if rest.rstrip().endswith("= 0"):
                events.append(Event("sync", path, number))
        elif request in rest and re.match(r"(<\.\.\. )?(read|recvfrom|recvmsg)", rest):
            events = [Event("request", "", number)]
        elif events and events[0].kind == "request" and "HTTP/1.1 200" in rest and _WRITTEN.match(rest):
            return [*events, Event("answer", "", number)]
    raise AssertionError(f"no answer to {request} in the trace")


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The system calls of a server that was sent objects of several sizes, one after the other."""
    assert _STRACE is not None
    folder = tmp_path_factory.mktemp("traced")
    output = folder / "trace"
    wrapper = (
        _STRACE,
        "-f",
        "-y",
        "-ttt",
        "-s",
        "200",
        "-e",
        f"trace={_CALLS}",
        "-e",
        "signal=none",
        "-o",
        str(output),
    )
    server = Server(folder / "data", workers=1, wrapper=wrapper)
    server.start()
    try:
        probe = Probe(server.target())
        probe.s3.create_bucket(Bucket="traced")
        for size in _SIZES:
            probe.send("PUT", "traced", f"object-{size}", body=bytes(size)).succeeded()
            time.sleep(0.1)
    finally:
        server.stop()
    return output.read_text(errors="replace")


@pytest.mark.parametrize("size", _SIZES)
def test_bytes_then_rows_then_the_answer(trace: str, size: int) -> None:
    events = _events(trace, f"PUT /traced/object-{size} ")
    syncs = [event for event in events if event.kind == "sync"]
    database = [event.line for event in syncs if "pixgate.sqlite" in event.path]
    blobs = [event.line for event in syncs if "/blobs/" in event.path]
    assert database, f"answered 200 before the transaction was synced: {events}"
    if size:
        assert blobs, f"answered 200 before the bytes were synced: {events}"
        assert max(blobs) < max(database), f"the row was durable before the bytes were: {events}"


def test_a_new_file_is_synced_in_its_folder(trace: str) -> None:
    """A blob in a file of its own: the file's bytes and the folder that names it, then the row."""
    events = _events(trace, f"PUT /traced/object-{max(_SIZES)} ")
    syncs = [event for event in events if event.kind == "sync" and "/blobs/" in event.path]
    folders = [event for event in syncs if Path(event.path).is_dir()]
    files = [event for event in syncs if not Path(event.path).is_dir()]
    database = [event.line for event in events if event.kind == "sync" and "pixgate.sqlite" in event.path]
    assert files
    assert folders, f"no folder was synced: {[event.path for event in syncs]}"
    assert max(event.line for event in (*files, *folders)) < max(database)
