"""A server whose store is a bucket of MinIO, and MinIO itself as others use it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.backends import Backends
from tests.servers.minio import Minio
from tests.services import Server, running, stand_on


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def gateway(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, minio: Minio) -> Iterator[Server]:
    """A server whose store is a bucket of MinIO, its database either engine."""
    data = tmp_path_factory.mktemp(f"adopt-{request.param}") / "data"
    database = request.getfixturevalue("postgresql") if request.param == "postgresql" else None
    stand_on(data, Backends(database, minio).environment())
    with running(Server(data, workers=1)) as server:
        yield server


@pytest.fixture
def upstream(minio: Minio) -> Iterator[Any]:
    """What others use: MinIO itself."""
    client = minio.client()
    yield client
    client.close()
