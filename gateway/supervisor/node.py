"""What a start takes of the machine: the listening socket, the data folder and its lock, descriptors."""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import socket
from pathlib import Path

from gateway.settings.address import Address
from gateway.supervisor.roles import StartRefused

BACKLOG = 4096


def listen(wanted: Address) -> tuple[socket.socket, Address]:
    try:
        found = socket.getaddrinfo(wanted.host, wanted.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, where = found[0]
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6 and wanted.host == "::":
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listening.bind(where)
        listening.listen(BACKLOG)
    except OSError as error:
        raise StartRefused(f"cannot listen on {wanted}: {error.strerror or error}") from error
    listening.setblocking(False)
    return listening, Address(wanted.host, listening.getsockname()[1])


def make_folder(path: Path) -> None:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StartRefused(f"cannot make the folder {path}: {error.strerror}") from error


def lock_file(path: Path) -> int:
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StartRefused(f"cannot write in {path.parent}: {error.strerror}") from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise StartRefused(f"another server runs on the data folder {path.parent.parent}") from None
    return fd


def raise_descriptor_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 1 << 20 if hard == resource.RLIM_INFINITY else min(hard, 1 << 20)
    if soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
