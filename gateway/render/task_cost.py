"""What a task will cost a decoder, by the first bytes of its sources."""

from __future__ import annotations

import os
from collections.abc import Sequence

from gateway.render import wire
from gateway.render.task import VARIANTS, Original, Task
from transforms.cost import estimate, estimate_variants
from transforms.headers import Source, read_header
from transforms.options import parse_compact


def task_cost(task: Task, message: wire.Message) -> tuple[float, list[str]]:
    """Estimated milliseconds of a task, its sources checked against its limits by their headers; and their formats.

    Raises facts of `transforms.errors`, EOFError where a file is shorter than its segment, IndexError, OSError.
    """
    head = message.head
    source = _source_of(message.fds, head["segments"])
    task.limits.check_bytes(source.size)
    original = Original.from_list(head["original"])
    size = None if original is None else (original.width, original.height)
    header = read_header(source)
    formats = [header.format.name]
    if task.kind == VARIANTS:
        return estimate_variants(header, task.limits), formats
    cost = estimate(header, parse_compact(task.options), task.variant, task.limits, original=size)
    for segments in head["overlays"]:
        overlay = _source_of(message.fds, segments)
        task.limits.check_bytes(overlay.size)
        header = read_header(overlay)
        task.limits.check_source(header.width, header.height)
        formats.append(header.format.name)
        cost += header.format.decode_weight * header.pixels / 1e6
    return cost, formats


def _source_of(fds: Sequence[int], segments: Sequence[Sequence[int]]) -> Source:
    """The segments as one image. Raises EOFError where a file is shorter than its segment, IndexError, OSError."""
    sizes = [os.fstat(fd).st_size for fd in fds]
    for number, offset, length in segments:
        if offset < 0 or length < 0 or offset + length > sizes[number]:
            raise EOFError

    def read(at: int, length: int) -> bytes:
        data = b""
        for number, offset, size in segments:
            if at < size and len(data) < length:
                data += wire.read_exactly(fds[number], offset + at, min(size - at, length - len(data)))
            at = max(0, at - size)
        return data

    return Source(read, sum(length for _, _, length in segments))
