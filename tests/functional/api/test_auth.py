"""People register, sign in and out and choose passwords, as apps have them do it."""

from __future__ import annotations

import secrets
import time
from typing import Any

import jwt
import pytest

from tests.functional.api.client import PASSWORD, SECRET, Answer, Api
from tests.functional.conftest import StartServer
from tests.services import ROOT, pixgate


def new_email() -> str:
    return f"{secrets.token_hex(6)}@example.org"


def registered(api: Api, email: str | None = None, password: str = PASSWORD) -> tuple[str, dict[str, Any]]:
    """A new user: the address, and what the service answered."""
    email = email or new_email()
    answer = api.post("auth/register", json={"email": email, "password": password, "name": "Ann"})
    assert answer.status == 201, answer.body
    return email, answer.json


def login(api: Api, email: str, password: str = PASSWORD) -> Answer:
    return api.post("auth/login", json={"email": email, "password": password})


def test_who_registers_is_signed_in(api: Api) -> None:
    email, made = registered(api)
    assert set(made) == {"user", "access_token", "token_type", "refresh_token", "expires_in"}
    assert made["token_type"] == "bearer"
    assert made["expires_in"] == 1440 * 60
    user = made["user"]
    assert (user["email"], user["name"], user["role"], user["is_active"]) == (email, "Ann", "user", True)
    assert user["account"].startswith("user-")
    claims = jwt.decode(made["access_token"], SECRET, ["HS256"])
    assert claims["sub"] == user["id"]
    assert claims["exp"] - claims["iat"] == 1440 * 60
    assert claims["sid"]
    answer = api.as_user(made["access_token"]).get("auth/me")
    assert answer.status == 200
    assert answer.json == user
    assert answer.headers["cache-control"] == "no-store"


def test_an_address_can_register_once(api: Api) -> None:
    email, _ = registered(api)
    answer = api.post("auth/register", json={"email": f" {email.upper()} ", "password": PASSWORD})
    assert (answer.status, answer.code) == (400, "EMAIL_EXISTS")


@pytest.mark.parametrize(
    "body",
    [
        {"email": "ann@example.org"},
        {"password": PASSWORD},
        {"email": "nobody", "password": PASSWORD},
        {"email": "ann@example.org", "password": "seven77"},
        {"email": "ann@example.org", "password": "x" * 73},
        {"email": "ann@example.org", "password": "é" * 37},
        {"email": "ann@example.org", "password": 12345678},
        {"email": "ann@example.org", "password": "zero\0byte"},
        {"email": "ann@example.org", "password": "half \ud800 pair"},
        {"email": "a\0nn@example.org", "password": PASSWORD},
        [],
        "text",
    ],
)
def test_what_cannot_register(api: Api, body: Any) -> None:
    answer = api.post("auth/register", json=body)
    assert (answer.status, answer.code) == (422, "VALIDATION_ERROR"), answer.body
    if isinstance(body, dict) and isinstance(body.get("password"), str):
        assert body["password"].encode("utf-8", "replace") not in answer.body


def test_72_bytes_are_a_password_and_all_of_them_count(api: Api) -> None:
    password = "é" * 35 + "xy"
    assert len(password.encode()) == 72
    email, _ = registered(api, password=password)
    assert login(api, email, password).status == 200
    assert login(api, email, password[:-1] + "z").code == "INVALID_CREDENTIALS"
    assert login(api, email, password + "z").status == 422


def test_login_as_the_older_service_documents_it(api: Api) -> None:
    email, made = registered(api)
    answer = login(api, email.upper())
    assert answer.status == 200
    assert answer.json["user"] == made["user"]
    assert answer.json["token_type"] == "bearer"
    form = api.post("auth/token/", data={"username": email, "password": PASSWORD})
    assert form.status == 200
    assert form.json["token_type"] == "bearer"
    oauth = {"grant_type": "password", "username": email, "password": PASSWORD, "scope": "", "client_id": ""}
    token = api.post("auth/token", data=oauth).json["access_token"]
    assert api.as_user(token).get("auth/me").json["id"] == made["user"]["id"]
    assert api.post("auth/token", data={**oauth, "grant_type": "client_credentials"}).status == 422
    assert api.post("auth/token", data={"username": email}).status == 422


def test_unknown_address_and_wrong_password_are_told_the_same(api: Api) -> None:
    email, _ = registered(api)
    answers = [
        login(api, email, "a wrong password"),
        login(api, new_email(), "a wrong password"),
        login(api, "nonsense", "a wrong password"),
        login(api, "", "a wrong password"),
        login(api, email, "x"),
        api.post("auth/token", data={"username": email, "password": "a wrong password"}),
    ]
    assert {(answer.status, answer.body) for answer in answers} == {(401, answers[0].body)}
    assert answers[0].code == "INVALID_CREDENTIALS"
    assert answers[0].headers["www-authenticate"] == "Bearer"


def test_logout_ends_the_session_at_the_next_request_and_no_other(api: Api) -> None:
    email, first = registered(api)
    second = login(api, email).json
    one, other = api.as_user(first["access_token"]), api.as_user(second["access_token"])
    assert one.post("auth/logout").status == 204
    answer = one.get("auth/me")
    assert (answer.status, answer.code) == (401, "UNAUTHORIZED")
    assert one.post("auth/logout").status == 401
    assert api.post("auth/refresh", json={"refresh_token": first["refresh_token"]}).status == 401
    assert other.get("auth/me").status == 200


def test_refresh_tokens_rotate_and_a_reused_one_ends_the_session(api: Api) -> None:
    _, made = registered(api)

    def refresh(token: str) -> Answer:
        return api.post("auth/refresh", json={"refresh_token": token})

    first = refresh(made["refresh_token"])
    assert first.status == 200
    assert set(first.json) == {"access_token", "token_type", "refresh_token", "expires_in"}
    assert first.json["refresh_token"] != made["refresh_token"]
    assert first.json["access_token"] != made["access_token"]
    second = refresh(first.json["refresh_token"]).json
    assert api.as_user(second["access_token"]).get("auth/me").status == 200
    again = refresh(made["refresh_token"])
    assert (again.status, again.code) == (401, "UNAUTHORIZED")
    for token in (made["access_token"], first.json["access_token"], second["access_token"]):
        assert api.as_user(token).get("auth/me").status == 401
    assert refresh(second["refresh_token"]).status == 401
    assert refresh("invented").status == 401
    assert refresh(made["access_token"]).status == 401
    assert api.post("auth/refresh", json={}).status == 422


def test_a_new_password_ends_every_session_but_the_new_one(api: Api) -> None:
    email, made = registered(api)
    elsewhere = api.as_user(login(api, email).json["access_token"])
    here = api.as_user(made["access_token"])
    new = "another password"

    def change(current: str, chosen: str) -> Answer:
        return here.post("auth/password/change", json={"current_password": current, "new_password": chosen})

    assert change("a wrong password", new).code == "INVALID_CREDENTIALS"
    assert change(PASSWORD, "short").status == 422
    assert here.get("auth/me").status == 200
    answer = change(PASSWORD, new)
    assert answer.status == 200
    assert api.as_user(answer.json["access_token"]).get("auth/me").json == made["user"]
    for old in (here, elsewhere):
        assert old.get("auth/me").status == 401
    assert api.post("auth/refresh", json={"refresh_token": made["refresh_token"]}).status == 401
    assert login(api, email).code == "INVALID_CREDENTIALS"
    assert login(api, email, new).status == 200


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "auth/me"), ("POST", "auth/logout"), ("POST", "auth/password/change")]
)
def test_nobody_has_no_session(api: Api, method: str, path: str) -> None:
    answer = api.ask(method, path, json={})
    assert (answer.status, answer.code) == (401, "UNAUTHORIZED")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_an_access_key_is_no_user(api: Api) -> None:
    keys = api.with_keys(ROOT)
    assert keys.get("auth/me").code == "FORBIDDEN"
    assert keys.post("auth/logout").code == "INVALID_REQUEST"


def test_a_signed_body_must_be_the_one_that_was_signed(api: Api) -> None:
    keys = api.with_keys(ROOT)
    body = b'{"current_password": "a password", "new_password": "another one"}'
    path = "/api/v1/auth/password/change"
    assert keys.ask("POST", path, body=body).code == "FORBIDDEN"  # read, and then it is no user's
    signature = keys._credentials("POST", path, api.server.url.partition("//")[2], body)
    sent = api.ask("POST", path, body=body.replace(b"another", b"changed"), headers=signature)
    assert (sent.status, sent.code) == (400, "INVALID_REQUEST")


def test_a_cookie_and_a_query_authenticate_nobody(api: Api) -> None:
    _, made = registered(api)
    token = made["access_token"]
    names = ("token", "access_token", "session", "Authorization", "jwt")
    cookies = {"Cookie": "; ".join(f"{name}={token}" for name in names)}
    assert api.get("auth/me", headers=cookies).status == 401
    assert api.get("auth/me", query=dict.fromkeys(names, token)).status == 401
    answer = api.get("auth/me", headers={"Authorization": f"bearer   {token}"})
    assert answer.status == 200
    assert "set-cookie" not in answer.headers
    for header in ("Bearer", "Bearer ", f"Token {token}", f"Basic {token}", token):
        assert api.get("auth/me", headers={"Authorization": header}).status == 401, header


def test_users_are_switched_at_the_command_line_beside_the_server(api: Api) -> None:
    email, made = registered(api)
    one = api.as_user(made["access_token"])
    pixgate("users", "disable", email, data=api.server.data)
    assert one.get("auth/me").status == 401
    assert login(api, email).body == login(api, new_email()).body
    pixgate("users", "enable", email, data=api.server.data)
    assert one.get("auth/me").status == 401  # what ended stays ended
    assert login(api, email).status == 200


def test_what_people_do_is_in_the_audit_log(api: Api) -> None:
    email, made = registered(api)
    login(api, email, "a wrong password")
    signed_in = login(api, email).json
    again = {"refresh_token": made["refresh_token"]}
    for _ in range(2):
        api.post("auth/refresh", json=again)
    change = {"current_password": PASSWORD, "new_password": "another password"}
    one = api.as_user(
        api.as_user(signed_in["access_token"]).post("auth/password/change", json=change).json["access_token"]
    )
    one.post("auth/logout")
    root = api.with_keys(ROOT)
    wanted = {
        "user.register",
        "user.login",
        "user.login.failed",
        "user.refresh.reused",
        "user.password.change",
        "user.logout",
    }
    deadline = time.monotonic() + 60
    while True:
        answer = root.get("/api/admin/v1/audit", query={"target": email})
        found = {event["action"]: event for event in answer.json["items"]}
        if wanted <= set(found) or time.monotonic() > deadline:
            break
        time.sleep(0.1)  # failed logins are written a moment later
    assert set(found) == wanted
    for event in found.values():
        assert event["address"] == "127.0.0.1"
        assert event["request_id"]
        assert event["via"] == "api"
    assert found["user.login.failed"]["user"] is None
    assert {found[name]["user"] for name in wanted - {"user.login.failed"}} == {email}
    assert PASSWORD.encode() not in answer.body


def test_passwords_are_limited_and_never_in_the_log(start_server: StartServer) -> None:
    environment = {
        "PIXGATE_JWT_SECRET": SECRET,
        "PIXGATE_RATE_LIMITS_ENABLED": "true",
        "PIXGATE_BCRYPT_COST": "4",
        "PIXGATE_LOG_LEVEL": "debug",
    }
    server = start_server(environment=environment, workers=1)
    api = Api(server)
    email, made = registered(api)
    secrets_told = [PASSWORD, made["access_token"], made["refresh_token"], "$2b$"]
    renewed = api.post("auth/refresh", json={"refresh_token": made["refresh_token"]}).json
    secrets_told += [renewed["access_token"], renewed["refresh_token"]]
    api.as_user(renewed["access_token"]).get("auth/me")
    api.as_user(renewed["access_token"] + "x").get("auth/me")
    api.post("auth/password/forgot", json={"email": email})
    api.post("auth/password/reset", json={"token": "tok-that-was-invented", "new_password": PASSWORD})
    secrets_told.append("tok-that-was-invented")
    answers = []
    for attempt in range(60):
        answers.append(login(api, email, f"a guess, number {attempt}"))
        if answers[-1].status == 429:
            break
    limited = answers[-1]
    assert (limited.status, limited.code) == (429, "RATE_LIMIT_EXCEEDED")
    assert int(limited.headers["retry-after"]) > 0
    assert {answer.status for answer in answers[:-1]} == {401}
    assert login(api, email).status == 429  # the right password is no way around it
    assert api.post("auth/token", data={"username": email, "password": PASSWORD}).status == 429
    server.stop()
    log = server.log.read_text()
    assert '"operation":"Login"' in log
    for secret in (*secrets_told, "a guess"):
        assert secret not in log


def test_registering_can_be_switched_off(start_server: StartServer) -> None:
    environment = {"PIXGATE_JWT_SECRET": SECRET, "PIXGATE_BCRYPT_COST": "4", "PIXGATE_REGISTRATION": "false"}
    api = Api(start_server(environment=environment, workers=1))
    answer = api.post("auth/register", json={"email": new_email(), "password": PASSWORD})
    assert (answer.status, answer.code) == (403, "FORBIDDEN")
    assert api.app_user().get("auth/me").status == 200


def test_tokens_expire_and_hold_over_a_restart(start_server: StartServer) -> None:
    server = start_server(environment={"PIXGATE_BCRYPT_COST": "4"}, workers=1)
    api = Api(server)
    _, made = registered(api)
    server.stop()
    server.start()
    assert api.as_user(made["access_token"]).get("auth/me").status == 200
    # Nobody knows the secret that is derived where none is set.
    assert api.app_user(exp=int(time.time()) + 60).get("auth/me").status == 401
