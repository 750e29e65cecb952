"""Shared links: made by the owner, opened by anybody, ended by time or by hand."""

from __future__ import annotations

import io
import secrets
import time

import pytest
from PIL import Image

from tests.functional.api.client import Api
from tests.functional.api.pictures import eventually, uploaded
from tests.images import jpeg_oriented
from tests.services import ROOT


@pytest.fixture(scope="module")
def alice(api: Api) -> Api:
    return api.app_user()


@pytest.fixture
def image_id(alice: Api) -> str:
    return str(uploaded(alice, jpeg_oriented(6, (80, 60)), visibility="private")["id"])


def test_a_link_shows_the_image_to_anybody_and_nothing_of_the_camera(api: Api, alice: Api, image_id: str) -> None:
    made = alice.post(f"images/{image_id}/share", json={})
    assert made.status == 201
    link = made.json
    assert set(link) == {"id", "image_id", "created_at", "expires_at", "token", "url", "image_url"}
    assert link["expires_at"] is not None, "a week, where nothing is said"
    shown = api.get(link["url"])
    assert shown.status == 200
    assert shown.json["id"] == image_id
    assert not {"metadata", "upload_ip", "job_id", "delete_token"} & set(shown.json)
    picture = api.get(shown.json["url"])
    assert picture.status == 200
    assert picture.picture.size == (80, 60)
    assert not picture.picture.getexif()
    assert Image.open(io.BytesIO(alice.get(f"images/{image_id}/file").body)).getexif()
    assert picture.headers["x-content-type-options"] == "nosniff"
    assert picture.headers["content-security-policy"].startswith("sandbox")
    thumbnail = api.get(shown.json["thumbnails"]["150"])
    assert (thumbnail.status, thumbnail.headers["content-type"]) == (200, "image/jpeg")
    assert api.get(f"{link['url']}/image", query={"size": "huge"}).code == "INVALID_REQUEST"
    # It opens this image, and in these ways only.
    assert api.get(f"images/{image_id}").code == "UNAUTHORIZED"
    assert api.get(f"/img/{image_id}?variant=medium&share={link['token']}").status == 200
    assert api.get(f"/img/{image_id}?w=300&share={link['token']}").status == 200
    assert api.get(f"/img/{image_id}?w=301&share={link['token']}").status == 403
    assert api.get(f"/img/{image_id}?variant=medium").status == 403
    other = uploaded(alice, visibility="private")["id"]
    assert api.get(f"/img/{other}?variant=medium&share={link['token']}").status == 403


def test_what_a_link_shows_is_asked_for_anew_each_time(api: Api, alice: Api, image_id: str) -> None:
    """Else a browser would go on to show it when the link has ended or was revoked."""
    token = alice.post(f"images/{image_id}/share", json={"expires_in": 3600}).json["token"]
    address = f"/img/{image_id}?variant=medium&share={token}"
    places = [
        f"shares/{token}/image",
        address,
        f"/img/{image_id}?w=300&share={token}",
        f"/img/{image_id}/info?share={token}",
    ]
    for place in places:
        shown = api.get(place)
        assert (shown.status, shown.headers["cache-control"]) == (200, "private, no-cache"), place
        again = api.get(place, headers={"If-None-Match": shown.headers["etag"]})
        assert (again.status, again.headers["cache-control"]) == (304, "private, no-cache"), place
    alice.patch(f"images/{image_id}", json={"visibility": "unlisted"})
    assert api.get(address).headers["cache-control"].startswith("public, max-age="), "anybody may have it"
    alice.patch(f"images/{image_id}", json={"visibility": "private"})
    alice.delete(f"images/{image_id}/share")
    assert api.get(address, headers={"If-None-Match": shown.headers["etag"]}).status == 403


def test_links_are_listed_and_revoked(api: Api, alice: Api, image_id: str) -> None:
    first, second, third = (alice.post(f"images/{image_id}/share", json={"expires_in": 0}).json for _ in range(3))
    assert first["expires_at"] is None
    listed = alice.get(f"images/{image_id}/share").json["shares"]
    assert {one["id"] for one in listed} == {first["id"], second["id"], third["id"]}
    assert all(set(one) == {"id", "image_id", "created_at", "expires_at"} for one in listed), "tokens are told once"
    assert alice.delete(f"images/{image_id}/share/{first['id']}").status == 204
    for path in (first["url"], first["image_url"]):
        assert api.get(path).code == "NOT_FOUND"
    assert api.get(f"/img/{image_id}?variant=medium&share={first['token']}").status == 403
    assert api.get(second["url"]).status == 200
    assert alice.delete(f"images/{image_id}/share/{first['id']}").code == "NOT_FOUND"
    assert alice.delete(f"images/{image_id}/share").status == 204
    assert api.get(second["url"]).code == api.get(third["url"]).code == "NOT_FOUND"
    assert alice.get(f"images/{image_id}/share").json == {"shares": []}


@pytest.mark.parametrize("body", [{"expires": 60}, {"expires_in": True}, {"expires_in": "60"}, {"expires_in": -1}])
def test_a_mistaken_end_makes_no_link(alice: Api, image_id: str, body: dict[str, object]) -> None:
    before = alice.get(f"images/{image_id}/share").json
    assert alice.post(f"images/{image_id}/share", json=body).code == "VALIDATION_ERROR"
    assert alice.get(f"images/{image_id}/share").json == before


def test_links_expire(api: Api, alice: Api, image_id: str) -> None:
    began = time.monotonic()
    link = alice.post(f"images/{image_id}/share", json={"expires_in": 2}).json
    assert api.get(link["url"]).status == 200 or time.monotonic() - began > 1
    assert eventually(lambda: api.get(link["url"]), 404).code == "NOT_FOUND"
    assert api.get(link["image_url"]).code == "NOT_FOUND"
    assert alice.get(f"images/{image_id}/share").json == {"shares": []}


def test_only_the_owner_makes_and_sees_links(api: Api, alice: Api, image_id: str) -> None:
    bob = api.app_user()
    link = alice.post(f"images/{image_id}/share", json={}).json
    public = uploaded(alice, visibility="public")["id"]
    for path in (f"images/{image_id}/share", f"images/{public}/share"):
        for who, code in ((api, "UNAUTHORIZED"), (bob, "FORBIDDEN")):
            assert who.post(path, json={}).code == code
            assert who.get(path).code == code
            assert who.delete(path).code == code
    assert bob.delete(f"images/{image_id}/share/{link['id']}").code == "FORBIDDEN"
    assert alice.delete(f"images/{public}/share/{link['id']}").code == "NOT_FOUND", "it is another image's"
    assert api.get(link["url"]).status == 200


def test_a_link_ends_while_who_made_it_is_switched_off(api: Api) -> None:
    admin, carol = api.with_keys(ROOT), api.app_user(f"carol-{secrets.token_hex(4)}")
    image_id = uploaded(carol, visibility="private")["id"]
    link = carol.post(f"images/{image_id}/share", json={}).json
    places = (link["url"], link["image_url"], f"/img/{image_id}?variant=medium&share={link['token']}")
    assert [api.get(place).status for place in places] == [200, 200, 200]
    user = carol.get("auth/me").json["id"]
    for enabled, statuses in ((False, [404, 404, 403]), (True, [200, 200, 200])):
        assert admin.patch(f"/api/admin/v1/users/{user}", json={"enabled": enabled}).status == 200
        assert [api.get(place).status for place in places] == statuses


def test_a_link_ends_with_its_image(api: Api, alice: Api, image_id: str) -> None:
    link = alice.post(f"images/{image_id}/share", json={}).json
    assert alice.delete(f"images/{image_id}").status == 204
    assert api.get(link["url"]).code == api.get(link["image_url"]).code == "NOT_FOUND"


@pytest.mark.parametrize("body", [{"expires_in": -1}, {"expires_in": "soon"}, {"expires_in": 1 << 60}])
def test_times_that_make_no_sense(alice: Api, image_id: str, body: dict[str, object]) -> None:
    assert alice.post(f"images/{image_id}/share", json=body).code == "VALIDATION_ERROR"


@pytest.mark.parametrize("token", ["nonsense", "A" * 43, "%00", "a%2Fb"])
def test_what_is_no_link_is_not_found(api: Api, token: str) -> None:
    assert api.get(f"shares/{token}").code == "NOT_FOUND"
    assert api.get(f"shares/{token}/image").code == "NOT_FOUND"


def test_of_a_link_only_a_hash_is_kept(alice: Api, api: Api, image_id: str) -> None:
    link = alice.post(f"images/{image_id}/share", json={}).json
    assert api.get(link["url"]).status == 200
    written = [api.server.log, *api.server.data.glob("pixgate.sqlite*")]
    assert all(link["token"].encode() not in path.read_bytes() for path in written)
