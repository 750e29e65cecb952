"""Servers for functional tests: one over http and one over https for all, and others for tests that need their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.services import Certificates, Server, make_certificates, running

StartServer = Callable[..., Server]


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """A CA made for this run and a certificate of it."""
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def http_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server that most tests share, over http."""
    with running(Server(tmp_path_factory.mktemp("http") / "data")) as server:
        yield server


@pytest.fixture(scope="session")
def https_server(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates) -> Iterator[Server]:
    """The server that most tests share, over https."""
    with running(Server(tmp_path_factory.mktemp("https") / "data", certificates=certificates)) as server:
        yield server


@pytest.fixture(params=["http", "https"])
def server(request: pytest.FixtureRequest) -> Server:
    """The shared servers, one after the other."""
    shared: Server = request.getfixturevalue(f"{request.param}_server")
    return shared


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[StartServer]:
    """Start servers of the test's own (`start_server(workers=1)`); they end with the test."""
    with ExitStack() as stack:
        count = 0

        def start(data: Path | None = None, **options: Any) -> Server:
            nonlocal count
            count += 1
            return stack.enter_context(running(Server(data or tmp_path / f"server-{count}" / "data", **options)))

        yield start


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Add the end of each server's log to the report of a test that failed."""
    report = yield
    if report.failed:
        for name, value in getattr(item, "funcargs", {}).items():
            if isinstance(value, Server):
                report.sections.append((f"log of {name}", value.tail(40)))
    return report
