"""Ports for servers that go away and come back."""

from __future__ import annotations

import random
import socket
import sys
from pathlib import Path

_LOWEST = 15000
_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_port() -> int:
    """A free loopback port below those that the kernel gives to outgoing connections.

    One of the kernel's own could be taken while its server is down, and a client that tries such a port again and again
    ends up connected to itself. While this process lives no other is given the same one: its server may be down for a while.
    """
    return _free(0)


def free_pair(apart: int) -> int:
    """The same, where the port that is so much higher is free and ours as well."""
    return _free(apart)


def _free(apart: int) -> int:
    end = int(_RANGE.read_text().split()[0]) if _RANGE.exists() else 32768
    low, high = (_LOWEST, end) if end > _LOWEST + apart + 1000 else (_LOWEST, 65536)
    for _ in range(1000):
        port = random.randrange(low, high - apart)
        if all(_unused(one) and _claimed(one) for one in sorted({port, port + apart})):
            return port
    raise OSError(f"no free port between {low} and {high}")


def _unused(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _claimed(port: int) -> bool:
    """Whether nobody else was given it; from now on this process has it, until it ends."""
    if sys.platform != "linux":
        return True
    claim = socket.socket(socket.AF_UNIX)
    try:
        claim.bind(f"\0pixgate-test-port-{port}")
    except OSError:
        claim.close()
        return False
    claim.detach()
    return True
