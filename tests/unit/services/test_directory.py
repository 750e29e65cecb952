"""Who and what there is: never stale, whichever process changed it; and secrets stay where they belong."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.backends import DATABASE
from gateway.errors import (
    AccountExists,
    AccountNotFound,
    BucketExists,
    BucketNotEmpty,
    BucketNotFound,
    BucketOwnedByYou,
    InvalidBucketName,
    InvalidName,
    InvalidValue,
    KeyNotFound,
    ObjectNotFound,
)
from gateway.model.accounts import KeyKind
from gateway.model.buckets import Bucket, Versioning
from gateway.services import RootCredentials, Services
from gateway.services.buckets import check_bucket_name
from gateway.services.secrets import MasterKey, load_master_key, parse_master_key
from tests.data_folder import MASTER, backends_for, folder_of, open_services, put, read

CHANGE = """
import asyncio, sys
from pathlib import Path
from gateway.model.buckets import Versioning
from tests.data_folder import open_services, put
async def main():
    async with open_services(Path(sys.argv[1]), worker=len(sys.argv) > 3) as services:
        bucket = await services.directory.bucket("photos")
        await eval(sys.argv[2], {"services": services, "bucket": bucket, "Versioning": Versioning, "put": put})
asyncio.run(main())
"""


@pytest.fixture
async def other(folder: Path) -> AsyncIterator[Services]:
    """A second process's services, as far as one process can have them."""
    async with open_services(folder, worker=False) as opened:
        yield opened


def elsewhere(folder: Path, expression: str, *, worker: bool = False) -> None:
    """Do something in another process."""
    arguments = [sys.executable, "-c", CHANGE, str(folder), expression, *(["worker"] if worker else [])]
    subprocess.run(arguments, check=True, timeout=120)


@pytest.mark.embedded
async def test_a_key_disabled_in_another_process_is_so_at_the_next_request(services: Services, folder: Path) -> None:
    key = await services.keys.create("ann")
    await services.directory.refresh()
    found = await services.directory.access_key(key.access_key)
    assert found == key
    assert found.usable(0)
    elsewhere(folder, f"services.keys.set_enabled({key.access_key!r}, False)")
    await services.directory.refresh()
    found = await services.directory.access_key(key.access_key)
    assert found is not None
    assert not found.usable(0)
    elsewhere(folder, f"services.keys.delete({key.access_key!r})")
    await services.directory.refresh()
    assert await services.directory.access_key(key.access_key) is None


@pytest.mark.embedded
async def test_an_account_switched_off_takes_its_keys_along(services: Services, folder: Path) -> None:
    key = await services.keys.create("ann")
    await services.directory.refresh()
    assert await services.directory.access_key(key.access_key) == key
    elsewhere(folder, "services.accounts.set_enabled('ann', False)")
    await services.directory.refresh()
    found = await services.directory.access_key(key.access_key)
    assert found is not None
    assert not found.usable(0)


async def test_unknown_names_that_come_to_be(services: Services, other: Services) -> None:
    await services.directory.refresh()
    assert await services.directory.bucket("later") is None
    assert await services.directory.access_key("PGLATER") is None
    made = await other.buckets.create("later", other.directory.root_account)
    await services.directory.refresh()
    assert await services.directory.bucket("later") == made
    assert await services.directory.bucket_by_id(made.id) == made
    await other.buckets.delete(made)
    await services.directory.refresh()
    assert await services.directory.bucket("later") is None
    assert await services.directory.bucket_by_id(made.id) is None


async def test_settings_of_a_bucket_are_seen_at_once(services: Services, bucket: Bucket, other: Services) -> None:
    assert await services.directory.bucket("photos") == bucket
    await other.buckets.set_versioning(bucket, Versioning.ENABLED)
    await other.buckets.set_images(bucket, public=True, ladder=(600, 150, 600))
    await services.directory.refresh()
    found = await services.directory.bucket("photos")
    assert found is not None
    assert (found.versioning, found.images_public, found.ladder) == (Versioning.ENABLED, True, (150, 600))


@pytest.mark.embedded
async def test_objects_written_in_another_process_are_seen_at_once(
    services: Services, bucket: Bucket, folder: Path
) -> None:
    await put(services, bucket, b"key", b"old")
    assert await read(services, bucket, b"key") == b"old"
    assert await read(services, bucket, b"key") == b"old"
    elsewhere(folder, "put(services, bucket, b'key', b'new')", worker=True)
    assert await read(services, bucket, b"key") == b"new"
    elsewhere(folder, "services.objects.set_tags(bucket, b'key', None, (('t', 'v'),))")
    assert (await services.objects.get(bucket, b"key")).tag_count == 1
    elsewhere(folder, "services.objects.delete(bucket, b'key')")
    with pytest.raises(ObjectNotFound):
        await services.objects.get(bucket, b"key")


async def test_writes_of_objects_leave_the_cache_of_keys_alone(services: Services, bucket: Bucket) -> None:
    key = await services.keys.create("ann")
    await services.directory.refresh()
    first = await services.directory.access_key(key.access_key)
    await put(services, bucket, b"key", b"x")
    await services.directory.refresh()
    assert await services.directory.access_key(key.access_key) is first


@pytest.mark.parametrize("name", ["ké", "\udcff", "\u0660", ""])
async def test_names_that_no_key_and_no_bucket_can_have(services: Services, name: str) -> None:
    await services.directory.refresh()
    assert await services.directory.access_key(name) is None
    assert await services.directory.bucket(name) is None


async def test_the_cache_of_unknown_names_is_bounded(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.services.directory.CACHED", 10)
    for number in range(100):
        await services.directory.bucket(f"unknown-{number}")
        await services.directory.access_key(f"UNKNOWN{number}")
        await services.directory.bucket_by_id(1000 + number)
    directory = services.directory
    assert max(len(directory._buckets), len(directory._keys), len(directory._by_id)) <= 10


async def test_another_master_key_is_refused(services: Services, folder: Path) -> None:
    with pytest.raises(InvalidValue, match="master key"):
        await Services.open(backends_for(folder), master=MasterKey(bytes(32)))


@pytest.mark.embedded
async def test_a_folder_of_another_deployment_is_refused(services: Services, folder: Path, tmp_path: Path) -> None:
    async with open_services(tmp_path / "second") as second:
        folder_of(second).root.joinpath("deployment").unlink()
        folder_of(services).root.joinpath("deployment").rename(folder_of(second).root / "deployment")
    with pytest.raises(InvalidValue, match="belongs to the deployment"):
        await Services.open(backends_for(tmp_path / "second"), master=MASTER)
    folder_of(services).claim()


@pytest.mark.embedded
async def test_a_folder_without_a_database_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidValue, match="migrate"):
        await Services.open(backends_for(tmp_path), master=MASTER)


@pytest.mark.embedded
async def test_secrets_are_in_no_repr_and_not_in_the_database(services: Services, folder: Path) -> None:
    key = await services.keys.create("ann")
    root = RootCredentials("ROOTKEY", "the root secret")
    assert key.secret not in repr(key)
    assert key.secret not in repr(await services.keys.list())
    assert "the root secret" not in repr(root)
    assert MASTER.hex() not in repr(MASTER)
    # In a process of its own: closing a file of an open database would end this one's locks on it.
    files = [f"{folder}/{DATABASE}", f"{folder}/{DATABASE}-wal"]
    stored = subprocess.run(["cat", *files], capture_output=True, check=True).stdout
    assert key.access_key.encode() in stored
    assert key.secret.encode() not in stored


async def test_root_credentials_of_the_settings_replace_the_generated_ones(folder: Path) -> None:
    async with open_services(folder) as services:
        generated = await services.keys.ensure_root()
        assert generated is not None
        assert generated.account.is_root
        assert await services.keys.ensure_root() is None
        assert await services.keys.root() == generated
        await services.directory.refresh()
        assert await services.directory.access_key(generated.access_key) == generated
    async with open_services(folder, root=RootCredentials("MINE", "my secret")) as services:
        found = await services.directory.access_key("MINE")
        assert found is not None
        assert (found.secret, found.account.is_root, found.usable(0)) == ("my secret", True, True)
        assert await services.directory.access_key(generated.access_key) is None
        assert await services.keys.ensure_root() is None


async def test_rotating_keeps_the_rights_and_the_old_pair_until_it_is_ended(services: Services) -> None:
    old = await services.keys.create("ann", kind=KeyKind.LINK, bucket="photos", prefix="a/", description="site")
    new = await services.keys.rotate(old.access_key)
    assert (new.account, new.kind, new.bucket, new.prefix) == (old.account, old.kind, old.bucket, old.prefix)
    assert new.access_key != old.access_key
    assert new.secret != old.secret
    await services.directory.refresh()
    assert await services.directory.access_key(old.access_key) == old
    assert await services.directory.access_key(new.access_key) == new


async def test_rotating_the_root_pair_ends_the_old_one(services: Services) -> None:
    old = await services.keys.ensure_root()
    assert old is not None
    new = await services.keys.rotate(old.access_key)
    await services.directory.refresh()
    assert await services.directory.access_key(old.access_key) is None
    assert await services.keys.root() == new


async def test_rotating_the_master_key_keeps_every_secret(folder: Path) -> None:
    other = MasterKey(bytes([7]) * 32)
    async with open_services(folder) as services:
        keys = [await services.keys.create(name) for name in ("ann", "bob")]
        assert await services.keys.rotate_master(other) == 2
    with pytest.raises(InvalidValue):
        await Services.open(backends_for(folder), master=MASTER)
    services = await Services.open(backends_for(folder), master=other)
    try:
        assert [await services.keys.get(key.access_key) for key in keys] == keys
    finally:
        await services.close()


@pytest.mark.parametrize(
    "options",
    [
        {"kind": KeyKind.LINK, "admin": True},
        {"bucket": "photos"},
        {"kind": KeyKind.LINK, "prefix": "a/"},
        {"expires_ms": 1},
    ],
)
async def test_keys_that_make_no_sense(services: Services, options: dict[str, object]) -> None:
    with pytest.raises(InvalidValue):
        await services.keys.create("ann", **options)  # type: ignore[arg-type]
    assert await services.keys.list() == ()


async def test_a_key_expires(services: Services) -> None:
    until = time.time_ns() // 1_000_000 + 50_000
    key = await services.keys.create("ann", expires_ms=until)
    assert key.usable(until - 1)
    assert not key.usable(until)


async def test_accounts(services: Services) -> None:
    made = await services.accounts.create("ann")
    assert await services.accounts.get("ann") == made
    assert len(made.canonical_id) == 64
    with pytest.raises(AccountExists):
        await services.accounts.create("ann")
    assert (await services.keys.create("ann")).account == made
    assert [account.name for account in await services.accounts.list()] == ["ann", "root"]
    with pytest.raises(AccountNotFound):
        await services.accounts.set_enabled("nobody", False)
    with pytest.raises(InvalidValue):
        await services.accounts.set_enabled("root", False)
    for name in ("", "a" * 65, "-a", "a b", "a\n", "ä"):
        with pytest.raises(InvalidName):
            await services.accounts.create(name)
    for action in (services.keys.get, services.keys.delete, services.keys.rotate):
        with pytest.raises(KeyNotFound):
            await action("PGNOBODY")


@pytest.mark.parametrize("name", ["abc", "a-b.c-1", "1" * 63, "1.2.3", "a1.b2", "10.0.0.256"])
def test_names_that_a_bucket_may_have(name: str) -> None:
    check_bucket_name(name)


@pytest.mark.parametrize(
    "name",
    [
        *("", "ab", "a" * 64, "Abc", "a_b", "-abc", "abc-", ".abc", "abc.", "a..b", "a.-b", "a-.b", "abc\n", "äbc"),
        *("10.0.0.1", "127.0.0.1", "xn--abc", "sthree-abc", "amzn-s3-demo-x", "abc-s3alias", "abc--ol-s3", "abc.mrap"),
        *("abc--x-s3", "abc--table-s3", "api", "img", "health", "livez", "readyz", "metrics", "openapi.json"),
        *("imgproxy", "thumbor", "a b", "a/b", "٣٣٣"),
    ],
)
def test_names_that_no_bucket_may_have(name: str) -> None:
    with pytest.raises(InvalidBucketName):
        check_bucket_name(name)


async def test_buckets(services: Services) -> None:
    ann = await services.accounts.create("ann")
    bob = await services.accounts.create("bob")
    one = await services.buckets.create("one", ann)
    two = await services.buckets.create("two", bob, region="eu-west-1")
    assert (one.region, two.region, one.versioning) == ("us-east-1", "eu-west-1", Versioning.UNVERSIONED)
    with pytest.raises(BucketOwnedByYou):
        await services.buckets.create("one", ann)
    with pytest.raises(BucketExists):
        await services.buckets.create("one", bob)
    assert await services.buckets.list() == (one, two)
    assert await services.buckets.list(bob) == (two,)
    assert await services.buckets.list(after="one") == (two,)
    assert await services.buckets.list(prefix="o") == (one,)
    assert await services.buckets.list(limit=1) == (one,)
    await put(services, one, b"key", b"x")
    with pytest.raises(BucketNotEmpty):
        await services.buckets.delete(one)
    await services.objects.delete(one, b"key")
    await services.buckets.delete(one)
    with pytest.raises(BucketNotFound):
        await services.buckets.delete(one)
    assert await services.buckets.list() == (two,)


async def test_the_names_of_views_are_kept_for_the_owner_of_the_bucket(services: Services) -> None:
    ann = await services.accounts.create("ann")
    bob = await services.accounts.create("bob")
    photos = await services.buckets.create("photos", ann)
    await services.buckets.change_images(photos, lambda before: replace(before, presets={"card": "w:40"}))
    for name in ("photos--card", "photos--nope", "photos--a--b", "photos---card"):
        for stranger in (bob, services.directory.root_account):
            with pytest.raises(BucketExists, match="kept for views of the bucket photos"):
                await services.buckets.create(name, stranger)
    with pytest.raises(BucketExists, match="as its preset card shows it"):
        await services.buckets.create("photos--card", ann)
    own = await services.buckets.create("photos--nope", ann)
    with pytest.raises(BucketOwnedByYou):
        await services.buckets.create("photos--nope", ann)
    with pytest.raises(BucketExists):
        await services.buckets.create("photos--nope--more", bob)
    for name in ("photos-card", "photo--card", "others--card"):
        await services.buckets.create(name, bob)
    services.buckets.server_presets = {"all"}
    with pytest.raises(BucketExists, match="as its preset all shows it"):
        await services.buckets.create("photos--all", ann)
    await services.buckets.delete(own)
    await services.buckets.delete(photos)
    await services.buckets.create("photos--card", bob)


async def test_a_bucket_with_nothing_but_a_delete_marker_is_not_empty(services: Services, versioned: Bucket) -> None:
    result = await services.objects.delete(versioned, b"never there")
    with pytest.raises(BucketNotEmpty):
        await services.buckets.delete(versioned)
    await services.objects.delete(versioned, b"never there", result.version_id)
    await services.buckets.delete(versioned)


@pytest.mark.parametrize("ladder", [(0,), (-1,), (20_000,), tuple(range(1, 100))])
async def test_a_ladder_has_bounds(services: Services, bucket: Bucket, ladder: tuple[int, ...]) -> None:
    with pytest.raises(InvalidValue):
        await services.buckets.set_images(bucket, ladder=ladder)


def test_a_master_key_file_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "new" / "master.key"
    first = load_master_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_master_key(path).hex() == first.hex()
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("text", ["", "00", "zz" * 32, "00" * 33])
def test_texts_that_are_no_master_key(text: str) -> None:
    with pytest.raises(InvalidValue):
        parse_master_key(text)


def test_a_sealed_secret_opens_only_for_its_key_and_its_master() -> None:
    sealed = MASTER.seal("secret", "PGONE")
    assert MASTER.unseal(sealed, "PGONE") == "secret"
    assert MASTER.seal("secret", "PGONE") != sealed
    altered = sealed[:-1] + bytes([sealed[-1] ^ 1])
    for master, data, context in (
        (MASTER, sealed, "PGTWO"),
        (MasterKey(bytes(32)), sealed, "PGONE"),
        (MASTER, altered, "PGONE"),
    ):
        with pytest.raises(InvalidValue):
            master.unseal(data, context)
