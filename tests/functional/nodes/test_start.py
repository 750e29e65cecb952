"""Nodes that start at once, and nodes that must not start: of another deployment, or with another master key."""

from __future__ import annotations

import secrets
from pathlib import Path

from migrations import HEAD
from tests.deployment import Deployment
from tests.servers.minio import Minio
from tests.servers.postgresql import PostgreSQL
from tests.traffic import ask


def test_several_start_at_once_on_an_empty_database(tmp_path: Path, postgresql: PostgreSQL, minio: Minio) -> None:
    """It is migrated once, has one deployment id and one root, and takes one place in the store."""
    deployment = Deployment.new(tmp_path, postgresql, minio, migrated=False)
    try:
        a, b, c = deployment.start("a", "b", "c")
        assert [row[0] for row in deployment.rows("SELECT version_num FROM alembic_version")] == [HEAD]
        assert len(deployment.rows("SELECT 1 FROM accounts")) == 1
        assert ask(a, "PUT", "bucket").status == 200
        assert ask(b, "PUT", "bucket", "key", b"x" * 100_000).status == 200
        assert ask(c, "GET", "bucket", "key").body == b"x" * 100_000
        assert len(deployment.names()) == 1

        # Another deployment: its own database, the same place in the store.
        stranger = Deployment.new(tmp_path / "stranger", postgresql, minio)
        stranger.environment["PIXGATE_STORE_URL"] = deployment.environment["PIXGATE_STORE_URL"]
        node = stranger.node("x")
        node.begin()
        assert node.ended() == 1
        assert "belongs to the deployment" in node.tail()

        # A node of this deployment with another master key.
        node = deployment.node("d", master_key=secrets.token_hex(32))
        node.begin()
        assert node.ended() == 1
        assert "the master key is not the one" in node.tail()

        assert ask(c, "GET", "bucket", "key").status == 200, "those that were there go on"
        assert len(deployment.names()) == 1
    finally:
        deployment.kill()
