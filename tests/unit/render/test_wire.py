"""Messages of the render broker, on a pair of sockets."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator

import pytest

from gateway.render import errors as render_errors
from gateway.render import wire
from gateway.render.memory import ENTRY_OVERHEAD, RenditionMemory, Stored
from transforms import errors as transform_errors


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with one, other:
        yield one, other


def test_a_message_arrives_whole_with_its_descriptors(pair: tuple[socket.socket, socket.socket]) -> None:
    fd, length = wire.memfd([b"abc", memoryview(b"defg")])
    wire.send(pair[0], {"t": "x", "n": 1}, b"p" * wire.INLINE_BYTES, [fd, fd])
    os.close(fd)
    message = wire.receive(pair[1])
    assert message is not None
    assert message.head == {"t": "x", "n": 1}
    assert message.payload == b"p" * wire.INLINE_BYTES
    assert [wire.read_exactly(got, 0, length) for got in message.fds] == [b"abcdefg"] * 2
    assert all(fcntl.fcntl(got, fcntl.F_GETFD) & fcntl.FD_CLOEXEC for got in message.fds)
    got = message.fds[0]
    message.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(got)


def test_the_end_is_none(pair: tuple[socket.socket, socket.socket]) -> None:
    pair[0].close()
    assert wire.receive(pair[1]) is None


@pytest.mark.parametrize("data", [b"x", b"\0\0\0\x02{}"[:5], b"\0\0\0\x02[]", b"\0\0\0\xff{}x", b"\xff\xff\xff\xff"])
def test_malformed_messages(pair: tuple[socket.socket, socket.socket], data: bytes) -> None:
    pair[0].send(data)
    with pytest.raises(ValueError, match=r"."):
        wire.receive(pair[1])


def test_too_much_is_not_taken_as_whole(pair: tuple[socket.socket, socket.socket]) -> None:
    pair[0].send(b"\0\0\0\x02{}" + bytes(wire.MESSAGE_BYTES))
    with pytest.raises(ValueError, match="cut"):
        wire.receive(pair[1])


def test_a_memfd_is_sealed() -> None:
    fd, length = wire.memfd([b"abc"])
    try:
        assert wire.is_sealed(fd, length)
        assert not wire.is_sealed(fd, length + 1)
        with pytest.raises(PermissionError):
            os.pwrite(fd, b"x", 0)
        with pytest.raises(PermissionError):
            os.ftruncate(fd, 0)
    finally:
        os.close(fd)
    plain = os.memfd_create("plain")
    try:
        assert not wire.is_sealed(plain, 0)
    finally:
        os.close(plain)


def test_a_short_file_is_told() -> None:
    fd, _ = wire.memfd([b"abc"])
    try:
        assert wire.read_segments([fd], [(0, 1, 2), (0, 0, 1)]) == b"bca"
        with pytest.raises(EOFError):
            wire.read_exactly(fd, 1, 3)
    finally:
        os.close(fd)


_FACTS: list[Exception] = [
    transform_errors.OptionError("w", "a number", "is unknown"),
    transform_errors.NotAnImage(),
    transform_errors.UnsupportedFormat("heic", "heif"),
    transform_errors.MissingExtra("The gravity `face`", "faces"),
    transform_errors.TooLarge("source_pixels", 9, 8),
    transform_errors.DecodeFailed("broken"),
    transform_errors.DrawingTooSlow(),
    render_errors.RenderBusy(7),
    render_errors.RenderTimeout("late"),
    render_errors.RenderCrashed("dead"),
    render_errors.SourceUnreadable("short"),
    render_errors.BrokerUnavailable("gone"),
]


def test_every_fact_has_a_sample() -> None:
    assert {type(fact).__name__ for fact in _FACTS} == set(wire.ERRORS)
    leaves = {
        kind.__name__
        for module in (transform_errors, render_errors)
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, Exception) and not kind.__subclasses__()
    }
    # A kind of broken image is told apart from the others.
    assert leaves | {"DecodeFailed"} == set(wire.ERRORS)


@pytest.mark.parametrize("fact", _FACTS, ids=lambda fact: type(fact).__name__)
def test_facts_travel_unchanged(fact: Exception) -> None:
    arrived = wire.failure(wire.failure_head(fact))
    assert type(arrived) is type(fact)
    assert str(arrived) == str(fact)
    assert vars(arrived) == vars(fact)


def test_an_unknown_fact_is_malformed() -> None:
    with pytest.raises(ValueError, match="SystemExit"):
        wire.failure({"error": "SystemExit", "detail": ""})


def _stored(size: int, *, large: bool = False) -> Stored:
    if not large:
        return Stored({"size": size}, bytes(size), None)
    return Stored({"size": size}, b"", wire.memfd([bytes(size)])[0])


def test_the_memory_forgets_the_least_recently_used() -> None:
    memory = RenditionMemory(3 * (100 + ENTRY_OVERHEAD), max_fds=10)
    for key in "abc":
        memory.put(key, _stored(100))
    assert memory.get("a")
    memory.put("d", _stored(100))
    assert memory.get("b") is None
    assert all(memory.get(key) for key in "acd")
    assert memory.size == 3 * (100 + ENTRY_OVERHEAD)


def test_the_memory_bounds_and_closes_descriptors() -> None:
    memory = RenditionMemory(1 << 30, max_fds=2)
    entries = [_stored(10, large=True) for _ in range(4)]
    for number, entry in enumerate(entries):
        memory.put(str(number), entry)
    assert len(memory) == 2
    assert entries[0].fd is not None
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(entries[0].fd)
    memory.put("3", _stored(5))
    memory.clear()
    assert memory.size == 0
    assert all(not os.path.exists(f"/proc/self/fd/{entry.fd}") for entry in entries)


def test_what_is_larger_than_the_memory_is_not_kept() -> None:
    memory = RenditionMemory(100, max_fds=2)
    memory.put("a", _stored(200))
    assert len(memory) == memory.size == 0


def test_long_paths_have_an_address(tmp_path) -> None:
    folder = tmp_path / ("x" * 120)
    folder.mkdir()
    path = str(folder / "socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        with wire.address(path) as address:
            listener.bind(address)
        listener.listen(1)
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client, wire.address(path) as address:
            client.connect(address)
