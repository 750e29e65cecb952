"""Equal bytes: stored once, shown as often as they were uploaded, and what an account wants of a second upload."""

from __future__ import annotations

import secrets
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from tests import images
from tests.functional.api.client import SECRET, Api
from tests.functional.conftest import StartServer
from tests.services import ROOT, Server, pixgate

ENVIRONMENT = {"PIXGATE_JWT_SECRET": SECRET, "PIXGATE_BCRYPT_COST": "4"}


def fresh() -> bytes:
    """An image that nobody has uploaded before, too large for a pack."""
    return images.jpeg((900, 700), quality=92) + secrets.token_bytes(8)


def contents_of(server: Server, *image_ids: str) -> list[int]:
    """The contents of images, as the rows have them."""
    with closing(sqlite3.connect(server.data / "pixgate.sqlite")) as database:
        found = [database.execute("SELECT content_id FROM versions WHERE image_id = ?", (one,)) for one in image_ids]
        return [int(rows.fetchone()[0]) for rows in found]


@pytest.mark.embedded
def test_equal_bytes_share_one_content_within_an_account(api: Api, api_server: Server) -> None:
    data = fresh()
    ann, bob = api.as_user(api.register()), api.as_user(api.register())
    first, second, of_bob = (who.upload(data).json["id"] for who in (ann, ann, bob))
    assert first != second
    one, two, other = contents_of(api_server, first, second, of_bob)
    assert one == two
    assert other != one


def test_nobody_learns_by_a_rendition_that_another_user_of_the_app_has_the_file(api: Api) -> None:
    def direct(who: Api, image_id: str) -> tuple[str, str]:
        answer = who.get(f"images/{image_id}/direct?size=333")
        assert answer.status == 200, answer.body
        return answer.headers["x-cache"], answer.headers["etag"]

    data, one = fresh(), api.app_user("renditions-one")
    first, own = (one.upload(data, visibility="private").json["id"] for _ in range(2))
    cache, etag = direct(one, first)
    assert cache == "MISS"
    assert direct(one, own) == ("HIT", etag), "one's own are shared"
    other = api.app_user("renditions-other")
    cache, of_other = direct(other, other.upload(data, visibility="private").json["id"])
    assert cache == "MISS"
    assert of_other != etag


@pytest.mark.embedded
def test_what_users_of_an_app_and_nobody_in_particular_upload_is_not_shared(start_server: StartServer) -> None:
    server = start_server(environment=ENVIRONMENT | {"PIXGATE_ANONYMOUS_UPLOADS": "true"})
    nobody, data = Api(server), fresh()
    one, other = nobody.app_user("one"), nobody.app_user("other")
    ids = [who.upload(data).json["id"] for who in (nobody, nobody, one, other, one)]
    parts = one.post("images/uploads", json={"filename": "a.jpg", "size": len(data)}).json
    assert nobody.put(parts["parts"][0]["url"], body=data).status == 200
    ids.append(one.post(parts["complete_url"], json={}).json["id"])
    found = contents_of(server, *ids)
    assert len(set(found[:4])) == 4
    assert found[4:] == [found[2]] * 2


@pytest.mark.embedded
def test_equal_bytes_at_the_same_time_share_one_content(api: Api, api_server: Server) -> None:
    data = fresh()
    ann = api.as_user(api.register())
    with ThreadPoolExecutor(8) as pool:
        ids = [answer.json["id"] for answer in pool.map(lambda _: ann.upload(data), range(8))]
    assert len(set(ids)) == 8
    assert len(set(contents_of(api_server, *ids))) == 1


def test_deleting_one_keeps_the_other(api: Api) -> None:
    data = fresh()
    ann = api.as_user(api.register())
    first, second = ann.upload(data).json["id"], ann.upload(data).json["id"]
    assert ann.delete(f"images/{first}").status == 204
    assert ann.get(f"images/{first}/file").status == 404
    assert ann.get(f"images/{second}/file").body == data
    third = ann.upload(data).json["id"]
    assert ann.delete(f"images/{second}").status == 204
    assert ann.get(f"images/{third}/file").body == data


@pytest.mark.embedded
def test_what_is_swept_is_not_shared(start_server: StartServer) -> None:
    """Bytes whose last image was deleted and swept come back whole with their next upload."""
    server = start_server(environment=ENVIRONMENT)
    who = Api(server).app_user("sweeper")
    data = fresh()
    first = who.upload(data)
    assert who.delete(f"images/{first.json['id']}").status == 204
    pixgate("sweep", "--grace", "0s", data=server.data)
    again = who.upload(data)
    assert who.get(f"images/{again.json['id']}/file").body == data
    server.fsck()


@pytest.fixture
def account(api: Api) -> Api:
    return api.as_user(api.register())


def wants(api: Api, who: Api, policy: str) -> None:
    """Have an account's duplicates answered so."""
    name = who.get("auth/me").json["account"]
    answer = api.with_keys(ROOT).patch(f"/api/admin/v1/accounts/{name}", json={"duplicates": policy})
    assert answer.status == 200, answer.body


def test_an_account_may_want_the_image_that_it_has(api: Api, account: Api) -> None:
    wants(api, account, "return")
    data = fresh()
    first, second = account.upload(data, visibility="private"), account.upload(data)
    assert (first.status, second.status) == (201, 200)
    assert second.json["id"] == first.json["id"]
    assert second.json["visibility"] == "private"
    assert account.delete(f"images/{first.json['id']}").status == 204
    third = account.upload(data)
    assert third.status == 201
    assert account.get(f"images/{third.json['id']}/file").body == data


def test_an_account_may_want_no_second(api: Api, account: Api) -> None:
    wants(api, account, "refuse")
    data = fresh()
    first, second = account.upload(data), account.upload(data)
    assert first.status == 201
    assert (second.status, second.code) == (409, "DUPLICATE_IMAGE")
    assert second.json["error"]["details"] == {"image_id": first.json["id"]}
    assert api.as_user(api.register()).upload(data).status == 201, "nobody learns what others have"
    with ThreadPoolExecutor(6) as pool:
        another = fresh()
        statuses = sorted(answer.status for answer in pool.map(lambda _: account.upload(another), range(6)))
    assert statuses == [201, 409, 409, 409, 409, 409]


def test_users_of_an_app_learn_nothing_of_one_another(api: Api) -> None:
    """All of them are of one account, whose policy holds for each by itself."""
    one, other = api.app_user("dedup-one"), api.app_user("dedup-other")
    data = fresh()
    assert one.upload(data).status == 201
    answer = api.with_keys(ROOT).patch("/api/admin/v1/accounts/app", json={"duplicates": "refuse"})
    assert answer.status == 200, answer.body
    try:
        assert other.upload(data).status == 201
        assert one.upload(data).status == 409
    finally:
        api.with_keys(ROOT).patch("/api/admin/v1/accounts/app", json={"duplicates": "keep"})
