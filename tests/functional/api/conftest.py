"""The server that the tests of the JSON door share, and a client of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.functional.api.client import SECRET, Api
from tests.services import Server, running

ENVIRONMENT = {"PIXGATE_JWT_SECRET": SECRET, "PIXGATE_BCRYPT_COST": "4"}
"""What a server is given where apps' tokens are to be taken, and tests upload more than a person would."""


@pytest.fixture(scope="session")
def api_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Two workers that tokens of tests open, without limits on how often."""
    with running(Server(tmp_path_factory.mktemp("api") / "data", environment=ENVIRONMENT)) as server:
        yield server


@pytest.fixture(scope="session")
def api(api_server: Server) -> Api:
    """Nobody, who may become somebody: `api.as_user(api.register())`, `api.app_user("alice")`, `api.with_keys(...)`."""
    return Api(api_server)


@pytest.fixture(scope="module")
def me(api: Api) -> Api:
    """Somebody of the tests of one file."""
    return api.as_user(api.register())
