"""What all tests share: the real servers, how much hypothesis tries, and where it remembers."""

from __future__ import annotations

from collections.abc import Iterator

import hypothesis
import pytest
from hypothesis.database import DirectoryBasedExampleDatabase

from gateway.metadata import postgres, postgres_pool
from tests import bodies, services
from tests.backends import KINDS, Backends
from tests.servers.fixtures import (
    minio,
    own_minio,
    own_postgresql,
    own_rclone,
    own_redis,
    postgresql,
    postgresql_url,
    rclone_s3,
    redis_server,
    redis_url,
    run_servers,
)

__all__ = [
    "minio",
    "own_minio",
    "own_postgresql",
    "own_rclone",
    "own_redis",
    "postgresql",
    "postgresql_url",
    "rclone_s3",
    "redis_server",
    "redis_url",
    "run_servers",
]

OWN_SERVERS = frozenset(
    {
        "faults",
        "nodes",
        "adopt",
        "test_changed_default.py",
        "test_doctor.py",
        "test_fault_proxies.py",
        "test_lost_bucket.py",
        "test_img_cache.py",
        "test_redis_kinds.py",
        "test_render_geometry.py",
        "test_render_overlays.py",
        "render_broker",
        "rendition_cache",
        "test_servers.py",
        "test_several_stores.py",
        "test_standby.py",
        "test_system_calls.py",
        "upstream_faults",
    }
)
"""What brings the servers or brokers that it is about: it runs once, whatever `--backends` says."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--backends", choices=KINDS, default="embedded", help="what servers under test stand on")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what looks into the embedded default's files, where something else is under test."""
    if config.getoption("backends") == "embedded":
        return
    left_out = [
        item for item in items if item.get_closest_marker("embedded") or not OWN_SERVERS.isdisjoint(item.path.parts)
    ]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in set(left_out)]


@pytest.fixture(scope="session", autouse=True)
def backends(request: pytest.FixtureRequest) -> Iterator[Backends]:
    """What `--backends` names, for every server that tests start."""
    kind = request.config.getoption("backends")
    chosen = Backends(
        postgresql=request.getfixturevalue("postgresql") if kind in ("production", "postgresql") else None,
        minio=request.getfixturevalue("minio") if kind in ("production", "minio") else None,
        redis=request.getfixturevalue("redis_server") if kind == "production" else None,
    )
    before, services.new_environment = services.new_environment, chosen.environment
    yield chosen
    services.new_environment = before


@pytest.fixture(autouse=True)
def no_body_left_open() -> Iterator[None]:
    """What a test leaves unread is not found as a leak in another test."""
    with bodies.closed_at_the_end():
        yield


@pytest.fixture(autouse=True)
def patience_with_postgresql(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that all share takes as long as the machine needs; who brings a server of its own is about its time."""
    if "own_postgresql" not in request.fixturenames:
        monkeypatch.setattr(postgres, "CALL_SECONDS", 60.0)
        monkeypatch.setattr(postgres_pool, "SIGN_SECONDS", 60.0)


# Time differs from run to run on a busy machine; a deadline, or a limit for making examples, would fail tests for what is
# no defect. `make test-long` asks for this profile: examples that no run has tried yet.
hypothesis.settings.register_profile(
    "search",
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
    database=DirectoryBasedExampleDatabase(".cache/hypothesis"),
    print_blob=True,
)
# `make test` tries the same examples each time: it judges a change, and what it finds is found by everybody.
hypothesis.settings.register_profile(
    "default", hypothesis.settings.get_profile("search"), derandomize=True, database=None
)
# `make test-quick` asks for it: a glance, where `make test` takes a look.
hypothesis.settings.register_profile("quick", hypothesis.settings.get_profile("default"), max_examples=15)
hypothesis.settings.load_profile("default")
