"""The settings of signing in, and what of them is refused where others can reach the server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.config import SettingsError, load
from gateway.settings.auth import Issuer, is_weak_jwt_secret
from gateway.settings.settings import Settings
from gateway.settings.shown import shown_value

STRONG = "Zm9ydHktZWlnaHQgY2hhcmFjdGVycyBvZiBub2JvZHkncw"
PUBLIC = {"PIXGATE_LISTEN": "0.0.0.0:9090"}
ISSUER = {"iss": "https://login.test", "jwks_url": "https://login.test/keys", "account": "partner"}


def problem(**environ: str) -> str:
    with pytest.raises(SettingsError) as caught:
        load(environ={f"PIXGATE_{name.upper()}": value for name, value in environ.items()})
    (found,) = caught.value.problems
    return found


def test_the_defaults() -> None:
    settings = load(environ={})
    assert (settings.jwt_algorithm, settings.jwt_minutes, settings.bcrypt_cost) == ("HS256", 1440, 12)
    assert settings.jwt_secret is None
    assert settings.jwt_require_exp
    assert not settings.development
    assert settings.registration
    assert settings.jwt_app_rights == "own"


@pytest.mark.parametrize(
    "secret",
    [
        "your-super-secret-jwt-key-change-in-production",
        "change-me-in-production-at-least-32-characters",
        "CHANGE_THIS_to_a_random_secret_of_your_own_12",
        "my-secret-key-my-secret-key-my-secret-key",
        "0123012301230123012301230123012301230123",
        "x" * 64,
        "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
    ],
)
def test_a_well_known_secret_is_refused_where_others_can_reach_it(secret: str) -> None:
    assert is_weak_jwt_secret(secret)
    for name, value in (
        ("listen", "192.0.2.1:9090"),
        ("public_url", "https://pictures.example.org"),
        ("cdn_url", "https://cdn.example.org"),
        ("trusted_proxies", "127.0.0.1/32"),
    ):
        found = problem(jwt_secret=secret, **{name: value})
        assert found.startswith("PIXGATE_JWT_SECRET: "), name
        assert secret not in found
        if name != "listen":
            load(environ={f"PIXGATE_{name.upper()}": value})  # a derived one is as good as the master key
    environ = {"PIXGATE_JWT_SECRET": secret, "PIXGATE_PUBLIC_URL": "http://localhost:9090"}
    assert load(environ=environ).jwt_secret == secret


def test_a_secret_is_needed_where_others_can_reach_it_and_long_everywhere() -> None:
    assert problem(listen="0.0.0.0:9090").startswith("PIXGATE_JWT_SECRET: must be set")
    assert load(environ={**PUBLIC, "PIXGATE_JWT_SECRET": STRONG}).jwt_secret == STRONG
    short = problem(jwt_secret="x7" * 15 + "y")
    assert "32 characters" in short
    assert "x7x7" not in short
    assert "jwt_private_key" in problem(jwt_secret="-----BEGIN PUBLIC KEY-----\n" + STRONG)
    settings = load(environ={"PIXGATE_JWT_SECRET": STRONG, "PIXGATE_SMTP_PASSWORD": "of-the-mail-server"})
    shown = repr(settings) + "".join(shown_value(settings, name) for name in Settings.model_fields)
    assert STRONG not in shown
    assert "of-the-mail-server" not in shown


def test_longer_digests_need_longer_secrets_and_other_algorithms_a_key(tmp_path: Path) -> None:
    assert "64 bytes" in problem(jwt_secret=STRONG, jwt_algorithm="HS512")
    assert "jwt_private_key" in problem(jwt_algorithm="ES256").lower()
    assert problem(jwt_algorithm="none").startswith("PIXGATE_JWT_ALGORITHM: ")
    key = tmp_path / "key.pem"
    assert "cannot be read" in problem(jwt_algorithm="ES256", jwt_private_key=str(key))
    key.write_text("-")
    environ = {**PUBLIC, "PIXGATE_JWT_ALGORITHM": "ES256", "PIXGATE_JWT_PRIVATE_KEY": str(key)}
    assert load(environ=environ).jwt_private_key == key


def test_development_and_cheap_hashes_stay_on_this_machine() -> None:
    for name, value in (("development", "true"), ("bcrypt_cost", "11")):
        assert problem(jwt_secret=STRONG, listen="[::]:80", **{name: value}).startswith(f"PIXGATE_{name.upper()}: ")
        load(environ={f"PIXGATE_{name.upper()}": value, "PIXGATE_PUBLIC_URL": "http://localhost:9090"})
        for behind in (
            {"public_url": "https://pictures.example.org"},
            {"cdn_url": "https://cdn.example.org"},
            {"trusted_proxies": "127.0.0.1/32"},
        ):
            assert problem(**{name: value}, **behind).startswith(f"PIXGATE_{name.upper()}: "), behind


def test_a_mail_servers_password_is_not_sent_in_the_clear() -> None:
    secret = {"smtp_user": "u", "smtp_password": "p", "smtp_tls": "off"}
    assert "in the clear" in problem(smtp_host="mail.example.org", **secret)
    load(environ={f"PIXGATE_{name.upper()}": value for name, value in (secret | {"smtp_host": "localhost"}).items()})
    assert problem(mail_from="nobody").startswith("PIXGATE_MAIL_FROM: ")
    assert problem(password_reset_url="https://app.example.org/reset").startswith("PIXGATE_PASSWORD_RESET_URL: ")


def test_apps_live_in_accounts() -> None:
    settings = load(environ={"PIXGATE_JWT_APPS": "https://shop.example/?a=b=shop; crm = crm-app"})
    assert dict(settings.jwt_apps) == {"https://shop.example/?a=b": "shop", "crm": "crm-app"}
    for wrong in ("shop", "=shop", "shop=", "shop=ro ot", "shop=root"):
        assert problem(jwt_apps=wrong).startswith("PIXGATE_JWT_APPS: "), wrong
    assert "root" in problem(jwt_app_account="root")


def test_issuers_are_tables_or_json(tmp_path: Path) -> None:
    toml = tmp_path / "pixgate.toml"
    toml.write_text(
        '[[jwt_issuers]]\niss = "https://login.test"\njwks_url = "https://login.test/keys"\naccount = "partner"\n'
        'algorithms = ["ES256", "RS256"]\n'
    )
    (issuer,) = load(config_file=toml, environ={}).jwt_issuers
    assert (issuer.account, issuer.algorithms, issuer.subject, issuer.audience) == (
        "partner",
        ("ES256", "RS256"),
        "sub",
        None,
    )
    settings = load(environ={"PIXGATE_JWT_ISSUERS": json.dumps([ISSUER])})
    assert settings.jwt_issuers == (Issuer(**ISSUER),)
    assert shown_value(settings, "jwt_issuers") == "https://login.test"


@pytest.mark.parametrize(
    "change",
    [
        {"algorithms": ["HS256"]},
        {"algorithms": ["none"]},
        {"algorithms": []},
        {"jwks_url": "http://login.test/keys"},
        {"jwks_url": "http://login.test/keys", "insecure": True},
        {"jwks_url": "http://10.0.0.7/keys"},
        {"jwks_url": "http://8.8.4.4/keys", "insecure": True},
        {"jwks_url": "file:///etc/keys"},
        {"jwks_url": "https://user:password@login.test/keys"},
        {"account": "root"},
        {"account": ""},
        {"iss": "pixgate"},
        {"iss": ""},
        {"unknown": "x"},
    ],
)
def test_issuers_that_are_refused(change: dict[str, Any]) -> None:
    assert problem(jwt_issuers=json.dumps([ISSUER | change])).startswith("PIXGATE_JWT_ISSUERS: number 1: ")


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "[::1]:80", "10.1.2.3", "localhost", "keycloak:8080"])
def test_near_issuers_may_speak_plainly_where_that_is_set(host: str) -> None:
    table = ISSUER | {"jwks_url": f"http://{host}/keys", "insecure": True}
    assert load(environ={"PIXGATE_JWT_ISSUERS": json.dumps([table])}).jwt_issuers[0].insecure


def test_two_issuers_of_one_name_and_what_is_no_list() -> None:
    assert "two of" in problem(jwt_issuers=json.dumps([ISSUER, ISSUER]))
    assert problem(jwt_issuers="login").startswith("PIXGATE_JWT_ISSUERS: ")
    assert problem(jwt_issuers='"login"').startswith("PIXGATE_JWT_ISSUERS: ")
