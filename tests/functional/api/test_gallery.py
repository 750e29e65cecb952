"""Lists of images: who finds what, in which order, page by page."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from tests.functional.api.client import Answer, Api
from tests.functional.api.pictures import uploaded
from tests.images import jpeg, png
from tests.services import pixgate


def ids(answer: Answer) -> list[str]:
    assert answer.status == 200, answer.body
    return [one["id"] for one in answer.json["images"]]


def walked(api: Api, path: str, **query: Any) -> list[str]:
    """All pages."""
    found: list[str] = []
    cursor: str | None = None
    for _ in range(200):
        answer = api.get(path, query=query | ({} if cursor is None else {"cursor": cursor}))
        found += ids(answer)
        cursor = answer.json["next_cursor"]
        if cursor is None:
            return found
    raise AssertionError("the pages have no end")


@pytest.fixture(scope="module")
def tag() -> str:
    return f"tag-{secrets.token_hex(4)}"


@pytest.fixture(scope="module")
def owner(api: Api) -> Api:
    return api.as_user(api.register())


@pytest.fixture(scope="module")
def shown(owner: Api, tag: str) -> list[dict[str, Any]]:
    """Five public images of growing size, the newest last, all with a tag."""
    made = []
    for number in range(5):
        data = png((40 + 40 * number, 40), seed=number) if number % 2 else jpeg((100 + 100 * number, 100), seed=number)
        image = uploaded(owner, data, visibility="public")
        assert owner.patch(f"images/{image['id']}", json={"tags": [tag, f"{tag}-{number % 2}"]}).status == 200
        made.append(owner.get(f"images/{image['id']}").json)
    return made


def test_the_gallery_is_for_everybody_page_by_page(api: Api, shown: list[dict[str, Any]], tag: str) -> None:
    newest = [image["id"] for image in reversed(shown)]
    assert ids(api.get("images", query={"tag": tag})) == newest
    for limit in (1, 2, 5):
        assert walked(api, "images", tag=tag, limit=limit) == newest
    assert walked(api, "images", tag=tag, limit=2, order="asc") == newest[::-1]
    by_size = [image["id"] for image in sorted(shown, key=lambda image: (image["file_size"], image["id"]))]
    assert walked(api, "images", tag=tag, limit=2, sort="size", order="asc") == by_size
    assert walked(api, "images", tag=tag, limit=2, sort="size") == by_size[::-1]
    assert newest[0] in walked(api, "images", limit=100), "without a filter, too"


def test_filters(api: Api, owner: Api, shown: list[dict[str, Any]], tag: str) -> None:
    def found(**query: str) -> set[str]:
        return set(walked(api, "images", **({"tag": tag} | query)))

    def those(fits: Any) -> set[str]:
        return {image["id"] for image in shown if fits(image)}

    assert found(tag=f"{tag}-1") == {shown[1]["id"], shown[3]["id"]}
    assert found(content_type="image/png") == those(lambda image: image["content_type"] == "image/png")
    middle = sorted(image["file_size"] for image in shown)[2]
    assert found(min_size=str(middle)) == those(lambda image: image["file_size"] >= middle)
    assert found(max_size=str(middle), sort="size") == those(lambda image: image["file_size"] <= middle)
    assert found(min_width="150") == those(lambda image: image["width"] >= 150)
    moment = shown[2]["created_at"]
    assert found(created_after=moment) == {image["id"] for image in shown[2:]}
    assert found(created_before=moment) == {image["id"] for image in shown[:2]}
    assert found(created_before=moment, sort="size") == {image["id"] for image in shown[:2]}
    me = owner.get("auth/me").json
    assert found(owner=str(me["id"])) == those(lambda _: True)
    assert found(owner=me["account"]) == those(lambda _: True)
    assert found(owner="nobody-of-that-name") == set()


@pytest.mark.parametrize("visibility", ["unlisted", "private"])
def test_only_public_images_are_listed(api: Api, owner: Api, visibility: str) -> None:
    name = f"only-{secrets.token_hex(4)}"
    image_id = uploaded(owner, visibility="public")["id"]
    assert owner.patch(f"images/{image_id}", json={"tags": [name]}).status == 200
    assert ids(api.get("images", query={"tag": name})) == [image_id]
    assert owner.patch(f"images/{image_id}", json={"visibility": visibility}).status == 200
    assert ids(api.get("images", query={"tag": name})) == []
    assert ids(owner.get("images", query={"tag": name})) == [], "the gallery is the same for its owner"
    assert ids(owner.get("users/me/images", query={"tag": name})) == [image_id]
    assert ids(owner.get("users/me/images", query={"tag": name, "visibility": visibility})) == [image_id]
    assert ids(owner.get("users/me/images", query={"tag": name, "visibility": "public"})) == []


def test_ones_own_images(api: Api) -> None:
    """Users of an app see what they uploaded; who has an account sees all of it."""
    ann, bob = api.app_user(), api.app_user()
    hers = [uploaded(ann, visibility="private")["id"] for _ in range(3)]
    his = uploaded(bob)["id"]
    assert walked(ann, "users/me/images", limit=2) == hers[::-1]
    assert set(walked(ann, "users/me/images", limit=2, sort="size")) == set(hers)
    assert walked(bob, "users/me/images") == [his]
    account = api.with_keys(api.server.keys("app"))
    assert {*hers, his} <= set(walked(account, "users/me/images", limit=100))
    assert api.get("users/me/images").code == "UNAUTHORIZED"


def test_deleted_images_are_listed_no_more(api: Api, tag: str) -> None:
    someone = api.app_user()
    name = f"gone-{secrets.token_hex(4)}"
    image_id = uploaded(someone, visibility="public")["id"]
    assert someone.patch(f"images/{image_id}", json={"tags": [name]}).status == 200
    assert ids(api.get("images", query={"tag": name})) == [image_id]
    assert someone.delete(f"images/{image_id}").status == 204
    assert ids(api.get("images", query={"tag": name})) == []
    assert walked(someone, "users/me/images") == []


def test_images_of_a_disabled_account_are_shown_to_nobody(api: Api) -> None:
    owner = api.as_user(api.register())
    name = f"off-{secrets.token_hex(4)}"
    image_id = uploaded(owner, visibility="public")["id"]
    assert owner.patch(f"images/{image_id}", json={"tags": [name]}).status == 200
    account = owner.get("auth/me").json["account"]
    assert ids(api.get("images", query={"tag": name})) == [image_id]
    pixgate("accounts", "disable", account, data=api.server.data)
    assert ids(api.get("images", query={"tag": name})) == []
    assert api.get(f"images/{image_id}").code == "UNAUTHORIZED"
    assert api.get(f"/img/{image_id}?variant=thumbnail").status == 403
    pixgate("accounts", "enable", account, data=api.server.data)
    assert ids(api.get("images", query={"tag": name})) == [image_id]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"limit": "0"}, 422),
        ({"limit": "101"}, 422),
        ({"sort": "name"}, 422),
        ({"order": "up"}, 422),
        ({"min_size": "x"}, 422),
        ({"min_size": str(1 << 70)}, 422),
        ({"created_after": "yesterday"}, 422),
        ({"cursor": "nonsense"}, 400),
        ({"cursor": "WyJjcmVhdGVkLWRlc2MiLDEsMl0"}, 400),
        ({"cursor": "é"}, 400),
        ({"created_after": "0001-01-01T00:00:00Z"}, 200),
        ({"created_before": "9999-12-31T23:59:59Z", "limit": "1"}, 200),
    ],
)
def test_what_makes_no_sense_is_refused(api: Api, query: dict[str, str], status: int) -> None:
    assert api.get("images", query=query).status == status


def test_a_cursor_is_of_one_order(api: Api, shown: list[dict[str, Any]], tag: str) -> None:
    cursor = api.get("images", query={"tag": tag, "limit": "1"}).json["next_cursor"]
    assert cursor is not None
    answer = api.get("images", query={"tag": tag, "limit": "1", "sort": "size", "cursor": cursor})
    assert (answer.status, answer.code) == (400, "INVALID_REQUEST")
    assert len(shown) == 5
