"""Changing and deleting images, and who may."""

from __future__ import annotations

import pytest

from tests import images
from tests.functional.api.client import Api
from tests.services import ROOT, Server

JPEG = images.jpeg((120, 90))


@pytest.fixture(scope="module")
def ann(api: Api) -> Api:
    return api.as_user(api.register())


def test_a_deleted_image_is_gone_on_every_door(ann: Api, api: Api, api_server: Server) -> None:
    root = api.with_keys(ROOT)
    image_id = root.upload(JPEG, bucket="deleted-from").json["image_id"]
    client = api_server.client()
    key = f"{image_id}/photo.jpg"
    assert client.head_object(Bucket="deleted-from", Key=key)
    answer = root.delete(f"images/{image_id}")
    assert (answer.status, answer.body) == (204, b"")
    assert "Contents" not in client.list_objects_v2(Bucket="deleted-from")
    for path in (f"images/{image_id}", f"images/{image_id}/file", f"/img/{image_id}?w=50"):
        assert root.get(path).status == 404, path
    answer = root.delete(f"images/{image_id}")
    assert (answer.status, answer.code) == (404, "IMAGE_NOT_FOUND")


def test_what_s3_deletes_is_gone_for_apps(ann: Api, api: Api, api_server: Server) -> None:
    root = api.with_keys(ROOT)
    image_id = root.upload(JPEG, bucket="deleted-from").json["image_id"]
    api_server.client().delete_object(Bucket="deleted-from", Key=f"{image_id}/photo.jpg")
    assert root.get(f"images/{image_id}").code == "IMAGE_NOT_FOUND"
    assert root.patch(f"images/{image_id}", json={"tags": ["a"]}).code == "IMAGE_NOT_FOUND"
    assert root.delete(f"images/{image_id}").code == "IMAGE_NOT_FOUND"


def test_deleting_in_a_bucket_with_versions_takes_that_version_for_good(api: Api, api_server: Server) -> None:
    root, client = api.with_keys(ROOT), api_server.client()
    client.create_bucket(Bucket="versioned-images")
    client.put_bucket_versioning(Bucket="versioned-images", VersioningConfiguration={"Status": "Enabled"})
    image_id = root.upload(JPEG, bucket="versioned-images").json["image_id"]
    key = f"{image_id}/photo.jpg"
    client.put_object(Bucket="versioned-images", Key=key, Body=b"another one")
    assert root.delete(f"images/{image_id}").status == 204
    listed = client.list_object_versions(Bucket="versioned-images")
    assert [version["Size"] for version in listed["Versions"]] == [len(b"another one")]
    assert "DeleteMarkers" not in listed


def test_what_took_the_place_of_an_image_is_not_deleted(api: Api, api_server: Server) -> None:
    root, client = api.with_keys(ROOT), api_server.client()
    image_id = root.upload(JPEG, bucket="replaced-images").json["image_id"]
    key = f"{image_id}/photo.jpg"
    client.put_object(Bucket="replaced-images", Key=key, Body=b"another one")
    assert root.delete(f"images/{image_id}").status == 404
    with client.get_object(Bucket="replaced-images", Key=key)["Body"] as body:
        assert body.read() == b"another one"


def test_who_may_delete(ann: Api, api: Api) -> None:
    stranger, app_user = api.as_user(api.register()), api.app_user("deleting")
    image_id = ann.upload(JPEG).json["id"]
    assert (api.delete(f"images/{image_id}").status, api.delete(f"images/{image_id}").code) == (401, "UNAUTHORIZED")
    for who in (stranger, app_user):
        answer = who.delete(f"images/{image_id}")
        assert (answer.status, answer.code) == (403, "FORBIDDEN")
    answer = api.delete(f"images/{image_id}", query={"delete_token": "guessed"})
    assert (answer.status, answer.code) == (403, "INVALID_DELETE_TOKEN")
    assert ann.get(f"images/{image_id}").status == 200
    assert api.with_keys(ROOT).delete(f"images/{image_id}").status == 204


def test_users_of_one_app_do_not_delete_each_others(api: Api) -> None:
    one, other = api.app_user("one-of-app"), api.app_user("other-of-app")
    image_id = one.upload(JPEG).json["id"]
    assert other.delete(f"images/{image_id}").code == "FORBIDDEN"
    assert other.patch(f"images/{image_id}", json={"tags": []}).code == "FORBIDDEN"
    assert one.delete(f"images/{image_id}").status == 204


def test_ids_that_are_none_are_not_found(ann: Api) -> None:
    for image_id in ("I" + "A" * 26, "nonsense", "I" + "a" * 26, "%00", "%F0%9F%98%80"):
        assert ann.delete(f"images/{image_id}").status == 404
        assert ann.patch(f"images/{image_id}", json={}).status == 404


# Changing


def test_a_change_says_what_holds_then(ann: Api, api: Api) -> None:
    made = ann.upload(JPEG, metadata='{"a": 1}').json
    path = f"images/{made['id']}"
    changed = ann.patch(path, json={"visibility": "private", "tags": ["cat", " dog ", "cat"]})
    assert changed.status == 200
    assert (changed.json["visibility"], changed.json["tags"]) == ("private", ["cat", "dog"])
    assert changed.json["metadata"] == {"a": 1}
    assert changed.json["updated_at"] > made["updated_at"]
    assert ann.get(path).json["visibility"] == "private"
    assert api.get(path).status in (401, 403, 404)
    assert ann.patch(path, json={"metadata": {"b": [True]}}).json["metadata"] == {"b": [True]}
    assert ann.patch(path, json={"metadata": None}).json["metadata"] is None
    assert ann.patch(path, json={"tags": []}).json["tags"] == []
    assert ann.patch(path, json={}).json["visibility"] == "private"
    assert ann.patch(path, json={"visibility": "public"}).status == 200
    assert api.get(path).status == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"visibility": "secret"}',
        b'{"vizibility": "public"}',
        b'{"metadata": 1}',
        b'{"metadata": {"a": NaN}}',
        b'{"metadata": {"a": "' + b"x" * 16_384 + b'"}}',
        b'{"tags": "cat"}',
        b'{"tags": [1]}',
        b'{"tags": [""]}',
        b'{"tags": ["a\\nb"]}',
        b'{"tags": ["' + b"x" * 65 + b'"]}',
        b'{"tags": [' + b'"a",' * 50 + b'"a"]}',
    ],
    ids=range(13),
)
def test_changes_that_mean_nothing_are_refused(ann: Api, body: bytes) -> None:
    image_id = "I" + "A" * 26
    answer = ann.ask("PATCH", f"images/{image_id}", body=body, headers={"Content-Type": "application/json"})
    assert (answer.status, answer.code) == (422, "VALIDATION_ERROR")


def test_who_may_change(ann: Api, api: Api) -> None:
    image_id = ann.upload(JPEG).json["id"]
    assert api.patch(f"images/{image_id}", json={"tags": ["a"]}).status == 401
    assert api.as_user(api.register()).patch(f"images/{image_id}", json={"tags": ["a"]}).code == "FORBIDDEN"
    assert api.with_keys(ROOT).patch(f"images/{image_id}", json={"tags": ["a"]}).json["tags"] == ["a"]


def test_an_image_that_came_by_s3_can_be_changed(api: Api, api_server: Server) -> None:
    client, root = api_server.client(), api.with_keys(ROOT)
    client.create_bucket(Bucket="came-by-s3")
    answer = client.put_object(Bucket="came-by-s3", Key="a/b.jpg", Body=JPEG)
    image_id = answer["ResponseMetadata"]["HTTPHeaders"]["x-pixgate-image-id"]
    assert api.get(f"images/{image_id}").status != 200
    changed = root.patch(f"images/{image_id}", json={"visibility": "public", "tags": ["s3"]})
    assert (changed.status, changed.json["filename"]) == (200, "b.jpg")
    assert api.get(f"images/{image_id}").json["tags"] == ["s3"]
    assert root.delete(f"images/{image_id}").status == 204
    assert "Contents" not in client.list_objects_v2(Bucket="came-by-s3")
