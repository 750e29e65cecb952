"""Which pages of other origins may read answers: those that the settings name, compared whole."""

from __future__ import annotations

import pytest

from gateway.api.cors import Cors
from gateway.config import SettingsError, load
from gateway.settings.limits import LimitSettings

APP = "https://app.example.com"


def cors(origins: str, *, credentials: bool = False) -> Cors:
    settings = LimitSettings.model_validate({"cors_origins": origins, "cors_credentials": credentials})
    return Cors.of(settings)


def marked(rule: Cors, origin: str | None, *given: tuple[str, str]) -> dict[str, str]:
    headers = list(given)
    rule.mark(headers, origin)
    assert len({name for name, _ in headers}) == len(headers)
    return dict(headers)


def test_nothing_is_said_by_default() -> None:
    assert not cors("").concerns("/api/v1/images")
    assert cors("").allowed(APP) is None


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "null",
        "*",
        "",
        "http://app.example.com",
        "https://app.example.com:8443",
        "https://app.example.com.evil.example",
        "https://evil-app.example.com",
        "https://app.example.com/",
        "https://APP.example.com",
    ],
)
def test_an_origin_that_is_not_named_is_told_nothing(origin: str | None) -> None:
    assert marked(cors(APP), origin) == {"Vary": "Origin"}
    assert "Access-Control-Allow-Methods" not in dict(cors(APP).preflight(origin, "GET").header_list)


def test_a_named_origin_may_read_the_answer_and_what_is_said_in_headers() -> None:
    headers = marked(cors(f"{APP}, http://localhost:3000"), APP)
    assert headers["Access-Control-Allow-Origin"] == APP
    assert headers["Vary"] == "Origin"
    for name in ("X-RateLimit-Remaining", "Retry-After", "X-Request-Id", "ETag", "X-Cache", "Content-Disposition"):
        assert name in headers["Access-Control-Expose-Headers"].split(", ")
    assert "Access-Control-Allow-Credentials" not in headers


def test_what_an_answer_depends_on_already_stays() -> None:
    assert marked(cors(APP), APP, ("vary", "Accept"))["vary"] == "Accept, Origin"


def test_credentials_go_to_named_origins_only() -> None:
    rule = cors(APP, credentials=True)
    assert marked(rule, APP)["Access-Control-Allow-Credentials"] == "true"
    assert "Access-Control-Allow-Credentials" not in marked(rule, "https://other.example")


def test_all_origins_are_told_the_same_and_never_with_credentials() -> None:
    rule = Cors.of(LimitSettings.model_construct(cors_origins=("*",), cors_credentials=True, cors_max_age=1))
    assert rule.allowed(APP) == rule.allowed(None) == "*"
    assert "Access-Control-Allow-Credentials" not in marked(rule, APP)
    assert "Vary" not in marked(rule, APP)


def test_all_origins_with_credentials_are_refused_at_the_start() -> None:
    with pytest.raises(SettingsError, match="CORS_CREDENTIALS"):
        load(environ={"PIXGATE_CORS_ORIGINS": "*", "PIXGATE_CORS_CREDENTIALS": "true"})


@pytest.mark.parametrize(
    "text", ["example.com", "https://example.com/", "https://example.com/app", "https://a@b.example"]
)
def test_what_is_no_origin_is_refused_at_the_start(text: str) -> None:
    with pytest.raises(SettingsError, match="CORS_ORIGINS"):
        load(environ={"PIXGATE_CORS_ORIGINS": text})


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/api/v1", True),
        ("/api/v1/images", True),
        ("/api/v10", False),
        ("/api/admin/v1/keys", False),
        ("/img/x", False),
    ],
)
def test_it_concerns_apps_only(path: str, expected: bool) -> None:
    assert cors(APP).concerns(path) == expected


def test_a_preflight_names_methods_and_headers() -> None:
    reply = cors(APP).preflight(APP, "PATCH")
    headers = dict(reply.header_list)
    assert reply.status == 204
    assert "PATCH" in headers["Access-Control-Allow-Methods"].split(", ")
    assert {"Authorization", "Content-Type", "Prefer"} <= set(headers["Access-Control-Allow-Headers"].split(", "))
    assert headers["Access-Control-Max-Age"] == "600"
