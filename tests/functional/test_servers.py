"""The servers that tests stand on do what their names say."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import PIPE

import asyncpg
import psutil
import pytest
import redis
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError

from tests.servers import keeper
from tests.servers.kept import ServerFailed
from tests.servers.minio import Minio
from tests.servers.postgresql import PostgreSQL
from tests.servers.rclone import Rclone
from tests.servers.redis import Redis
from tests.servers.s3 import S3Server


async def _counted(url: str, timeout: float = 60) -> int:
    connection = await asyncpg.connect(url, timeout=timeout)
    try:
        return int(await connection.fetchval("SELECT count(*) FROM kept", timeout=timeout))
    finally:
        await connection.close()


def _runs(pid: int) -> bool:
    """Nobody may be there to collect an orphan, so one that has ended counts as gone."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _fill(url: str) -> None:
    async def fill() -> None:
        connection = await asyncpg.connect(url)
        await connection.execute("CREATE TABLE kept AS SELECT generate_series(1, 10)")
        await connection.close()

    asyncio.run(fill())


async def test_a_database_each(postgresql: PostgreSQL, postgresql_url: str) -> None:
    filled = []
    with postgresql.database("ten", lambda url: (filled.append(url), _fill(url))) as first:
        assert await _counted(first) == 10
        with postgresql.database("ten", filled.append) as second:
            assert await _counted(second) == 10
        with pytest.raises(asyncpg.InvalidCatalogNameError):
            await _counted(second)
    assert len(filled) <= 1
    with pytest.raises(asyncpg.UndefinedTableError):
        await _counted(postgresql_url)


async def test_postgresql_paused_killed_restarted(own_postgresql: PostgreSQL) -> None:
    url = own_postgresql.new_database("ten", _fill)
    connection = await asyncpg.connect(url)
    for name in ("fsync", "full_page_writes", "synchronous_commit"):
        assert await connection.fetchval(f"SHOW {name}") == "on"
    own_postgresql.pause()
    with pytest.raises(TimeoutError):
        await connection.fetchval("SELECT 1", timeout=0.3)
    with pytest.raises(TimeoutError):
        await _counted(url, timeout=0.3)
    own_postgresql.resume()
    await connection.close()
    assert await _counted(url) == 10
    own_postgresql.kill()
    with pytest.raises(ConnectionRefusedError):
        await _counted(url)
    own_postgresql.start()
    assert await _counted(url) == 10
    before = own_postgresql.pid
    own_postgresql.restart()
    assert own_postgresql.pid != before
    assert await _counted(url) == 10


@pytest.mark.parametrize("kind", [Minio, Rclone])
def test_a_store_paused_killed_restarted(kind: type[S3Server]) -> None:
    with kind.own() as store:
        bucket = store.new_bucket()
        client = store.client(read_timeout=3, connect_timeout=3)
        client.put_object(Bucket=bucket, Key="key", Body=b"kept")
        store.pause()
        with pytest.raises(ReadTimeoutError):
            client.get_object(Bucket=bucket, Key="key")
        store.resume()
        assert client.get_object(Bucket=bucket, Key="key")["Body"].read() == b"kept"
        store.kill()
        with pytest.raises(EndpointConnectionError):
            client.get_object(Bucket=bucket, Key="key")
        store.start()
        patient = store.client()
        assert patient.get_object(Bucket=bucket, Key="key")["Body"].read() == b"kept"
        store.restart()
        assert patient.get_object(Bucket=bucket, Key="key")["Body"].read() == b"kept"
        patient.close()
        client.close()


def test_buckets_of_the_shared_stores(minio: Minio, rclone_s3: Rclone) -> None:
    bucket = minio.new_bucket(versioning=True)
    client = minio.client()
    assert client.put_object(Bucket=bucket, Key="key", Body=b"")["VersionId"]
    client.close()
    assert minio.new_bucket() != bucket
    client = rclone_s3.client()
    assert "Contents" not in client.list_objects_v2(Bucket=rclone_s3.new_bucket())
    client.close()


def test_a_redis_database_each(redis_server: Redis, redis_url: str) -> None:
    other = redis_server.new_database()
    redis_server.command("SET", "key", "kept", url=redis_url)
    assert redis_server.command("GET", "key", url=other) is None
    redis_server.flush(other)
    assert redis_server.command("GET", "key", url=redis_url) == "kept"
    redis_server.flush(redis_url)
    assert redis_server.command("GET", "key", url=redis_url) is None


def test_redis_paused_killed_restarted(own_redis: Redis) -> None:
    with redis.Redis.from_url(own_redis.new_database(), socket_timeout=2) as client:
        client.set("key", b"value")
        own_redis.pause()
        with pytest.raises(redis.TimeoutError):
            client.get("key")
        own_redis.resume()
        assert client.get("key") == b"value"
        own_redis.kill()
        with pytest.raises(redis.ConnectionError):
            client.get("key")
        own_redis.start()
        assert client.get("key") is None, "a cache keeps nothing"
        client.set("key", b"value")
        own_redis.flush()
        assert client.get("key") is None


def test_nothing_outlives_a_killed_user() -> None:
    """The user of a server is killed: the server goes, and its folder."""
    program = "from tests.servers.redis import Redis\ns = Redis.own()\nprint(s.pid, s.folder, flush=True)\ninput()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=PIPE, stdout=PIPE, text=True) as user:
        assert user.stdout is not None
        pid, folder = user.stdout.readline().split()
        assert psutil.pid_exists(int(pid))
        assert Path(folder).exists()
        user.kill()
    _until(lambda: not _runs(int(pid)) and not Path(folder).parent.exists())


def test_a_server_dies_with_its_keeper() -> None:
    server = Redis.own()
    parent = psutil.Process(server.pid).parent()
    assert parent is not None
    parent.kill()
    _until(lambda: not _runs(server.pid))
    with pytest.raises(ServerFailed, match="gone"):
        server.pause()
    shutil.rmtree(server.folder.parent)
    server.close()


def test_one_server_for_all_processes_of_a_run() -> None:
    program = "import sys\nfrom tests.servers.redis import Redis\ns = Redis(sys.argv[1]).wait()\nprint(s.pid, flush=True)\ninput()"
    run = f"test-{os.getpid()}"
    users = [
        subprocess.Popen([sys.executable, "-c", program, run], stdin=PIPE, stdout=PIPE, text=True) for _ in range(3)
    ]
    try:
        pids = {user.stdout.readline().strip() for user in users if user.stdout}
        assert len(pids) == 1
        for user in users[:2]:
            user.communicate("\n", timeout=60)
        time.sleep(2 * keeper.UNUSED_SECONDS)
        assert _runs(int(next(iter(pids)))), "ended before its last user"
        users[2].communicate("\n", timeout=60)
        _until(lambda: not _runs(int(next(iter(pids)))))
    finally:
        for user in users:
            user.kill()
            user.communicate()


def test_a_server_that_cannot_start_says_why() -> None:
    """The keeper runs in a process of its own: what goes wrong there is told here."""

    class Unknown(Redis):
        kind = "unknown"

    with pytest.raises(ServerFailed, match="unknown cannot be started"):
        Unknown.own()


def test_the_environment_names_servers_that_run_already(own_redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Redis.external() is None
    monkeypatch.setenv("PIXGATE_TEST_REDIS_URL", own_redis.url)
    named = Redis.external()
    assert named is not None
    assert named.command("PING") is True
    with pytest.raises(ServerFailed, match="not ours"):
        named.kill()
    monkeypatch.setenv("PIXGATE_TEST_S3_URL", "s3://key%2F:secret@127.0.0.1:9000/?tls=off")
    store = Minio.external()
    assert store is not None
    assert (store.endpoint, store.access_key, store.secret_key) == ("http://127.0.0.1:9000", "key/", "secret")
    assert store.store_url("bucket") == "s3://key%2F:secret@127.0.0.1:9000/bucket?tls=off&style=path"


def _until(so: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not so():
        assert time.monotonic() < deadline, f"not so within {seconds} s"
        time.sleep(0.02)


def test_the_command_starts_them_until_a_signal() -> None:
    command = [sys.executable, "-m", "tests.servers", "redis", "rclone"]
    with subprocess.Popen(command, stdout=PIPE, stderr=subprocess.DEVNULL, text=True) as started:
        assert started.stdout is not None
        lines = dict(started.stdout.readline().strip().split("=", 1) for _ in range(2))
        with redis.Redis.from_url(lines["REDIS_URL"].strip("'")) as client:
            assert client.ping()
        assert lines["RCLONE_URL"].startswith("'s3://pixgate-test:")
        started.terminate()
        assert started.wait(60) == 0
    with (
        pytest.raises(redis.ConnectionError),
        redis.Redis.from_url(lines["REDIS_URL"].strip("'"), retry=None) as client,
    ):
        _until(lambda: not client.ping())


def test_who_comes_when_the_last_one_goes_gets_another_server() -> None:
    """Several times, at other moments of the keeper's end."""
    run = f"test-{os.getpid()}-again"
    for turn in range(6):
        first = Redis(run).wait()
        before = first.pid
        first.close()
        time.sleep(keeper.UNUSED_SECONDS + (turn - 2) * 0.01)
        with Redis(run).wait() as second:
            assert second.command("PING") is True
            assert _runs(second.pid)
            assert second.pid == before or not _runs(before)
