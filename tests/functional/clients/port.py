"""What every client is asked to do, in the words of files and keys."""

from __future__ import annotations

import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

from conformance.target import Keys
from tests.services import Server, clean_environment

COMMAND_SECONDS = 180


class ClientFailed(Exception):
    """A client said no; the message is all that it printed."""


class Client(ABC):
    """One S3 client at its default settings, talking to one server with one key.

    `beyond` are keys that it cannot name, with the reason: those are put and read by another client in its stead.
    """

    name: str
    beyond: Mapping[str, str] = {}

    def __init__(self, server: Server, keys: Keys, home: Path) -> None:
        """`home` is an empty folder for its settings."""
        self.server = server
        self.keys = keys
        self.home = home

    @abstractmethod
    def put(self, file: Path, bucket: str, key: str) -> None:
        """Upload a file; raises ClientFailed with what was printed."""

    @abstractmethod
    def get(self, bucket: str, key: str, file: Path) -> None:
        """Download an object into a file."""

    @abstractmethod
    def copy(self, bucket: str, key: str, to: str) -> None:
        """Copy within a bucket, on the server's side."""

    @abstractmethod
    def move(self, bucket: str, key: str, to: str) -> None:
        """Move within a bucket."""

    @abstractmethod
    def delete(self, bucket: str, key: str) -> None:
        """Delete one object."""

    @abstractmethod
    def list(self, bucket: str, prefix: str = "") -> Sequence[str]:
        """All keys below a prefix."""

    @abstractmethod
    def upload_tree(self, folder: Path, bucket: str, prefix: str) -> None:
        """Make the keys below a prefix equal to the files of a folder."""

    @abstractmethod
    def download_tree(self, bucket: str, prefix: str, folder: Path) -> None:
        """Make the files of a folder equal to the keys below a prefix."""

    def put_in_one_request(self, file: Path, bucket: str, key: str) -> None:
        """Upload without cutting into parts, where the client lets its user choose."""
        self.put(file, bucket, key)


def command(*arguments: str, environment: dict[str, str], stdin: Path | None = None) -> str:
    """Run a command, its standard output; raises ClientFailed with both outputs where it ends with an error."""
    with (stdin or Path("/dev/null")).open("rb") as source:
        done = subprocess.run(
            arguments,
            env=clean_environment(**environment),
            stdin=source,
            capture_output=True,
            timeout=COMMAND_SECONDS,
        )
    if done.returncode != 0:
        raise ClientFailed((done.stdout + done.stderr).decode(errors="replace"))
    return done.stdout.decode()
