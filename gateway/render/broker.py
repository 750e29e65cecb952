"""The render broker: one process a node that decides what is rendered, when, and who gets it.

    python -m gateway.render.broker --socket-path PATH [--decoders N] [--cache-bytes N] ...

It never decodes anything. It reads the first bytes of a source to know its size, refuses what is beyond a limit or more
than the queue can take, renders each key at most once at a time, and keeps renditions in a memory that all workers of
the node share. The messages are described in `gateway.render.wire`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import math
import os
import resource
import signal
import socket
from collections.abc import Sequence
from dataclasses import MISSING, fields
from typing import Any

from gateway.render import sandbox, wire
from gateway.render.endpoint import Endpoint
from gateway.render.errors import RenderBusy, SourceUnreadable
from gateway.render.failures import FailureMemory
from gateway.render.flight import Flight, Waiter, deliver
from gateway.render.listening import listen, peer_uid
from gateway.render.memory import RenditionMemory, Stored
from gateway.render.pool import DecoderPool, Job, stored_rendition
from gateway.render.settings import BrokerSettings
from gateway.render.task import INFO, MEZZANINE, RENDITION, VARIANTS, Task
from gateway.render.task_cost import task_cost
from transforms.epoch import codec_epoch
from transforms.errors import DrawingTooSlow, TransformError

_DRAWING = "svg"
_COUNTED = {RENDITION: "renders", MEZZANINE: "mezzanines", INFO: "infos", VARIANTS: "variant_sets"}


class Broker:
    """The state of a broker. `serve` runs until `stop` is called or the process gets SIGTERM."""

    def __init__(self, settings: BrokerSettings) -> None:
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._pool = DecoderPool(settings)
        descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self._memory = RenditionMemory(settings.cache_bytes, max_fds=descriptors // 2)
        self._failures = FailureMemory(settings.failure_seconds, settings.poison_seconds)
        self._flights: dict[str, Flight] = {}
        self._asked: dict[Waiter, Flight] = {}
        self._endpoints: set[Endpoint] = set()
        self._stopped = asyncio.Event()
        self._running_parts: dict[str, Flight] = {}
        """By the keys of their parts, the flights that are being rendered."""
        self._counts = dict.fromkeys((*_COUNTED.values(), "hits", "found", "joined", "busy"), 0)
        self._failed: dict[str, int] = {}

    async def serve(self) -> None:
        """Listens on the socket, starts decoders behind it, and cleans up at the end."""
        listener = listen(self._settings.socket_path)
        inode = os.stat(self._settings.socket_path).st_ino
        self._loop.add_reader(listener.fileno(), self._accept, listener)
        self._pool.start()
        try:
            await self._stopped.wait()
        finally:
            self._loop.remove_reader(listener.fileno())
            listener.close()
            # A broker that took our place has its own socket there.
            with contextlib.suppress(OSError):
                if os.stat(self._settings.socket_path).st_ino == inode:
                    os.unlink(self._settings.socket_path)
            self._pool.close()
            for endpoint in list(self._endpoints):
                endpoint.close()
            self._memory.clear()

    def stop(self) -> None:
        """Ends `serve`."""
        self._stopped.set()

    def stats(self) -> dict[str, Any]:
        """The figures that `RenderClient.stats` describes."""
        tally = self._pool.tally
        return {
            **self._counts,
            "failures": dict(self._failed),
            "queue": {
                "jobs": self._pool.waiting,
                "cost_ms": round(self._pool.cost_ms),
                "later": self._pool.waiting_later,
                "later_ms": round(self._pool.later_ms),
            },
            "decoders": {
                "wanted": self._pool.wanted,
                "alive": len(self._pool.pids),
                "busy": self._pool.busy,
                "pids": self._pool.pids,
                "started": tally.started,
                "killed": tally.killed,
                "crashed": tally.crashed,
                "recycled": tally.recycled,
            },
            "sandbox_missing": tally.sandbox_missing,
            "cache": {"entries": len(self._memory), "bytes": self._memory.size, "limit": self._memory.limit},
            "epoch": codec_epoch(),
            "vips": tally.vips,
            "problem": tally.problem,
        }

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            sock, _ = listener.accept()
            if peer_uid(sock) not in (0, os.geteuid()):
                sock.close()
                return
            endpoint = Endpoint(sock, lambda message: self._heard(endpoint, message), lambda: self._left(endpoint))
            self._endpoints.add(endpoint)

    def _heard(self, endpoint: Endpoint, message: wire.Message) -> None:
        try:
            head = message.head
            waiter = Waiter(endpoint, int(head["id"]), bool(head.get("looks")))
            match head["t"]:
                case "get":
                    self._get(waiter, head)
                case "have":
                    self._have(waiter, message)
                case "none":
                    self._none(waiter)
                case "source":
                    self._source(waiter, message)
                case "abandon":
                    self._abandon(waiter)
                case "stats":
                    endpoint.send({"t": "stats", "id": waiter.number, "stats": self.stats()})
        except (KeyError, ValueError, TypeError, AttributeError):
            endpoint.close()
        finally:
            message.close()

    def _get(self, waiter: Waiter, head: dict[str, Any]) -> None:
        key = head["key"]
        stored = self._memory.get(key)
        if stored is not None:
            self._counts["hits"] += 1
            deliver(waiter, stored, "broker")
            return
        content = str(head["content"])
        known = self._failures.find(key, content)
        if known is not None:
            waiter.endpoint.send({**known, "id": waiter.number})
            return
        later = bool(head.get("later"))
        flight = self._flights.get(key)
        if flight is not None:
            self._counts["joined"] += 1
            flight.waiters.append(waiter)
            if flight.later and not later:
                self._hurry(flight)
            return
        larger = self._running_parts.get(key)
        if larger is not None and larger.job is not None and self._pool.has_begun(larger.job):
            self._counts["joined"] += 1
            larger.joined.setdefault(key, []).append(waiter)
            return
        if self._is_full(later=later) and not waiter.looks:
            self._refuse(waiter, later=later)
            return
        parts = {str(of): str(name) for name, of in head.get("parts", {}).items()}
        flight = Flight(key, content, Task.from_dict(head["task"]), head["reduced"], [waiter], later, parts)
        self._flights[key] = flight
        self._ask_first(flight)

    def _hurry(self, flight: Flight) -> None:
        """Somebody waits for what was begun in the background."""
        flight.later = False
        if flight.job is not None:
            self._pool.hurry(flight.job)

    def _ask_first(self, flight: Flight) -> None:
        """Tells the first waiter to look further, or that its source is needed; without waiters the flight is over."""
        if not flight.waiters:
            self._wait_for(flight, None)
            self._flights.pop(flight.key, None)
            return
        first = flight.waiters[0]
        if not first.looks and self._begin_reduced(flight):
            return
        self._asked[first] = flight
        self._wait_for(flight, self._settings.source_seconds)
        first.endpoint.send({"t": "look" if first.looks else "need", "id": first.number})

    def _wait_for(self, flight: Flight, seconds: float | None) -> None:
        """Gives the first waiter that long to bring what it was asked for; None: it is not waited for any more."""
        if flight.timer is not None:
            flight.timer.cancel()
            flight.timer = None
        if seconds is not None:
            flight.timer = self._loop.call_later(seconds, self._source_is_late, flight)

    def _source_is_late(self, flight: Flight) -> None:
        self._drop_first(flight, SourceUnreadable("The stored image did not arrive in time."))

    def _drop_first(self, flight: Flight, error: Exception | None) -> None:
        first = flight.waiters.pop(0)
        self._asked.pop(first, None)
        if error is not None:
            first.endpoint.send({**wire.failure_head(error), "id": first.number})
        self._ask_first(flight)

    def _abandon(self, waiter: Waiter) -> None:
        flight = self._asked.get(waiter)
        if flight is not None:
            self._drop_first(flight, None)

    def _have(self, waiter: Waiter, message: wire.Message) -> None:
        tier = str(message.head["tier"])
        stored = stored_rendition(message)
        flight = self._asked.pop(waiter, None)
        if flight is None:
            stored.close()
            return
        self._wait_for(flight, None)
        self._landed(flight, stored, tier)

    def _none(self, waiter: Waiter) -> None:
        flight = self._asked.get(waiter)
        if flight is None:
            return
        if self._is_full(later=flight.later):
            del self._asked[waiter]
            self._wait_for(flight, None)
            self._landed(flight, self._busy(later=flight.later))
            return
        if self._begin_reduced(flight):
            del self._asked[waiter]
            self._wait_for(flight, None)
            return
        self._wait_for(flight, self._settings.source_seconds)
        waiter.endpoint.send({"t": "need", "id": waiter.number})

    def _source(self, waiter: Waiter, message: wire.Message) -> None:
        flight = self._asked.pop(waiter, None)
        if flight is None:
            # It came too late; somebody else was asked meanwhile.
            return
        self._wait_for(flight, None)
        self._begin(flight, message)

    def _begin_reduced(self, flight: Flight) -> bool:
        """Renders from the mezzanine, if that is the source and is in this memory."""
        reduced = flight.reduced
        stored = None if reduced is None else self._memory.get(reduced["key"])
        if reduced is None or stored is None:
            return False
        size = int(stored.head["size"])
        fd = wire.memfd([stored.payload])[0] if stored.fd is None else os.dup(stored.fd)
        head = {"segments": [[0, 0, size]], "overlays": [], "original": reduced["original"]}
        message = wire.Message(head, b"", [fd])
        try:
            self._begin(flight, message)
        finally:
            message.close()
        return True

    def _begin(self, flight: Flight, source: wire.Message) -> None:
        """Queues the render from what a "source" message brought, or refuses it."""
        head = source.head
        try:
            cost, formats = task_cost(flight.task, source)
        except TransformError as fact:
            self._landed(flight, fact)
            return
        except (OSError, EOFError):
            self._landed(flight, SourceUnreadable("The stored image is shorter than its segments say."))
            return
        except IndexError:
            raise ValueError("a segment without a descriptor") from None
        room = self._settings.queue_ms * self._pool.wanted
        waiting, waiting_ms = self._queued(later=flight.later)
        if waiting and waiting_ms + cost > room:
            self._landed(flight, self._busy(later=flight.later))
            return
        job = {name: head[name] for name in ("segments", "overlays", "original")}
        fds, source.fds = source.fds, []
        flight.draws = formats[0] == _DRAWING
        drawn = _DRAWING in formats
        flight.job = Job(
            {"task": flight.task.as_dict(), **job},
            fds,
            cost,
            lambda outcome: self._landed(flight, outcome),
            drawn,
            flight.later,
            frozenset(flight.parts.values()),
        )
        self._running_parts.update(dict.fromkeys(flight.parts, flight))
        self._pool.submit(flight.job)

    def _landed(self, flight: Flight, outcome: Stored | Exception, tier: str | None = None) -> None:
        self._flights.pop(flight.key, None)
        for key in flight.parts:
            self._running_parts.pop(key, None)
        if isinstance(outcome, Stored):
            self._counts["found" if tier else _COUNTED[flight.task.kind]] += 1
            parts = {} if flight.job is None else flight.job.parts
            for waiter in flight.waiters:
                for name, part in parts.items():
                    head = {**part.head, "t": "part", "name": name, "id": waiter.number, "tier": None, "first": False}
                    waiter.endpoint.send(head, part.payload, part.fds)
                deliver(waiter, outcome, tier, first=tier is None and waiter is flight.waiters[0])
            for key, name in flight.parts.items() if parts else ():
                self._keep_part(key, parts[name], flight.joined.get(key, ()))
            if parts:
                # Its parts are what it is asked for again for.
                outcome.close()
            else:
                self._memory.put(flight.key, outcome)
            return
        if isinstance(outcome, RenderBusy):
            self._counts["busy"] += 1
        kind = type(outcome).__name__
        self._failed[kind] = self._failed.get(kind, 0) + 1
        head = wire.failure_head(outcome)
        # A picture is not to blame for the watermark on it.
        content = "" if isinstance(outcome, DrawingTooSlow) and not flight.draws else flight.content
        self._failures.remember(flight.key, content, outcome)
        for waiter in (*flight.waiters, *itertools.chain.from_iterable(flight.joined.values())):
            waiter.endpoint.send({**head, "id": waiter.number})

    def _keep_part(self, key: str, part: Stored, waiters: Sequence[Waiter]) -> None:
        """Hands a part to those who wait for it. What nobody asks for yet is not worth the place of what was asked for."""
        for waiter in waiters:
            deliver(waiter, part, None)
        if waiters:
            self._memory.put(key, part)
        else:
            part.close()

    def _is_full(self, *, later: bool) -> bool:
        return self._queued(later=later)[0] >= self._settings.queue_jobs

    def _queued(self, *, later: bool) -> tuple[int, float]:
        """Jobs that wait, and estimated milliseconds of what waits or runs: of what is for later, or of all else."""
        pool = self._pool
        return (pool.waiting_later, pool.later_ms) if later else (pool.waiting, pool.cost_ms)

    def _refuse(self, waiter: Waiter, *, later: bool) -> None:
        self._counts["busy"] += 1
        waiter.endpoint.send({**wire.failure_head(self._busy(later=later)), "id": waiter.number})

    def _busy(self, *, later: bool) -> RenderBusy:
        """What waits behind everything waits for everything."""
        cost = self._pool.cost_ms + (self._pool.later_ms if later else 0.0)
        return RenderBusy(math.ceil(cost / 1000 / self._pool.wanted))

    def _left(self, endpoint: Endpoint) -> None:
        """A worker has gone: what only it waited for is dropped, unless it is being rendered already."""
        self._endpoints.discard(endpoint)
        for flight in list(self._flights.values()):
            asked = next((waiter for waiter in flight.waiters if waiter in self._asked), None)
            flight.waiters = [waiter for waiter in flight.waiters if waiter.endpoint is not endpoint]
            for key, joined in flight.joined.items():
                flight.joined[key] = [waiter for waiter in joined if waiter.endpoint is not endpoint]
            if asked is not None:
                if asked.endpoint is endpoint:
                    del self._asked[asked]
                    self._ask_first(flight)
            elif flight.job is None:
                # What was asked for came, and was no answer.
                self._ask_first(flight)
            elif not flight.waiters and flight.job is not None and self._pool.cancel(flight.job):
                self._flights.pop(flight.key, None)
                for key in flight.parts:
                    self._running_parts.pop(key, None)


def run_broker(settings: BrokerSettings, parent_pid: int = 0) -> None:
    """Runs a broker in this process until SIGTERM, or until the parent dies if `parent_pid` is given."""
    if parent_pid:
        # Ctrl-C reaches the whole group; when to end is the parent's to say.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        sandbox.die_with_parent(parent_pid, signal.SIGTERM)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65_536) if hard > 0 else 65_536, hard))
    asyncio.run(_run(settings))


async def _run(settings: BrokerSettings) -> None:
    broker = Broker(settings)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, broker.stop)
    await broker.serve()


def main() -> None:
    """The command line: one argument for each field of `BrokerSettings`."""
    parser = argparse.ArgumentParser(prog="gateway.render.broker", description="The render broker of one node.")
    parser.add_argument("--parent-pid", type=int, default=0, help="end when this process does")
    for entry in fields(BrokerSettings):
        required = entry.default is MISSING
        default = None if required else entry.default
        kind = str if required else type(entry.default)
        parser.add_argument("--" + entry.name.replace("_", "-"), type=kind, required=required, default=default)
    arguments = vars(parser.parse_args())
    parent_pid = arguments.pop("parent_pid")
    run_broker(BrokerSettings(**arguments), parent_pid)


if __name__ == "__main__":
    main()
