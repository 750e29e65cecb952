"""A store that is not there, and an audit beside a worker that begins: neither costs a byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.errors import InvalidValue
from gateway.metadata import leases
from gateway.services import Services
from gateway.services.clock import now_ms
from tests.data_folder import folder_of, open_services, put


@pytest.mark.embedded
async def test_a_store_that_lost_its_mark_is_not_begun_anew(folder: Path) -> None:
    async with open_services(folder) as services:
        bucket = await services.buckets.create("photos", services.directory.root_account)
        await put(services, bucket, b"key", b"bytes")
    (folder / "blobs").rename(folder / "elsewhere")
    with pytest.raises(InvalidValue, match="not mounted"):
        async with open_services(folder):
            pass
    (folder / "blobs").rmdir()
    (folder / "elsewhere").rename(folder / "blobs")
    async with open_services(folder) as services:
        assert (await services.fsck.run()).clean


@pytest.mark.embedded
async def test_a_store_that_was_never_used_may_be_new(folder: Path) -> None:
    async with open_services(folder):
        pass
    for file in (folder / "blobs").iterdir():
        if file.is_file():
            file.unlink()
    async with open_services(folder):
        pass


@pytest.mark.embedded
async def test_repairing_leaves_a_worker_alone_that_begins_meanwhile(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process takes a lease and writes at the worst moment: just before the folders are listed."""
    listed = folder_of(services).leases
    begun: list[Path] = []

    def begin_and_list() -> list[int]:
        if not begun:
            (lease,) = services.database.one_now("SELECT max(id) + 1 FROM leases") or (0,)
            with services.database._writing as connection:
                connection.execute(
                    "INSERT INTO leases (id, owner, created_ms, renewed_ms) VALUES (?, 'x', ?, ?)",
                    (lease, now_ms(), now_ms()),
                )
            file = folder_of(services).path(f"{lease}/1")
            file.parent.mkdir(parents=True)
            file.write_bytes(b"not committed yet")
            begun.append(file)
        return listed()

    monkeypatch.setattr(folder_of(services), "leases", begin_and_list)
    report = await services.fsck.run(delete_unknown=True)
    assert report.leftovers == []
    assert begun[0].exists()
    assert len(await leases.live(services.database)) == 2
