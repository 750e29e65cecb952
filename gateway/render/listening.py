"""The socket on which the broker listens, and who connects to it."""

from __future__ import annotations

import contextlib
import os
import socket
import struct

from gateway.render import wire


def listen(path: str) -> socket.socket:
    """A socket at `path` in place of what is there; only its owner may connect. Raises OSError."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    previous = os.umask(0o177)
    try:
        with wire.address(path) as address:
            listener.bind(address)
    finally:
        os.umask(previous)
    listener.listen(128)
    listener.setblocking(False)
    return listener


def peer_uid(sock: socket.socket) -> int:
    """The user of the process at the other end."""
    credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", credentials)[1])
