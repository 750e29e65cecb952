"""One process for each server, which starts it, stops and kills it when asked, and ends it when nobody uses it any more.

Users hold a connection to the keeper's socket: the kernel closes it however they end. The server is the keeper's child and
dies with it. So nothing survives a test run that is killed, and the workers of one run share a server without knowing of
each other.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.servers.process import Command, Process
from tests.servers.run_folder import hold, locked

READY_SECONDS = 90.0
# How long it stays without a user.
UNUSED_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Launch:
    """A server that is ready to be started: `ready` tells by the process id whether it answers by now."""

    command: Command
    details: dict[str, str]
    ready: Callable[[int], bool]


class Keeper:
    """Keeps the server of `launch`, which lies in `folder`."""

    def __init__(self, launch: Launch, folder: Path) -> None:
        self._launch = launch
        self._folder = folder
        self._process: Process | None = None
        self._users = 0
        self._ended = False

    def start(self) -> None:
        """Start it, and wait until it answers; nothing where it runs. Raises RuntimeError with the end of its log."""
        if self._process and self._process.running:
            return
        log = self._folder / "log"
        self._process = Process(self._launch.command, self._folder, log)
        deadline = time.monotonic() + READY_SECONDS
        while not self._launch.ready(self._process.pid):
            if not self._process.running or time.monotonic() > deadline:
                self._process.kill()
                raise RuntimeError(f"did not start\n{log.read_text(errors='replace')[-4000:]}")
            time.sleep(0.01)

    def obey(self, order: str) -> None:
        """Do what a user asks for: start, stop, restart, pause, resume, kill, and `end` for good."""
        self._ended = order == "end"
        if order in {"stop", "restart"} and self._process:
            self._process.stop()
        if order in {"start", "restart"}:
            self.start()
        if order in {"pause", "resume", "kill"} and self._process:
            {"pause": self._process.pause, "resume": self._process.resume, "kill": self._process.kill}[order]()

    async def serve(self, listener: socket.socket, opening: str) -> None:
        """Answer users until there has been none for a moment, or one ends it."""
        left = asyncio.Event()
        over = False

        async def user(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if over:
                # Nothing is promised any more; without an answer one asks another keeper.
                writer.close()
                return
            self._users += 1
            try:
                writer.write(opening.encode() + b"\n")
                while not self._ended and (order := await reader.readline()):
                    writer.write(self._answer(order.decode().strip()).encode() + b"\n")
            except ConnectionError:
                pass
            finally:
                self._users -= 1
                writer.close()
                left.set()

        server = await asyncio.start_unix_server(user, sock=listener)
        unused = False
        while not self._ended and not (unused and self._users == 0):
            left.clear()
            # There is none at first, and between the tests of one worker and those of the next: not at once, then.
            unused = self._users == 0
            with suppress(TimeoutError):
                await asyncio.wait_for(left.wait(), UNUSED_SECONDS if unused else None)
        over = True
        server.close()

    def _answer(self, order: str) -> str:
        try:
            self.obey(order)
        except Exception as error:
            return json.dumps({"error": f"{order}: {error}"})
        return json.dumps({"pid": self._process.pid if self._process else 0})

    def end(self) -> None:
        """Kill the server: its folder goes with it."""
        if self._process:
            self._process.kill()


def keep(kind: str, folder: Path, listener: socket.socket) -> None:
    """Start the server of a kind in its folder, and keep it as long as anybody is connected to `listener`."""
    hold(folder)
    keeper = None
    try:
        from tests.servers.kinds import KINDS

        launch = KINDS[kind].prepare(folder)
        keeper = Keeper(launch, folder)
        keeper.start()
        opening = json.dumps({"details": launch.details, "pid": keeper._process.pid if keeper._process else 0})
    except Exception:
        opening = json.dumps({"error": f"{kind} cannot be started: {traceback.format_exc(limit=-3)}"})
        keeper = keeper or Keeper(Launch(Command(()), {}, lambda _: False), folder)
    try:
        asyncio.run(keeper.serve(listener, opening))
    finally:
        # Whoever comes now finds no socket and starts another one.
        with locked(folder.parent):
            listener.close()
            keeper.end()
            shutil.rmtree(folder, ignore_errors=True)
            # Nobody makes a folder in it now; who waits for the lock makes it anew.
            with suppress(OSError):
                folder.parent.rmdir()


def main() -> None:
    """`python -m tests.servers.keeper KIND FOLDER DESCRIPTOR`: the listening socket is handed over."""
    kind, folder, descriptor = sys.argv[1:]
    # Nobody's child: whoever began this need not wait for its end.
    if os.fork():
        os._exit(0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    keep(kind, Path(folder), socket.socket(fileno=int(descriptor)))


if __name__ == "__main__":
    main()
