"""The folder behind the built-in store: files, packs, descriptors, and what is synced when."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.blobs import blob_file, folder
from gateway.blobs.folder import Folder
from gateway.blobs.port import Placed
from gateway.errors import DiskFull, InvalidValue, StoreUnavailable
from gateway.model.contents import Segment


@pytest.fixture
def store(tmp_path: Path) -> Folder:
    opened = Folder(tmp_path, "d1")
    opened.begin_lease(7)
    return opened


def read(store: Folder, placed: Placed, start: int = 0, length: int | None = None) -> bytes:
    size = placed.length if length is None else length
    reader = store.open(Segment(placed.store, placed.name, placed.offset + start, 0, size))
    try:
        assert reader.length == size
        return os.pread(reader.fd, reader.length, reader.offset)
    finally:
        reader.close()


def note_syncs(monkeypatch: pytest.MonkeyPatch, calls: list[str]) -> None:
    for name, what in (("fdatasync", "data"), ("fsync", "folder")):
        real: Callable[[int], None] = getattr(os, name)

        def noted(fd: int, real: Callable[[int], None] = real, what: str = what) -> None:
            calls.append(what)
            real(fd)

        monkeypatch.setattr(os, name, noted)


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_small_blobs_are_read_back_from_one_pack(store: Folder) -> None:
    bodies = [bytes([number]) * (number * 100 + 1) for number in range(20)]
    placed = [store.append(body) for body in bodies]
    assert [read(store, where) for where in placed] == bodies
    assert len({where.name for where in placed}) == 1
    assert len({where.offset for where in placed}) == len(placed)
    assert placed[0].durable is placed[-1].durable
    assert placed[0].durable is not None
    placed[0].durable.sync()
    store.close()


def test_a_blob_of_its_own_is_written_in_pieces_and_read_back(store: Folder) -> None:
    writer = store.create()
    pieces: list[bytes | memoryview] = [os.urandom(1000), b"", memoryview(os.urandom(500_000)), b"x"]
    writer.write(pieces)
    writer.write([b"end"] * 3000)
    placed = writer.finish()
    whole = b"".join(bytes(piece) for piece in pieces) + b"end" * 3000
    assert (placed.offset, placed.length, placed.durable) == (0, len(whole), None)
    assert read(store, placed) == whole
    assert read(store, placed, 999, 3) == whole[999:1002]
    store.close()


def test_an_empty_blob_of_its_own(store: Folder) -> None:
    placed = store.create().finish()
    assert placed.length == 0
    assert store.size(placed.name) == 0


def test_every_blob_has_a_name_of_its_own_under_the_lease(store: Folder) -> None:
    placed = [store.create().finish() for _ in range(5)] + [store.append(b"x")]
    names = [where.name for where in placed]
    assert len(set(names)) == 6
    assert sorted(store.names(7)) == sorted(names)
    assert store.names(8) == []
    assert store.leases() == [7]


def test_a_new_lease_begins_new_files(store: Folder) -> None:
    before = store.append(b"before")
    store.begin_lease(8)
    after = store.append(b"after")
    assert (before.name.split("/")[0], after.name.split("/")[0]) == ("7", "8")
    assert store.leases() == [7, 8]
    # What waits for the old pack can still be made durable and read.
    assert before.durable is not None
    before.durable.sync()
    assert read(store, before) == b"before"
    store.close()


def test_without_a_lease_nothing_is_written(tmp_path: Path) -> None:
    store = Folder(tmp_path, "d1")
    with pytest.raises(StoreUnavailable):
        store.append(b"x")
    with pytest.raises(StoreUnavailable):
        store.create()


def test_what_is_abandoned_stays_for_the_sweep(store: Folder) -> None:
    writer = store.create()
    writer.write([b"half"])
    before = descriptors()
    writer.abandon()
    writer.abandon()
    assert descriptors() == before - 1
    assert len(store.names(7)) == 1


def test_a_full_pack_is_followed_by_another(store: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "PACK_BYTES", 1000)
    placed = [store.append(bytes([number]) * 400) for number in range(5)]
    assert [where.name for where in placed].count(placed[0].name) == 2
    assert len({where.name for where in placed}) == 3
    for where in placed:
        assert where.durable is not None
        where.durable.sync()
    assert [read(store, where)[0] for where in placed] == [0, 1, 2, 3, 4]
    store.close()


def test_a_pack_that_nobody_needs_any_more_is_closed(store: Folder) -> None:
    before = descriptors()
    placed = store.append(b"x")
    assert descriptors() == before + 1
    store.close()
    assert descriptors() == before + 1, "a commit may still wait for it"
    del placed
    assert descriptors() == before


def test_a_write_that_failed_leaves_the_pack_usable(store: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    first = store.append(b"first")
    real = os.pwrite

    def short(fd: int, data: bytes, offset: int) -> int:
        return real(fd, data[:2], offset)

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", short)
        with pytest.raises(DiskFull):
            store.append(b"second")
    third = store.append(b"third")
    assert third.offset == first.offset + first.length
    assert [read(store, first), read(store, third)] == [b"first", b"third"]
    store.close()


def test_a_pack_whose_sync_failed_is_never_trusted_again(store: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    placed = store.append(b"lost")
    assert placed.durable is not None

    def fail(_fd: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", fail)
        with pytest.raises(StoreUnavailable):
            placed.durable.sync()
    # The kernel would now say that all is well.
    with pytest.raises(StoreUnavailable):
        placed.durable.sync()
    again = store.append(b"again")
    assert again.name != placed.name
    assert again.durable is not None
    again.durable.sync()
    store.close()


def test_bytes_and_name_of_a_pack_are_synced(store: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    note_syncs(monkeypatch, calls)
    first = store.append(b"1")
    assert first.durable is not None
    first.durable.sync()
    assert calls == ["data", "folder"]
    first.durable.sync()
    assert calls == ["data", "folder"], "nothing new was written"
    second = store.append(b"2")
    assert second.durable is not None
    second.durable.sync()
    assert calls == ["data", "folder", "data"]
    store.close()


def test_bytes_and_name_of_a_file_are_synced_before_it_is_finished(
    store: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    note_syncs(monkeypatch, calls)
    writer = store.create()
    writer.write([b"x"])
    assert calls == []
    writer.finish()
    assert calls == ["data", "folder"]


def test_a_writer_is_closed_once_however_it_ends(store: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = store.create()
    writer.write([b"x"])
    monkeypatch.setattr(blob_file, "sync_folder", lambda _path: (_ for _ in ()).throw(OSError(5, "broken")))
    with pytest.raises(StoreUnavailable):
        writer.finish()
    # The number of its descriptor may be somebody else's by now.
    other = os.open(os.devnull, os.O_RDONLY)
    writer.abandon()
    os.fstat(other)
    os.close(other)


def test_giving_up_waits_for_the_thread_that_writes(store: Folder) -> None:
    writer = store.create()
    writing, go_on = threading.Event(), threading.Event()

    def pieces() -> object:
        writing.set()
        go_on.wait(5)
        yield b"x"

    thread = threading.Thread(target=lambda: writer.write(pieces()))  # type: ignore[arg-type]
    thread.start()
    writing.wait(5)
    closing = threading.Thread(target=writer.abandon)
    closing.start()
    closing.join(0.1)
    assert closing.is_alive(), "the descriptor was closed below a thread that writes"
    go_on.set()
    thread.join()
    closing.join()


def test_a_writer_that_nobody_holds_is_closed(store: Folder) -> None:
    before = descriptors()
    writer = store.create()
    assert descriptors() == before + 1
    del writer
    assert descriptors() == before


def test_readers_share_a_descriptor_and_it_outlives_eviction(store: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "OPEN_FILES", 2)
    placed = []
    for number in range(4):
        writer = store.create()
        writer.write([bytes([number])])
        placed.append(writer.finish())
    before = descriptors()
    one = store.open(Segment(placed[0].store, placed[0].name, 0, 0, 1))
    two = store.open(Segment(placed[0].store, placed[0].name, 0, 0, 1))
    assert one.fd == two.fd
    for where in placed[1:]:
        assert read(store, where) == bytes([placed.index(where)])
    assert os.pread(one.fd, 1, 0) == b"\0"
    one.close()
    one.close()
    assert os.pread(two.fd, 1, 0) == b"\0"
    two.close()
    assert descriptors() == before + 2
    store.close()
    assert descriptors() == before


def test_a_removed_file_is_let_go_when_nobody_reads_it(store: Folder) -> None:
    where = store.create().finish()
    reader = store.open(Segment(where.store, where.name, 0, 0, 0))
    store.remove(where.name)
    store.remove(where.name)
    assert store.size(where.name) is None
    before = descriptors()
    store.release_idle()
    assert descriptors() == before
    reader.close()
    store.release_idle()
    assert descriptors() == before - 1


def test_the_oldest_read_is_known_while_it_lasts(store: Folder) -> None:
    where = store.append(b"x")
    assert store.oldest_read_ms() is None
    segment = Segment(where.store, where.name, 0, 0, 1)
    first = store.open(segment)
    began = store.oldest_read_ms()
    second = store.open(segment)
    assert began is not None
    assert store.oldest_read_ms() == began
    first.close()
    assert (store.oldest_read_ms() or 0) >= began
    second.close()
    assert store.oldest_read_ms() is None
    store.close()


def test_what_is_missing_is_unavailable_not_empty(store: Folder) -> None:
    with pytest.raises(StoreUnavailable):
        store.open(Segment("local", "7/99", 0, 0, 1))


@pytest.mark.parametrize("name", ["../7/1", "7/../1", "7/1/2", "/etc/passwd", "7/", "x/1", "7/pp1", "7/1\n", "٧/1", ""])
def test_names_that_are_not_ours_are_refused(store: Folder, name: str) -> None:
    with pytest.raises(ValueError, match="not a blob's name"):
        store.path(name)


def test_punching_frees_a_run_and_nothing_else(store: Folder) -> None:
    block = 64 * 1024
    placed = [store.append(bytes([65 + number]) * block) for number in range(3)]
    assert placed[0].durable is not None
    placed[0].durable.sync()
    path = store.path(placed[1].name)
    before = path.stat()
    store.punch(placed[1].name, placed[1].offset, placed[1].length)
    after = path.stat()
    assert after.st_size == before.st_size
    assert [read(store, placed[0]), read(store, placed[2])] == [b"A" * block, b"C" * block]
    if after.st_blocks == before.st_blocks:
        pytest.skip("this file system cannot free a part of a file")
    assert read(store, placed[1]) == bytes(block)
    store.punch("7/99", 0, 10)
    store.close()


def test_below_the_free_space_to_keep_nothing_new_is_taken(tmp_path: Path) -> None:
    status = os.statvfs(tmp_path)
    store = Folder(tmp_path, "d1", min_free=status.f_bavail * status.f_frsize * 2)
    with pytest.raises(DiskFull):
        store.check_room()
    roomy = Folder(tmp_path, "d1", min_free=1)
    roomy.check_room()


FULL = """
import os, resource, signal, sys
from pathlib import Path
from gateway.blobs.folder import Folder
from gateway.errors import GatewayError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
store = Folder(Path(sys.argv[1]), "d1")
store.begin_lease(1)
store.append(b"a" * 1000)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
for action in (lambda: store.append(b"b" * 8000), lambda: store.create().write([b"c" * 9000])):
    try:
        action()
    except GatewayError as error:
        print(type(error).__name__)
placed = store.append(b"d" * 1000)
placed.durable.sync()
print(placed.offset)
"""


def test_a_file_that_may_not_grow_is_an_error_and_the_next_write_that_fits_works(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout.split() == ["DiskFull", "StoreUnavailable", "1000"], done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_a_full_disk_is_told_from_other_failures(tmp_path: Path) -> None:
    mount = tmp_path / "small"
    mount.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(mount)], check=False).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        store = Folder(mount, "d1")
        store.begin_lease(1)
        kept = store.append(b"kept")
        writer = store.create()
        with pytest.raises(DiskFull):
            writer.write([bytes(400_000)])
        writer.abandon()
        with pytest.raises(DiskFull):
            store.append(bytes(300_000))
        # Reading and deleting go on.
        assert read(store, kept) == b"kept"
        for name in store.names(1):
            if not store.may_grow(name):
                store.remove(name)
        assert read(store, store.append(b"again")) == b"again"
        store.close()
        del kept
    finally:
        subprocess.run(["umount", "-l", str(mount)], check=False)


def test_the_folder_belongs_to_one_deployment(tmp_path: Path) -> None:
    Folder(tmp_path, "d1").claim()
    Folder(tmp_path, "d1").claim()
    with pytest.raises(InvalidValue, match="d1"):
        Folder(tmp_path, "d2").claim()


def test_probe_finds_out_whether_the_folder_works(tmp_path: Path) -> None:
    store = Folder(tmp_path / "blobs", "d1")
    with pytest.raises(StoreUnavailable):
        store.probe()
    (tmp_path / "blobs").mkdir()
    store.probe()
    assert list((tmp_path / "blobs").iterdir()) == []


def test_strays_are_looked_for_and_deleted_below_the_folder_only(store: Folder, tmp_path: Path) -> None:
    base, outside = tmp_path / "d1", tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_bytes(b"kept")
    (base / "link").symlink_to(outside)
    (base / "7" / "linked.txt").symlink_to(outside / "kept")
    (base / "99").write_bytes(b"a file where leases have folders")
    (base / "7" / "5").mkdir()
    (base / "7" / "5" / "deep").write_bytes(b"x")
    assert sorted(entry.name for entry in store.strays()) == ["7/5/deep", "99"]
    assert (store.leases(), store.entries(7)) == ([7], [])
    for name in ("link/kept", "7/linked.txt", "link"):
        assert not store.remove_stray(name), name
    for name in ("../outside/kept", "7/../../outside/kept", str(outside / "kept"), "junk//x", "./99", "", "7/5"):
        with pytest.raises(ValueError, match="not a stray's name"):
            store.remove_stray(name)
    assert (outside / "kept").read_bytes() == b"kept"
    assert (base / "link").is_symlink()
    assert store.remove_stray("7/5/deep")
    assert store.remove_stray("99")
    assert store.remove_stray("never/there")
    assert store.strays() == []
