"""Three nodes of ours in front of one PostgreSQL, one MinIO and one Redis, for all tests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.deployment import Deployment
from tests.servers.minio import Minio
from tests.servers.postgresql import PostgreSQL
from tests.servers.redis import Redis
from tests.services import Server


@dataclass(frozen=True)
class Cluster:
    """The nodes, each with a data folder of its own. Afterwards the store holds what the rows name, and no more."""

    deployment: Deployment
    nodes: list[Server]


@pytest.fixture(scope="session")
def cluster(
    tmp_path_factory: pytest.TempPathFactory, postgresql: PostgreSQL, minio: Minio, redis_server: Redis
) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("cluster")
    deployment = Deployment.new(folder, postgresql, minio)
    try:
        yield Cluster(deployment, deployment.start("a", "b", "c", redis_url=redis_server.new_database()))
        deployment.check_store()
    finally:
        deployment.kill()
