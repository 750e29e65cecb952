"""`pixgate doctor` with the servers of production: what it says of each, there and away."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from gateway.render.confinement import probe
from migrations import HEAD
from tests.functional.conftest import StartServer
from tests.servers.minio import Minio
from tests.servers.ports import free_port
from tests.servers.postgresql import PostgreSQL
from tests.servers.redis import Redis
from tests.services import environment_of, pixgate


def findings(data: Path) -> dict[str, tuple[str, str]]:
    """Verdict and words for each subject."""
    found = json.loads(pixgate("doctor", "--json", data=data, check=False).stdout)
    return {one["subject"]: (one["verdict"], one["detail"]) for one in found}


def test_each_server_is_asked(tmp_path: Path, postgresql: PostgreSQL, own_minio: Minio, own_redis: Redis) -> None:
    data = tmp_path / "data"
    environment = environment_of(data)
    environment["PIXGATE_DATABASE_URL"] = postgresql.new_database()
    environment["PIXGATE_STORE_URL"] = own_minio.store_url(own_minio.new_bucket())
    environment["PIXGATE_REDIS_URL"] = own_redis.url
    found = findings(data)
    assert found["database"][0] == "warning"
    assert "the first start makes it" in found["database"][1]
    assert found["store main"][0] == "ok"
    assert found["Redis"][0] == "ok"
    pixgate("migrate", data=data)
    assert found.keys() == findings(data).keys()
    assert findings(data)["database"] == ("ok", f"PostgreSQL answers, schema {HEAD}")

    environment["PIXGATE_DATABASE_READ_URL"] = environment["PIXGATE_DATABASE_URL"]
    assert findings(data)["database read URL"] == (
        "ok",
        f"PostgreSQL answers, schema {HEAD}: the database itself",
    )
    environment["PIXGATE_DATABASE_READ_URL"] = postgresql.new_database()
    assert findings(data)["database read URL"][0] == "warning"
    # A port that nobody listens on.
    environment["PIXGATE_DATABASE_READ_URL"] = f"postgresql://reader:not-to-be-shown@127.0.0.1:{free_port()}/x"

    own_redis.pause()
    own_minio.kill()
    try:
        found = findings(data)
    finally:
        own_redis.resume()
    assert found["Redis"][0] == "warning"
    assert found["store main"][0] == "failed"
    verdict, detail = found["database read URL"]
    assert verdict == "warning"
    assert detail.endswith("; galleries and statistics are read from the primary")
    assert found["database"][0] == "ok"
    for password in (own_minio.secret_key, "not-to-be-shown"):
        assert password not in json.dumps(found)


def test_a_bucket_that_is_not_there_is_named(tmp_path: Path, minio: Minio) -> None:
    data = tmp_path / "data"
    environment_of(data)["PIXGATE_STORE_URL"] = minio.store_url("not-made-by-anyone")
    verdict, detail = findings(data)["store main"]
    assert verdict == "failed"
    assert "not-made-by-anyone" in detail


def test_a_master_key_that_is_not_the_databases_fails(tmp_path: Path) -> None:
    data = tmp_path / "data"
    environment_of(data)["PIXGATE_MASTER_KEY"] = "ab" * 32
    pixgate("keys", "create", "--account", "anna", data=data)
    assert findings(data)["master key"] == ("ok", "it is the database's")
    environment_of(data)["PIXGATE_MASTER_KEY"] = "cd" * 32
    verdict, detail = findings(data)["master key"]
    assert verdict == "failed"
    assert "not the one that this database was made with" in detail
    assert pixgate("doctor", data=data, check=False).returncode == 1


def test_a_store_that_rows_name_and_settings_do_not_fails(
    start_server: StartServer, tmp_path: Path, minio: Minio
) -> None:
    data = tmp_path / "data"
    environment_of(data)["PIXGATE_STORE_URL"] = minio.store_url(minio.new_bucket())
    server = start_server(data)
    server.client().create_bucket(Bucket="photos")
    server.client().put_object(Bucket="photos", Key="key", Body=b"x")
    server.stop()
    del environment_of(data)["PIXGATE_STORE_URL"]
    verdict, detail = findings(data)["store main"]
    assert (verdict, detail) == ("failed", "1 blobs lie in it, and these settings do not name it")
    server.start()
    with pytest.raises(ClientError, match="ServiceUnavailable"):
        server.client().get_object(Bucket="photos", Key="key")
    said = "rows name the store 'main', which this node's settings do not"
    for _ in range(600):
        if said in server.tail():
            break
        time.sleep(0.05)
    assert said in server.tail()


def test_the_layers_of_the_sandbox_and_the_extras_are_named(tmp_path: Path) -> None:
    found = findings(tmp_path / "data")
    layers = probe()
    verdict, detail = found["sandbox"]
    assert verdict == ("warning" if layers else "ok")
    assert all(layer in detail for layer in layers)
    assert found["extras"] == ("ok", "all installed")
