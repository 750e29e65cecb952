"""A folder of blobs: its files, packs and descriptors. Nothing here knows an event loop; what blocks says so.

    <root>/deployment                       the id of the deployment that the folder belongs to
    <root>/<deployment id>/<lease>/<n>      a blob of its own
    <root>/<deployment id>/<lease>/p<n>     a pack of small ones

Small blobs share an append-only pack, so that one fdatasync serves all that wait for it: the driver of the database
syncs it before the commit that names them. A name is only ever written to by the process whose lease it lies under.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import re
import stat
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path

from gateway.blobs.port import Bytes, Entry, Placed
from gateway.blobs.reading import read
from gateway.errors import DiskFull, GatewayError, InvalidValue, StoreUnavailable
from gateway.model import Segment

PACK_BYTES = 64 * 1024**2
"""A pack of this size, in bytes, is closed and another begun: what is deleted from it is freed the sooner."""
OPEN_FILES = 256
PIECE_BYTES = 256 * 1024
"""Bytes a read."""
FREE_SPACE_TTL = 0.5
WRITE_BEHIND_BYTES = 4 * 1024**2
"""The kernel is told to start writing each time this much of a blob was written, so that its fdatasync is short."""
IOV_MAX = 1024
MARKER = "deployment"
PACK = "p"
LEASE = re.compile(r"0|[1-9][0-9]*", re.ASCII)
NAME = re.compile(rf"(?:{LEASE.pattern})/{PACK}?[0-9]+", re.ASCII)

_libc = ctypes.CDLL(None, use_errno=True)
_SYNC_FILE_RANGE_WRITE = 2
_FALLOC_FL_KEEP_SIZE = 1
_FALLOC_FL_PUNCH_HOLE = 2


def translate(error: OSError) -> GatewayError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull("The store has no space left.")
    return StoreUnavailable("The store does not answer.")


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_all(fd: int, pieces: Iterable[Bytes]) -> int:
    """Write all pieces at the file's position; gives their bytes."""
    buffers = [piece for piece in pieces if len(piece)]
    total = 0
    while buffers:
        written = os.writev(fd, buffers[:IOV_MAX])
        total += written
        while buffers and written >= len(buffers[0]):
            written -= len(buffers.pop(0))
        if written:
            buffers[0] = memoryview(buffers[0])[written:]
    return total


class Pack:
    """An append-only file of small blobs, written by one process."""

    def __init__(self, path: Path, name: str) -> None:
        self.name = name
        self.size = 0
        self._fd = -1
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._folder: Path | None = path.parent
        self._lock = threading.Lock()
        self._synced = 0
        self.broken = False

    def append(self, data: bytes) -> int:
        """Write at the end; gives the offset. What fails half-way is overwritten by the next."""
        offset = self.size
        written = os.pwrite(self._fd, data, offset)
        if written != len(data):
            raise OSError(errno.ENOSPC, "short write")
        self.size = offset + written
        return offset

    def sync(self) -> None:
        # What was written before this call is below `target`, and durable once it returns.
        target = self.size
        with self._lock:
            if self._synced >= target:
                return
            if self.broken:
                raise StoreUnavailable("The store could not make earlier bytes durable.")
            try:
                os.fdatasync(self._fd)
                if self._folder is not None:
                    sync_folder(self._folder)
                    self._folder = None
            except OSError as error:
                # The kernel reports a failed write-back once and then forgets it: a second try would seem to succeed.
                self.broken = True
                raise translate(error) from error
            self._synced = target

    def __del__(self) -> None:
        # A waiting commit may be the last that knows this pack, long after the store began the next one.
        if self._fd >= 0:
            os.close(self._fd)


class FileWriter:
    """A blob of its own. The lock lets whoever gives up close the file only when no thread is inside it any more."""

    def __init__(self, store: str, path: Path, name: str) -> None:
        self._store = store
        self._name = name
        self._folder = path.parent
        self._size = 0
        self._behind = 0
        self._lock = threading.Lock()
        self._fd = -1
        try:
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise translate(error) from error

    def write(self, pieces: Iterable[Bytes]) -> None:
        with self._lock:
            try:
                self._size += write_all(self._fd, pieces)
            except OSError as error:
                raise translate(error) from error
            if self._size - self._behind >= WRITE_BEHIND_BYTES:
                _libc.sync_file_range(
                    self._fd,
                    ctypes.c_longlong(self._behind),
                    ctypes.c_longlong(self._size - self._behind),
                    _SYNC_FILE_RANGE_WRITE,
                )
                self._behind = self._size

    def finish(self) -> Placed:
        with self._lock:
            try:
                os.fdatasync(self._fd)
                self._close()
                sync_folder(self._folder)
            except OSError as error:
                raise translate(error) from error
        return Placed(self._store, self._name, 0, self._size, None)

    def abandon(self) -> None:
        with self._lock, contextlib.suppress(OSError):
            self._close()

    def _close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def __del__(self) -> None:
        # Whoever asked for the writer may have been cancelled before it was there.
        with contextlib.suppress(OSError):
            self._close()


class _OpenFile:
    __slots__ = ("fd", "name", "stale", "users")

    def __init__(self, name: str, fd: int) -> None:
        self.name = name
        self.fd = fd
        self.users = 0
        self.stale = False


class FileReader:
    """A run of a blob file; the descriptor is shared with other readers of the same file."""

    __slots__ = ("_file", "_position", "_reads", "fd", "length", "offset")

    def __init__(self, file: _OpenFile, offset: int, length: int, reads: dict[FileReader, int]) -> None:
        self._file: _OpenFile | None = file
        self._reads = reads
        reads[self] = time.time_ns()
        self.fd = file.fd
        self.offset = offset
        self.length = length
        self._position = 0
        file.users += 1

    async def read(self) -> bytes | bytearray:
        """The next piece; empty at the end. Raises StoreUnavailable where the file is shorter than it should be."""
        size = min(PIECE_BYTES, self.length - self._position)
        if size <= 0:
            return b""
        try:
            data = await read(self.fd, self.offset + self._position, size)
        except OSError as error:
            raise translate(error) from error
        self._position += size
        return data

    def close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            del self._reads[self]
            file.users -= 1
            if file.stale and not file.users:
                os.close(file.fd)


class Folder:
    """A folder of blobs. Used by one thread at a time, but for the methods that block, which any thread may call.

    `min_free` is the free space in bytes below which nothing new is taken.
    """

    def __init__(self, root: Path, deployment: str, *, name: str = "local", min_free: int = 0) -> None:
        self.name = name
        self.root = root
        self._deployment = deployment
        self._base = root / deployment
        self._min_free = min_free
        self._free_until = 0.0
        self._full = False
        self._lease: int | None = None
        self._next = 0
        self._pack: Pack | None = None
        self._open: OrderedDict[str, _OpenFile] = OrderedDict()
        self._reads: dict[FileReader, int] = {}

    def claim(self, *, used: bool = False) -> None:
        """Mark the folder as this deployment's.

        Raises InvalidValue where it is another's, or where it has no mark although it was `used` before (its disk is not
        mounted, most likely: what were written now would vanish under the mount), and StoreUnavailable.
        """
        marker = self.root / MARKER
        try:
            if not marker.exists():
                if used:
                    raise InvalidValue(
                        f"the database names blobs, but {marker} is missing: is the disk of {self.root} not mounted? "
                        f"(the file holds one line: {self._deployment})"
                    )
                new = marker.with_name(f".{MARKER}-{os.getpid()}")
                new.write_text(self._deployment + "\n", encoding="ascii")
                with contextlib.suppress(FileExistsError):
                    os.link(new, marker)
                new.unlink()
                sync_folder(self.root)
            found = marker.read_text(encoding="ascii").strip()
        except OSError as error:
            raise translate(error) from error
        if found != self._deployment:
            raise InvalidValue(
                f"the store in {self.root} belongs to the deployment {found}, the database to {self._deployment}: "
                "one of the two was exchanged"
            )

    def begin_lease(self, lease: int) -> None:
        """From now on write under this lease."""
        folder = self._base / str(lease)
        try:
            folder.mkdir(parents=True, mode=0o700, exist_ok=True)
            sync_folder(self._base)
            sync_folder(self.root)
        except OSError as error:
            raise translate(error) from error
        self._lease = lease
        self._next = 0
        self._close_pack()

    def path(self, name: str) -> Path:
        """The file behind a name of ours: `<lease>/<n>` or `<lease>/p<n>`."""
        if not NAME.fullmatch(name):
            raise ValueError(f"not a blob's name: {name!r}")
        return self._base / name

    def _new_name(self, kind: str = "") -> str:
        if self._lease is None:
            raise StoreUnavailable("This process may not write to the store.")
        self._next += 1
        return f"{self._lease}/{kind}{self._next}"

    def check_room(self) -> None:
        now = time.monotonic()
        if now >= self._free_until:
            try:
                status = os.statvfs(self.root)
            except OSError as error:
                raise translate(error) from error
            self._full = status.f_bavail * status.f_frsize < self._min_free
            self._free_until = now + FREE_SPACE_TTL
        if self._full:
            raise DiskFull("The store has less free space than it must keep.")

    def append(self, data: bytes) -> Placed:
        try:
            pack = self._pack
            if pack is None or pack.broken or pack.size + len(data) > PACK_BYTES:
                self._close_pack()
                name = self._new_name(PACK)
                pack = self._pack = Pack(self.path(name), name)
            offset = pack.append(data)
        except OSError as error:
            raise translate(error) from error
        return Placed(self.name, pack.name, offset, len(data), pack)

    def _close_pack(self) -> None:
        # The old pack may still have to be synced by a waiting commit: it closes with its last reference.
        self._pack = None

    def create(self) -> FileWriter:
        name = self._new_name()
        return FileWriter(self.name, self.path(name), name)

    def open(self, segment: Segment) -> FileReader:
        name = segment.name
        file = self._open.get(name)
        if file is None:
            try:
                fd = os.open(self.path(name), os.O_RDONLY | os.O_CLOEXEC)
            except OSError as error:
                raise translate(error) from error
            file = self._open[name] = _OpenFile(name, fd)
            if len(self._open) > OPEN_FILES:
                self._evict(next(iter(self._open)))
        else:
            self._open.move_to_end(name)
        return FileReader(file, segment.offset, segment.length, self._reads)

    def oldest_read_ms(self) -> int | None:
        """When the oldest read began that still goes on, in ms since the epoch."""
        return next((began // 1_000_000 for began in self._reads.values()), None)

    def _evict(self, name: str) -> None:
        file = self._open.pop(name)
        file.stale = True
        if not file.users:
            os.close(file.fd)

    def release_idle(self) -> None:
        """Close the files that nobody reads at the moment, so that what the sweep deleted is really freed."""
        for name in [name for name, file in self._open.items() if not file.users]:
            self._evict(name)

    def names(self, lease: int) -> list[str]:
        """The names that lie under a lease. Blocks."""
        return [entry.name for entry in self.entries(lease)]

    def entries(self, lease: int) -> list[Entry]:
        """What lies under a lease. Blocks."""
        found = []
        try:
            for entry in os.scandir(self._base / str(lease)):
                name = f"{lease}/{entry.name}"
                if NAME.fullmatch(name) and not entry.is_dir():
                    with contextlib.suppress(FileNotFoundError):
                        status = entry.stat()
                        found.append(Entry(name, status.st_size, status.st_mtime_ns // 1_000_000))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise translate(error) from error
        return found

    def leases(self) -> list[int]:
        """The leases that have a folder."""
        try:
            entries = os.scandir(self._base)
            return sorted(int(entry.name) for entry in entries if LEASE.fullmatch(entry.name) and entry.is_dir())
        except FileNotFoundError:
            return []
        except OSError as error:
            raise translate(error) from error

    def remove(self, name: str) -> None:
        try:
            self.path(name).unlink()
        except FileNotFoundError:
            pass
        except OSError as error:
            raise translate(error) from error

    def strays(self) -> list[Entry]:
        """The files below the deployment's folder that are not named as blobs are. Follows no link. Blocks."""
        found = []
        folders = [""]
        try:
            while folders:
                folder = folders.pop()
                with contextlib.suppress(FileNotFoundError), os.scandir(self._base / folder) as entries:
                    for entry in entries:
                        name = folder + entry.name
                        if entry.is_dir(follow_symlinks=False):
                            folders.append(f"{name}/")
                        elif entry.is_file(follow_symlinks=False) and not NAME.fullmatch(name):
                            with contextlib.suppress(FileNotFoundError):
                                status = entry.stat(follow_symlinks=False)
                                found.append(Entry(name, status.st_size, status.st_mtime_ns // 1_000_000))
        except OSError as error:
            raise translate(error) from error
        return found

    def remove_stray(self, name: str) -> bool:
        """Delete a file that `strays` named; whether it is gone. Raises ValueError for a blob's name. Blocks.

        Each folder on the way is opened in the one before and never through a link, so that a folder which became a
        link since it was listed leads nowhere else.
        """
        *folders, last = name.split("/")
        if NAME.fullmatch(name) or not all(part not in ("", ".", "..") for part in (*folders, last)):
            raise ValueError(f"not a stray's name: {name!r}")
        try:
            fd = os.open(self._base, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                for folder in folders:
                    inner = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
                    os.close(fd)
                    fd = inner
                if not stat.S_ISREG(os.stat(last, dir_fd=fd, follow_symlinks=False).st_mode):
                    return False
                os.unlink(last, dir_fd=fd)
            finally:
                os.close(fd)
        except FileNotFoundError:
            return True
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENOTDIR):
                return False
            raise translate(error) from error
        return True

    def remove_lease(self, lease: int) -> None:
        """Remove a lease's folder where it is empty."""
        with contextlib.suppress(OSError):
            (self._base / str(lease)).rmdir()

    def punch(self, name: str, offset: int, length: int) -> None:
        """Free the whole blocks of a run inside a pack, where the file system can."""
        try:
            fd = os.open(self.path(name), os.O_WRONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        except OSError as error:
            raise translate(error) from error
        try:
            _libc.fallocate(
                fd,
                _FALLOC_FL_PUNCH_HOLE | _FALLOC_FL_KEEP_SIZE,
                ctypes.c_longlong(offset),
                ctypes.c_longlong(length),
            )
        finally:
            os.close(fd)

    def size(self, name: str) -> int | None:
        """The length of a file in bytes; None where there is none."""
        try:
            return self.path(name).stat().st_size
        except FileNotFoundError:
            return None
        except OSError as error:
            raise translate(error) from error

    @staticmethod
    def may_grow(name: str) -> bool:
        """Whether its process may still append to it: a pack, as long as the process lives."""
        return f"/{PACK}" in name

    def probe(self) -> None:
        """Write, read and delete a small file. Raises StoreUnavailable, DiskFull."""
        path = self.root / f".probe-{os.getpid()}-{time.monotonic_ns()}"
        try:
            try:
                path.write_bytes(b"pixgate")
                found = path.read_bytes()
            finally:
                path.unlink(missing_ok=True)
        except OSError as error:
            raise translate(error) from error
        if found != b"pixgate":
            raise StoreUnavailable("The store gave back other bytes than it was given.")

    def close(self) -> None:
        self._close_pack()
        for name in list(self._open):
            self._evict(name)
