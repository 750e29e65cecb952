"""Ports for servers that go away and come back."""

from __future__ import annotations

import random
import socket
from pathlib import Path

_LOWEST = 15000
_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_port() -> int:
    """A free loopback port below those that the kernel gives to outgoing connections.

    One of the kernel's own could be taken while its server is down, and a client that tries such a port again and again
    ends up connected to itself.
    """
    end = int(_RANGE.read_text().split()[0]) if _RANGE.exists() else 32768
    low, high = (_LOWEST, end) if end > _LOWEST + 1000 else (_LOWEST, 65536)
    for _ in range(1000):
        port = random.randrange(low, high)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise OSError(f"no free port between {low} and {high}")
