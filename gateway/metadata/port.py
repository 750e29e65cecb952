"""What the SQL of this package needs of a database driver.

Every function of SQL is a coroutine function that takes a `Reader` or a `Transaction`, so that one text serves a driver
that waits (a network engine) and one that never does (SQLite, which runs it to its end in one step).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from gateway.model.objects import WriteConditions

if TYPE_CHECKING:
    from gateway.metadata.versions import NewVersion, Written

T = TypeVar("T")

Row = tuple[Any, ...]
Parameters = Sequence[Any]


class Durable(Protocol):
    """Bytes that must be on stable storage before a transaction that names them may commit."""

    def sync(self) -> None:
        """Block until everything written before this call is durable."""


class Reader(Protocol):
    engine: str
    """`sqlite` or `postgresql`."""

    async def one(self, sql: str, parameters: Parameters = ()) -> Row | None: ...

    async def all(self, sql: str, parameters: Parameters = ()) -> list[Row]: ...


class Transaction(Reader, Protocol):
    arrays: bool
    """Whether a parameter may be an array: not on every engine, and over a pooler it takes the driver seconds to learn."""

    async def run(self, sql: str, parameters: Parameters = ()) -> int:
        """Execute a statement; gives the number of rows changed."""

    async def insert(self, sql: str, parameters: Parameters = ()) -> int:
        """Execute an INSERT into a table with a generated id; gives that id."""

    async def many(self, sql: str, rows: Iterable[Parameters]) -> None: ...

    async def lock(self, kind: str, *identity: int | bytes | str, shared: bool = False) -> None:
        """Hold a lock of that name to the end of the transaction; the statements after it see what earlier holders did.

        A no-op where there is one writer at a time. Several locks of one kind are taken in sorted order.
        """


class Database(Reader, Protocol):
    """A `Reader` for look-ups by primary key, and the two ways to do more. Raises `DatabaseUnavailable`, `DiskFull`."""

    keys_at_once: int
    """How many keys one transaction may write: where each is locked by itself, locks are finite."""

    def snapshot(self) -> bytes | None:
        """What stays equal as long as nobody has committed; None where that is not free to ask."""

    async def generation(self) -> int:
        """The configuration's generation as of a moment after the call began."""

    async def current(self, bucket_id: int, key: bytes) -> tuple[int, Row | None]:
        """The generation, and the row of a key's current version (for `versions.current_of`), at one moment after the call.

        On a network engine callers at about the same time share a round trip.
        """

    async def put(self, new: NewVersion, conditions: WriteConditions, *, durable: Durable | None = None) -> Written:
        """`versions.put_new` as a transaction of its own, by the shortest way that the engine has. Runs to its end."""

    async def maintain(self) -> None:
        """What is due now and then; called every second by every process."""

    async def read(self, operation: Callable[[Reader], Awaitable[T]], *, heavy: bool = False) -> T:
        """Run reads off the event loop, over one snapshot. `heavy` says that they may take seconds."""

    async def read_replica(
        self,
        operation: Callable[[Reader], Awaitable[T]],
        *,
        confirm: Callable[[Reader, T], Awaitable[T]] | None = None,
        heavy: bool = False,
    ) -> T:
        """`read` of what may be ten seconds old, where there is a replica that keeps up; else of the database itself.

        What came from a replica is given to `confirm`, which reads the database itself: it tells what holds of it now.
        """

    async def write(
        self, operation: Callable[[Transaction], Awaitable[T]], *, durable: Durable | None = None, heavy: bool = False
    ) -> T:
        """Run `operation` in a transaction and return after its commit is durable.

        An exception in `operation` undoes what it did and nothing else. `operation` may be run several times, where what
        it did was undone by others; it changes nothing but what `tx` is told. Once called, it runs to its end whether or
        not the caller still waits. `heavy` says that it takes longer than about a millisecond.
        """

    async def close(self) -> None:
        """Finish the writes that were begun and take nothing more."""
