"""From a report to a moderator's decision, on every door that shows the image."""

from __future__ import annotations

import json
import secrets

import pytest

from tests.functional.api.client import Api
from tests.images import jpeg
from tests.services import ROOT, pixgate

QUEUE = "/api/admin/v1/moderation"


@pytest.fixture(scope="module")
def admin(api: Api) -> Api:
    return api.with_keys(ROOT)


@pytest.fixture
def image(api: Api) -> str:
    """A public image of one of an app's users."""
    made = api.app_user("painter").upload(jpeg((64, 48), seed=secrets.randbelow(1 << 30)))
    assert made.status == 201, made.body
    return str(made.json["id"])


def queued(admin: Api, image: str, state: str = "reported") -> list[dict[str, object]]:
    found, query = [], {"state": state, "limit": "1000"}
    while True:
        page = admin.get(QUEUE, query=query).json
        found += [one for one in page["items"] if one["id"] == image]
        if page["next"] is None:
            return found
        query["cursor"] = page["next"]


def test_a_report_puts_an_image_into_the_queue_once(api: Api, admin: Api, image: str) -> None:
    assert queued(admin, image) == []
    assert api.post(f"images/{image}/report", json={"reason": "spam"}).code == "UNAUTHORIZED"
    for _ in range(2):
        assert api.app_user("reader").post(f"images/{image}/report", json={"reason": "spam"}).status == 202
    api.app_user("other").post(f"images/{image}/report", json={"reason": "not a photo"})
    (found,) = queued(admin, image)
    assert (found["reports"], found["reason"], found["moderation"]) == (2, "not a photo", "reported")
    assert api.get(f"images/{image}").status == 200, "a report alone hides nothing"


def test_hidden_is_hidden_on_every_door_but_for_owner_and_moderators(api: Api, admin: Api, image: str) -> None:
    reader, owner = api.app_user("reader"), api.app_user("painter")
    assert reader.get(f"images/{image}/file").status == 200
    assert api.server.fetch(f"/img/{image}?w=150")[0] == 200
    assert admin.post(f"{QUEUE}/{image}/hide").json == {"id": image, "moderation": "hidden"}
    for path in ("", "/file", "/thumbnail", "/direct", "/all"):
        assert reader.get(f"images/{image}{path}").status == 403, path
        assert api.get(f"images/{image}{path}").status == 401, path
    assert api.server.fetch(f"/img/{image}?w=150")[0] == 403
    assert reader.post(f"images/{image}/report", json={"reason": "r"}).code == "FORBIDDEN"
    assert all(one["id"] != image for one in api.get("images", query={"limit": "100"}).json["images"])
    assert owner.get(f"images/{image}/file").status == 200
    assert admin.get(f"images/{image}/file").status == 200
    (found,) = queued(admin, image, "hidden")
    assert admin.get(str(found["url"])).status == 200, "the queue says where a moderator sees it"
    pixgate("moderation", "approve", image, data=api.server.data)
    assert api.get(f"images/{image}/file").status == 200
    assert api.server.fetch(f"/img/{image}?w=150")[0] == 200
    listed = pixgate("moderation", "list", "--state", "approved", "--json", data=api.server.data)
    assert image in [one["id"] for one in json.loads(listed.stdout)]


def test_what_came_by_s3_is_hidden_before_anybody_reports_it(api: Api, admin: Api) -> None:
    client = api.server.client()
    client.create_bucket(Bucket="unlooked")
    pixgate("buckets", "set", "unlooked", "--images", "public", data=api.server.data)
    client.put_object(Bucket="unlooked", Key="s3.jpg", Body=jpeg((64, 48), seed=5))
    answer = client.head_object(Bucket="unlooked", Key="s3.jpg")["ResponseMetadata"]["HTTPHeaders"]
    image = answer["x-pixgate-image-id"]
    addresses = [f"/img/{image}?w=150", "/img/unlooked/s3.jpg?w=150"]
    assert [api.get(address).status for address in addresses] == [200, 200]
    assert admin.post(f"{QUEUE}/{image}/hide").json == {"id": image, "moderation": "hidden"}
    assert [api.get(address).status for address in addresses] == [403, 403]
    assert len(queued(admin, image, "hidden")) == 1
    pixgate("moderation", "approve", image, data=api.server.data)
    assert [api.get(address).status for address in addresses] == [200, 200]


def test_what_is_not_there_cannot_be_decided(api: Api, admin: Api) -> None:
    nothing = "I" + "A" * 26
    assert admin.post(f"{QUEUE}/{nothing}/hide").code == "IMAGE_NOT_FOUND"
    assert admin.post(f"{QUEUE}/{nothing}/approve").code == "IMAGE_NOT_FOUND"
    assert api.app_user("reader").post(f"images/{nothing}/report", json={"reason": "r"}).code == "IMAGE_NOT_FOUND"
    assert admin.get(QUEUE, query={"state": "none"}).code == "VALIDATION_ERROR"
