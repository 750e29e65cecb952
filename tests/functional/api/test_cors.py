"""Pages of other origins against a real server: preflights without credentials, and who may read what."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.functional.api.client import Api
from tests.functional.api.conftest import ENVIRONMENT
from tests.services import Server, running

APP = "https://app.example.com"
ASKING = {"Origin": APP, "Access-Control-Request-Method": "DELETE", "Access-Control-Request-Headers": "authorization"}


@pytest.fixture(scope="module")
def open_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A server that pages of APP may call."""
    environment = {**ENVIRONMENT, "PIXGATE_CORS_ORIGINS": APP}
    data = tmp_path_factory.mktemp("cors") / "data"
    with running(Server(data, workers=1, environment=environment)) as server:
        yield Api(server)


def test_a_preflight_needs_no_credentials(open_api: Api) -> None:
    answer = open_api.ask("OPTIONS", "users/me/images", headers=ASKING)
    assert answer.status == 204
    assert answer.headers["access-control-allow-origin"] == APP
    assert "DELETE" in answer.headers["access-control-allow-methods"]
    assert "Authorization" in answer.headers["access-control-allow-headers"]
    assert "access-control-allow-credentials" not in answer.headers


def test_a_preflight_of_a_stranger_is_told_nothing(open_api: Api) -> None:
    answer = open_api.ask("OPTIONS", "images", headers={**ASKING, "Origin": "https://evil.example"})
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert answer.headers["vary"] == "Origin"


def test_refusals_can_be_read_too(open_api: Api) -> None:
    answer = open_api.get("no/such/thing", headers={"Origin": APP})
    assert answer.code == "NOT_FOUND"
    assert answer.headers["access-control-allow-origin"] == APP
    assert "X-Request-Id" in answer.headers["access-control-expose-headers"]


def test_the_admin_api_is_never_open_to_pages(open_api: Api) -> None:
    for method in ("GET", "OPTIONS"):
        answer = open_api.ask(method, "/api/admin/v1/accounts", headers=ASKING)
        assert not [name for name in answer.headers if name.startswith("access-control")]


def test_by_default_no_page_may(api: Api) -> None:
    for origin in (APP, "null", api.server.url):
        answer = api.get("images", headers={"Origin": origin})
        assert not [name for name in answer.headers if name.startswith("access-control")]
        answer = api.ask("OPTIONS", "images", headers={**ASKING, "Origin": origin})
        assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize("path", ["images/%ff", "images/%00", "images/a%ed%a0%80", "%ff"])
def test_a_path_that_is_no_text_names_nothing(api: Api, path: str) -> None:
    assert api.get(path).code == "NOT_FOUND"
