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
import time
from collections import OrderedDict
from pathlib import Path

from gateway.blobs.blob_file import FileReader, FileWriter, OpenFile
from gateway.blobs.disk import LIBC, sync_folder, translate
from gateway.blobs.lost import LostBlobs
from gateway.blobs.pack import Pack
from gateway.blobs.port import Entry, Placed
from gateway.errors import DiskFull, GatewayError, InvalidValue, StoreUnavailable
from gateway.model.contents import Segment

PACK_BYTES = 64 * 1024**2
"""A pack of this size, in bytes, is closed and another begun: what is deleted from it is freed the sooner."""
OPEN_FILES = 256
FREE_SPACE_TTL = 0.5
MARKER = "deployment"
PACK = "p"
PROBE = ".probe-"
PROBE_NAME = re.compile(rf"{re.escape(PROBE)}[0-9]+-[0-9]+", re.ASCII)
LEASE = re.compile(r"0|[1-9][0-9]*", re.ASCII)
NAME = re.compile(rf"(?:{LEASE.pattern})/{PACK}?[0-9]+", re.ASCII)
_FALLOC_FL_KEEP_SIZE = 1
_FALLOC_FL_PUNCH_HOLE = 2


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
        self._open: OrderedDict[str, OpenFile] = OrderedDict()
        self._reads: dict[FileReader, int] = {}
        self._lost = LostBlobs(name)

    def claim(self, *, used: bool = False) -> None:
        """Mark the folder as this deployment's.

        Raises InvalidValue where it is another's, or where it has no mark although it was `used` before (its disk is not
        mounted, most likely: what were written now would vanish under the mount), and StoreUnavailable, whose note names the
        folder.
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
            raise self._located(error) from error
        if found != self._deployment:
            raise InvalidValue(
                f"the store in {self.root} belongs to the deployment {found}, the database to {self._deployment}: "
                "one of the two was exchanged"
            )

    def _located(self, error: OSError) -> GatewayError:
        """The fact behind an error, with a note for who looks after the store."""
        fact = translate(error)
        what = "it is not there" if error.errno == errno.ENOENT and not self.root.exists() else error.strerror
        fact.add_note(f"store {self.name}, folder {self.root}: {what}")
        return fact

    def begin_lease(self, lease: int) -> None:
        """From now on write under this lease."""
        folder = self._base / str(lease)
        try:
            folder.mkdir(parents=True, mode=0o700, exist_ok=True)
            sync_folder(self._base)
            sync_folder(self.root)
        except OSError as error:
            raise self._located(error) from error
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
                if error.errno == errno.ENOENT and (self.root / MARKER).exists():
                    self._lost.tell(name)
                raise translate(error) from error
            file = self._open[name] = OpenFile(name, fd)
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
            LIBC.fallocate(
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
        path = self.root / f"{PROBE}{os.getpid()}-{time.monotonic_ns()}"
        try:
            try:
                path.write_bytes(b"pixgate")
                found = path.read_bytes()
            finally:
                path.unlink(missing_ok=True)
        except OSError as error:
            raise self._located(error) from error
        if found != b"pixgate":
            raise StoreUnavailable("The store gave back other bytes than it was given.")

    def remove_old_probes(self, before_ms: int) -> int:
        """Delete the files of probes that were written before, in ms since the epoch; gives how many. Blocks."""
        removed = 0
        try:
            with os.scandir(self.root) as entries:
                for entry in entries:
                    if PROBE_NAME.fullmatch(entry.name) is None or not entry.is_file(follow_symlinks=False):
                        continue
                    with contextlib.suppress(FileNotFoundError):
                        if entry.stat(follow_symlinks=False).st_mtime_ns // 1_000_000 < before_ms:
                            os.unlink(entry.path)
                            removed += 1
        except OSError as error:
            raise self._located(error) from error
        return removed

    def close(self) -> None:
        self._close_pack()
        for name in list(self._open):
            self._evict(name)
