"""The messages of the render broker: between worker and broker, and between broker and decoder.

Both are Unix sockets of type SOCK_SEQPACKET, so a message arrives whole and together with the file descriptors that
belong to it; there is no stream to cut up. One message:

    4 bytes    length of the head, big-endian
    head       a JSON object
    payload    the rest: the bytes of a rendition of at most INLINE_BYTES, else nothing
    SCM_RIGHTS file descriptors: the stored image, or a sealed memfd with a larger rendition

Worker to broker (`id` is the worker's own number of the request, echoed in each answer):

    {"t": "get", "id", "key", "content", "task": {...}, "reduced", "looks", "later", "parts"}
                                                                   is it rendered, or being rendered? `task` is a `Task`,
                                                                   `content` names the source; `looks`: asks back;
                                                                   `reduced`: null, or key and original of a mezzanine,
                                                                   the source that the broker may know itself;
                                                                   `later`: nobody waits for it; `parts`: keys by name
                                                                   of what is made along with it
    {"t": "have", "id", "tier", ...}                               answers "look": a rendition, as in "done"
    {"t": "none", "id"}                                            answers "look": no memory has it
    {"t": "source", "id", "segments": [[n, offset, length]...], "overlays": [segments...], "original"}
                                                                   answers "need"; n counts the descriptors sent;
                                                                   `original`: null, or what these are a mezzanine of
    {"t": "abandon", "id"}                                         the source could not be opened; ask another waiter
    {"t": "stats", "id"}

Broker to worker:

    {"t": "look", "id"}                                            not in this node: look in the memories beyond it
    {"t": "need", "id"}                                            nobody has it: send the source
    {"t": "part", "id", "name", ...}                               before "done": what was made along with it, as there
    {"t": "done", "id", "tier", "first", ...}                      format, width, height, ms, size: a rendition; `first`:
                                                                   rendered for this one of those that waited
    {"t": "fail", "id", "error", ...}                              see ERRORS
    {"t": "stats", "id", "stats": {...}}

The steps ("get", then "have" or "none", then "source") spare a worker from opening files, or fetching them from a distant
store, for what is rendered already. Among workers that ask for the same key at the same time, only one is told "look"
and "need". `tier` is the memory that had it (`broker`, `redis`, `store`), null where it was rendered. The bytes of a
rendition are the payload of "done" or "have", or a memfd of `size` bytes that comes with it.

Broker to decoder: {"t": "job", "task", "segments", "overlays", "original", "cpu_seconds", "memory_bytes"} with the
descriptors. Decoder to broker: first {"t": "ready", "vips", "sandbox", "missing"} or {"t": "unfit", "detail"}; then
for each job its parts, and one "done" or "fail" as above, without id and tier.
"""

from __future__ import annotations

import array
import contextlib
import fcntl
import json
import os
import socket
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.render.errors import (
    BrokerUnavailable,
    RenderBusy,
    RenderCrashed,
    RenderError,
    RenderTimeout,
    SourceUnreadable,
)
from transforms.errors import (
    DecodeFailed,
    DrawingTooSlow,
    MissingExtra,
    NotAnImage,
    OptionError,
    TooLarge,
    TransformError,
    UnsupportedFormat,
)

INLINE_BYTES = 64 * 1024
"""Renditions up to this size travel inside the message; larger ones as a memfd."""
MAX_FDS = 64
"""Descriptors in one message; a source of more files is gathered into one memfd first (the kernel's limit is 253)."""
MESSAGE_BYTES = INLINE_BYTES + 32 * 1024
"""The largest message; fits the default socket buffer of Linux (208 KiB)."""

SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


@dataclass(slots=True)
class Message:
    """One message as received. Whoever takes it owns `fds`."""

    head: dict[str, Any]
    payload: bytes
    fds: list[int]

    def close(self) -> None:
        """Closes every descriptor that came along."""
        while self.fds:
            os.close(self.fds.pop())


def send(sock: socket.socket, head: dict[str, Any], payload: bytes = b"", fds: Sequence[int] = ()) -> None:
    """Sends one message. Raises BlockingIOError when the peer's buffer is full (nothing was sent), or OSError."""
    text = json.dumps(head, separators=(",", ":")).encode()
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    sock.sendmsg([len(text).to_bytes(4, "big"), text, payload], rights, socket.MSG_NOSIGNAL)


def receive(sock: socket.socket) -> Message | None:
    """The next message, or None at the end. Raises BlockingIOError when there is none yet, ValueError if malformed."""
    data, ancillary, flags, _ = sock.recvmsg(MESSAGE_BYTES, socket.CMSG_SPACE(MAX_FDS * 4), socket.MSG_CMSG_CLOEXEC)
    message = Message({}, b"", _descriptors(ancillary))
    try:
        if not data:
            message.close()
            return None
        if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
            raise ValueError("a message was cut")
        end = 4 + int.from_bytes(data[:4], "big")
        head = json.loads(data[4:end])
        if not isinstance(head, dict):
            raise ValueError("the head is no object")
    except ValueError:
        message.close()
        raise
    message.head, message.payload = head, data[end:]
    return message


def memfd(pieces: Iterable[bytes | memoryview]) -> tuple[int, int]:
    """A sealed memfd with these bytes, and its length. The caller owns the descriptor."""
    fd = os.memfd_create("pixgate", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        length = 0
        for piece in pieces:
            view = memoryview(piece)
            while view:
                written = os.write(fd, view)
                length += written
                view = view[written:]
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, SEALS)
    except BaseException:
        os.close(fd)
        raise
    return fd, length


def is_sealed(fd: int, length: int) -> bool:
    """Whether `fd` is a memfd of exactly this length that nobody can change any more."""
    with contextlib.suppress(OSError):
        return fcntl.fcntl(fd, fcntl.F_GET_SEALS) & SEALS == SEALS and os.fstat(fd).st_size == length
    return False


def read_exactly(fd: int, offset: int, length: int) -> bytes:
    """`length` bytes of a file from `offset`. Raises EOFError where the file is shorter."""
    data = os.pread(fd, length, offset)
    if len(data) == length:
        return data
    pieces, got = [data], len(data)
    while got < length:
        piece = os.pread(fd, length - got, offset + got)
        if not piece:
            raise EOFError(f"{got} of {length} bytes")
        pieces.append(piece)
        got += len(piece)
    return b"".join(pieces)


def read_segments(fds: Sequence[int], segments: Iterable[Sequence[int]]) -> bytes:
    """The bytes of segments (number of the descriptor, offset, length). Raises EOFError or OSError."""
    pieces = [read_exactly(fds[number], offset, length) for number, offset, length in segments]
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


@contextlib.contextmanager
def address(path: str) -> Iterator[str]:
    """A name for `path` that a Unix socket takes, however long it is (sun_path holds 107 bytes)."""
    if len(os.fsencode(path)) < 100:
        yield path
        return
    folder = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{os.path.basename(path)}"
    finally:
        os.close(folder)


def failure_head(error: Exception) -> dict[str, Any]:
    """The fields of a "fail" message for a fact of `transforms.errors` or `gateway.render.errors`."""
    head: dict[str, Any] = {"t": "fail", "error": type(error).__name__, "detail": str(error)}
    match error:
        case OptionError():
            head |= {"option": error.option, "expected": error.expected, "problem": error.problem}
        case UnsupportedFormat():
            head |= {"format_name": error.format_name, "extra": error.extra}
        case TooLarge():
            head |= {"limit": error.limit, "value": error.value, "allowed": error.allowed}
        case RenderBusy():
            head |= {"retry_after": error.retry_after}
    return head


def failure(head: dict[str, Any]) -> TransformError | RenderError:
    """The fact that a "fail" message carries. Raises ValueError or KeyError for a message that is malformed."""
    detail = str(head["detail"])[:1000]
    match head["error"]:
        case "OptionError":
            return OptionError(str(head["option"]), str(head["expected"]), str(head["problem"]))
        case "UnsupportedFormat":
            return UnsupportedFormat(str(head["format_name"]), head["extra"])
        case "TooLarge":
            return TooLarge(str(head["limit"]), int(head["value"]), int(head["allowed"]))
        case "RenderBusy":
            return RenderBusy(int(head["retry_after"]))
        case name if name in ERRORS:
            return ERRORS[name](detail)
    raise ValueError(head["error"])


ERRORS: dict[str, type[TransformError | RenderError]] = {
    kind.__name__: kind
    for kind in (
        OptionError, NotAnImage, UnsupportedFormat, MissingExtra, TooLarge, DecodeFailed, DrawingTooSlow,
        RenderBusy, RenderTimeout, RenderCrashed, SourceUnreadable, BrokerUnavailable,
    )
}  # fmt: skip
"""Every fact that can travel in a "fail" message, by its class name."""


def _descriptors(ancillary: list[tuple[int, int, bytes]]) -> list[int]:
    numbers = array.array("i")
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            numbers.frombytes(data[: len(data) - len(data) % numbers.itemsize])
    return list(numbers)
