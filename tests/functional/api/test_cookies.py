"""No cookie signs anybody in, so that no page of another origin can act for whoever visits it."""

from __future__ import annotations

import pytest

from gateway.api.operation import Access
from gateway.api.table import OPERATIONS
from tests.functional.api.client import Api, User
from tests.services import ROOT

NAMES = ("access_token", "token", "session", "Authorization", "jwt", "pixgate", "refresh_token")
GUARDED = [
    (operation.method, operation.path.replace("{", "").replace("}", ""))
    for operation in OPERATIONS
    if operation.access not in (Access.ANYBODY, Access.OPTIONAL)
]


@pytest.fixture(scope="module")
def user(api: Api) -> User:
    return api.register()


@pytest.mark.parametrize(("method", "path"), GUARDED)
def test_a_token_in_a_cookie_is_no_token(api: Api, user: User, method: str, path: str) -> None:
    cookie = "; ".join([*(f"{name}={user.token}" for name in NAMES), f"bearer=Bearer {user.token}"])
    answer = api.ask(method, path, headers={"Cookie": cookie})
    assert (answer.status, answer.code) == (401, "UNAUTHORIZED")


def test_the_token_itself_is_one(api: Api, user: User) -> None:
    assert api.as_user(user).get("auth/me").status == 200


@pytest.mark.parametrize("path", ["/", "/a-bucket", "/a-bucket/key", "/img/a-bucket/key.jpg?w=100"])
def test_nor_is_it_on_the_other_doors(api: Api, user: User, path: str) -> None:
    for name in NAMES:
        given = api.get(path, headers={"Cookie": f"{name}={user.token}"})
        assert given.status in (401, 403, 404)
        assert given.status == api.get(path).status


def test_no_answer_sets_a_cookie(api: Api, user: User) -> None:
    answers = [
        api.post("auth/login", json={"email": user.email, "password": "a password of tests"}),
        api.as_user(user).get("auth/me"),
        api.with_keys(ROOT).get("/"),
        api.get("/ui/"),
        api.get("/ui/api/"),
    ]
    assert [answer.status for answer in answers] == [200] * len(answers)
    assert [answer.headers.get("set-cookie") for answer in answers] == [None] * len(answers)
