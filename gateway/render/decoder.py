"""A decoder: renders one image after the other for the broker that started it, in a sandbox.

Runs as `python -m gateway.render.decoder <broker's pid> <nice> <fonts>` with a SOCK_SEQPACKET socket as its standard input. It
has no threads of its own, no environment worth reading and, once it says "ready", no way to open a file or a socket.
It ends when the broker does.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

from gateway.render import sandbox, wire
from gateway.render.errors import RenderCrashed, SourceUnreadable
from gateway.render.task import Original, Task
from transforms.errors import TransformError

Make = Callable[[Task, bytes, tuple[bytes, ...], Original | None], Any]


def main() -> None:
    """Prepares the process, says "ready" or "unfit", and works until the broker closes the socket."""
    parent_pid, niceness, fonts = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    sandbox.die_with_parent(parent_pid)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(niceness)
    sock = socket.socket(fileno=os.dup(0))
    try:
        ready, make, idle, reading = prepare(fonts)
    except Exception as error:
        wire.send(sock, {"t": "unfit", "detail": f"{type(error).__name__}: {error}"})
        return
    # A new user namespace has made the kernel forget it.
    sandbox.die_with_parent(parent_pid)
    if sandbox.filter_calls(reading=reading):
        ready["sandbox"].append("seccomp")
    ready["missing"] = [layer for layer in sandbox.LAYERS if layer not in ready["sandbox"]]
    wire.send(sock, ready)
    while (message := wire.receive(sock)) is not None:
        try:
            sandbox.limit_resources(idle, message.head["memory_bytes"], message.head["cpu_seconds"])
            answers = work(message, make)
        finally:
            message.close()
        for head, data in answers:
            _answer(sock, head, data)


def prepare(fonts: str) -> tuple[dict[str, Any], Make, int, bool]:
    """Imports libvips, checks that it is ours, and gives up rights. Raises whatever is wrong with the installation.

    Gives the "ready" message, what does a task, the bytes of address space of an idle decoder, and whether files may
    still be opened for reading: in the folder of fonts, where the kernel sees to it that it is no other.
    """
    layers = []
    sandbox.forbid_privileges()
    if sandbox.leave_network():
        layers.append("network")
    from gateway.render.makers import make
    from transforms.codecs import vips
    from transforms.codecs.preload import preload

    version = vips.check_bundled_vips()
    vips.prepare()
    readable = preload(fonts)
    idle = sandbox.address_space()
    closed = sandbox.close_files(readable)
    if closed:
        layers.append("landlock")
    return {"t": "ready", "vips": version, "sandbox": layers}, make, idle, closed and bool(readable)


Answer = tuple[dict[str, Any], bytes]
"""Head and bytes of a message."""


def work(message: wire.Message, make: Make) -> list[Answer]:
    """The answer to one job, its parts first. Facts become "fail"; anything else counts as a crash."""
    head = message.head
    started = time.perf_counter()
    try:
        source = wire.read_segments(message.fds, head["segments"])
        overlays = tuple(wire.read_segments(message.fds, overlay) for overlay in head["overlays"])
        result = make(Task.from_dict(head["task"]), source, overlays, Original.from_list(head["original"]))
    except TransformError as fact:
        return [(wire.failure_head(fact), b"")]
    except (EOFError, OSError) as error:
        return [(wire.failure_head(SourceUnreadable(f"The stored image cannot be read: {error}.")), b"")]
    except Exception as error:
        # libvips raises for want of memory too: nothing that is the image's fault for certain.
        return [(wire.failure_head(RenderCrashed(f"{type(error).__name__}: {error}"[:500])), b"")]
    milliseconds = round((time.perf_counter() - started) * 1e3, 3)
    parts = [({**_described(part, milliseconds), "t": "part", "name": name}, part.data) for name, part in result.parts]
    return [*parts, ({**_described(result, milliseconds), "t": "done"}, result.data)]


def _described(result: Any, milliseconds: float) -> dict[str, Any]:
    size = {"width": result.width, "height": result.height}
    return {"format": result.format, **size, "ms": milliseconds, "size": len(result.data)}


def _answer(sock: socket.socket, head: dict[str, Any], data: bytes) -> None:
    if len(data) <= wire.INLINE_BYTES:
        wire.send(sock, head, data)
        return
    fd, _ = wire.memfd([data])
    try:
        wire.send(sock, head, fds=[fd])
    finally:
        os.close(fd)


if __name__ == "__main__":
    main()
