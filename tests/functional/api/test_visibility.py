"""Who sees an image of which visibility through which door: the whole matrix."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote

import pytest

from conformance.target import Keys
from signing.sigv4.sign import Credentials, presign
from tests.functional.api.client import Answer, Api
from tests.functional.api.pictures import processed, uploaded
from tests.images import jpeg
from tests.services import ROOT, pixgate

PICTURE = jpeg((200, 133), seed=3)
VISIBILITIES = ("public", "unlisted", "private")


@dataclass(frozen=True, slots=True)
class Subject:
    """An image of each visibility, whose uploader is one of an app's users; by visibility: id, bucket and key."""

    ids: Mapping[str, str]
    places: Mapping[str, tuple[str, str]]
    shares: Mapping[str, str]


@pytest.fixture(scope="module")
def uploader(api: Api) -> Api:
    return api.app_user()


@pytest.fixture(scope="module")
def subject(api: Api, uploader: Api) -> Subject:
    ids = {name: str(uploaded(uploader, visibility=name)["id"]) for name in VISIBILITIES}
    for image_id in ids.values():
        processed(uploader, image_id)
    client = api.server.client(api.server.keys("app"))
    keys = {
        entry["Key"].partition("/")[0]: (bucket["Name"], entry["Key"])
        for bucket in client.list_buckets()["Buckets"]
        for entry in client.list_objects_v2(Bucket=bucket["Name"]).get("Contents", [])
    }
    shares = {
        name: str(uploader.post(f"images/{image_id}/share", json={}).json["token"]) for name, image_id in ids.items()
    }
    return Subject(ids, {name: keys[image_id] for name, image_id in ids.items()}, shares)


@pytest.fixture(scope="module")
def people(api: Api, uploader: Api) -> Mapping[str, Api]:
    moderator = api.register()
    pixgate("users", "set-role", moderator.email, "moderator", data=api.server.data)
    return {
        "nobody": api,
        "the uploader": uploader,
        "another of the app's users": api.app_user(),
        "the app's key": api.with_keys(api.server.keys("app")),
        "another account": api.as_user(api.register()),
        "another account's key": api.with_keys(api.server.keys("somebody-else")),
        "root": api.with_keys(ROOT),
        "a moderator": api.as_user(moderator),
    }


SEES_PRIVATE = {"the uploader", "the app's key", "root", "a moderator"}


def in_batch(api: Api, image_id: str) -> Answer:
    """What the batch says of the image, as a status."""
    answer = api.get("images/batch", query={"image_ids": image_id})
    assert answer.status == 200
    statuses = {"UNAUTHORIZED": 401, "FORBIDDEN": 403}
    failed = answer.json["failed"]
    return Answer(statuses[failed[0]["code"]] if failed else 200, answer.headers, answer.body)


API_DOORS: Mapping[str, Callable[[Api, str], Answer]] = {
    "metadata": lambda api, image_id: api.get(f"images/{image_id}"),
    "file": lambda api, image_id: api.get(f"images/{image_id}/file"),
    "thumbnail": lambda api, image_id: api.get(f"images/{image_id}/thumbnail"),
    "all": lambda api, image_id: api.get(f"images/{image_id}/all"),
    "direct": lambda api, image_id: api.get(f"images/{image_id}/direct?size=medium"),
    "batch": in_batch,
}
IMG_DOORS = {
    "a variant": "variant=medium",
    "variant original": "variant=original",
    "the ladder": "w=300&f=webp",
}


@pytest.mark.parametrize("visibility", VISIBILITIES)
@pytest.mark.parametrize("door", API_DOORS)
def test_the_api(people: Mapping[str, Api], subject: Subject, visibility: str, door: str) -> None:
    for name, who in people.items():
        status = API_DOORS[door](who, subject.ids[visibility]).status
        if visibility != "private" or name in SEES_PRIVATE:
            assert status == 200, name
        else:
            assert status == (401 if name == "nobody" else 403), name


@pytest.mark.parametrize("visibility", VISIBILITIES)
@pytest.mark.parametrize("door", IMG_DOORS)
@pytest.mark.parametrize("by_key", [False, True], ids=["by id", "by key"])
def test_the_transform_door(
    people: Mapping[str, Api], subject: Subject, visibility: str, door: str, by_key: bool
) -> None:
    bucket, key = subject.places[visibility]
    address = f"/img/{bucket}/{key}" if by_key else f"/img/{subject.ids[visibility]}"
    for name, who in people.items():
        answer = who.get(f"{address}?{IMG_DOORS[door]}")
        if visibility != "private" or name in SEES_PRIVATE:
            assert answer.status == 200, name
            own = name in SEES_PRIVATE
            assert answer.headers["cache-control"].startswith("private" if own else "public"), name
        elif name == "nobody" or by_key:
            assert answer.status == 403, name
        else:
            assert answer.status == 404, f"{name}: whose an id is, nobody learns"


@pytest.mark.parametrize("visibility", VISIBILITIES)
def test_what_strangers_may_not_have_of_any_image(people: Mapping[str, Api], subject: Subject, visibility: str) -> None:
    """Renditions that are not countable, and the stored bytes."""
    address = f"/img/{subject.ids[visibility]}"
    for query in ("w=301", "raw=1", "variant=medium&blur=3", ""):
        assert people["nobody"].get(f"{address}?{query}").status in (400, 403), query
        assert people["another account"].get(f"{address}?{query}").status in (400, 403, 404), query
    assert people["the uploader"].get(f"{address}?w=301").status == 200


@pytest.mark.parametrize("visibility", VISIBILITIES)
def test_a_shared_link_opens_its_image_whatever_its_visibility(
    people: Mapping[str, Api], subject: Subject, visibility: str
) -> None:
    token = subject.shares[visibility]
    for name, who in people.items():
        if who.keys is None:
            assert who.get(f"shares/{token}").status == 200, name
            assert who.get(f"shares/{token}/image?size=medium").status == 200, name
        elif name != "nobody":
            # Credentials are not even looked at.
            assert who.get(f"shares/{token}").status == 200, name
    nobody = people["nobody"]
    assert nobody.get(f"/img/{subject.ids[visibility]}?variant=large&share={token}").status == 200
    others = [name for name in VISIBILITIES if name != visibility]
    if "private" in others:
        assert nobody.get(f"/img/{subject.ids['private']}?variant=large&share={token}").status == 403


def test_a_change_of_visibility_is_seen_at_once(api: Api, uploader: Api) -> None:
    image_id = uploaded(uploader, visibility="private")["id"]
    for visibility, status in (("public", 200), ("private", 403), ("unlisted", 200), ("private", 403)) * 2:
        assert uploader.patch(f"images/{image_id}", json={"visibility": visibility}).status == 200
        for _ in range(3):
            assert api.get(f"/img/{image_id}?variant=thumbnail").status == status
            assert api.get(f"images/{image_id}").status == (200 if status == 200 else 401)


def test_the_row_of_an_image_counts_more_than_its_open_bucket(api: Api) -> None:
    """A private image in a bucket whose images everybody may see, among objects that apps know nothing of."""
    owner = api.with_keys(ROOT)
    client = api.server.client()
    client.create_bucket(Bucket="open-house")
    pixgate("buckets", "set", "open-house", "--images", "public", data=api.server.data)
    private = owner.upload(PICTURE, bucket="open-house", visibility="private")
    assert private.status == 202, private.body
    image_id = private.json["image_id"]
    key = next(
        entry["Key"]
        for entry in client.list_objects_v2(Bucket="open-house")["Contents"]
        if entry["Key"].startswith(image_id)
    )
    client.put_object(Bucket="open-house", Key="plain.jpg", Body=PICTURE)
    assert api.get("/img/open-house/plain.jpg?w=300").status == 200
    for address in (f"/img/open-house/{key}", f"/img/{image_id}"):
        assert api.get(f"{address}?w=300").status == 403
        assert owner.get(f"{address}?w=300").status == 200
    assert api.get("/img/open-house/nothing.jpg?w=300").status == 404
    # What is put over it is another image, and the bucket's rule holds again.
    client.put_object(Bucket="open-house", Key=key, Body=PICTURE)
    assert api.get(f"/img/open-house/{key}?w=300").status == 200


def presigned(api: Api, keys: Keys, path: str, query: str) -> str:
    """An address that opens what the keys do, for an hour, in anybody's hands."""
    url = f"{api.server.url}{path}?{query}".rstrip("?")
    credentials = Credentials(keys.access_key, keys.secret_key)
    signed = presign(credentials, method="GET", url=url, now=time.time(), region="us-east-1", expires=3600)
    return signed.removeprefix(api.server.url)


def test_what_a_moderator_hides_is_hidden_from_links_too(api: Api, uploader: Api) -> None:
    image_id = uploaded(uploader, visibility="public")["id"]
    processed(uploader, image_id)
    token = uploader.post(f"images/{image_id}/share", json={}).json["token"]
    direct = uploader.get(f"images/{image_id}/direct?size=medium&redirect=1").headers["location"]
    addresses = (f"/img/{image_id}?variant=medium", f"images/{image_id}", f"shares/{token}", f"shares/{token}/image")
    assert [api.get(address).status for address in (*addresses, direct)] == [200] * 5
    keys = api.server.keys("app")
    client = api.server.client(keys)
    bucket, key = next(
        (bucket["Name"], entry["Key"])
        for bucket in client.list_buckets()["Buckets"]
        for entry in client.list_objects_v2(Bucket=bucket["Name"], Prefix=image_id).get("Contents", [])
    )
    by_id, by_key, metadata, file, batch = (
        presigned(api, keys, path, query)
        for path, query in (
            (f"/img/{image_id}", "w=77"),
            (f"/img/{bucket}/{key}", "w=77"),
            (f"/api/v1/images/{image_id}", ""),
            (f"/api/v1/images/{image_id}/file", ""),
            ("/api/v1/images/batch", f"image_ids={image_id}"),
        )
    )
    assert [api.get(url).status for url in (by_id, by_key, metadata, file)] == [200] * 4
    assert api.get(batch).json["failed"] == []
    pixgate("moderation", "hide", image_id, data=api.server.data)
    assert [api.get(url).status for url in (by_id, by_key, metadata, file)] == [404, 403, 403, 403]
    assert api.get(batch).json["images"] == []
    assert api.with_keys(keys).get(f"/img/{image_id}?w=77").status == 200, "its owner, in person"
    assert api.with_keys(keys).get(f"images/{image_id}/file").status == 200
    assert [api.get(address).status for address in addresses] == [403, 401, 404, 404]
    assert api.get(direct).status in (401, 403, 404), "the owner's address, in other hands"
    assert api.get(f"/img/{image_id}?variant=medium&share={token}").status == 403
    assert uploader.get(f"images/{image_id}").status == 200


def test_what_a_moderator_hides_is_no_watermark_and_no_fallback(api: Api) -> None:
    owner = api.with_keys(ROOT)
    client = api.server.client()
    client.create_bucket(Bucket="hall")
    image_id = str(owner.upload(PICTURE, bucket="hall", visibility="public").json["image_id"])
    key = next(entry["Key"] for entry in client.list_objects_v2(Bucket="hall", Prefix=image_id)["Contents"])
    client.put_object(Bucket="hall", Key="plain.jpg", Body=PICTURE)
    changes = ("--images", "public", "--preset", f"marked=w:60,wm:hall/{key}", "--fallback", key)
    pixgate("buckets", "set", "hall", *changes, data=api.server.data)
    named = [f"w=60&wm={name}" for name in (image_id, quote(f"hall/{key}", safe=""))]
    links = [presigned(api, ROOT, "/img/hall/plain.jpg", query) for query in named]
    links.append("/img/hall/plain.jpg?p=marked")
    missing = "/img/hall/none.jpg?w=300"
    assert [api.get(link).status for link in links] == [200] * 3
    assert api.get(missing).picture.size == (200, 133)
    pixgate("moderation", "hide", image_id, data=api.server.data)
    assert [api.get(link).status for link in links] == [400] * 3
    assert api.get(missing).json["error"]["code"] == "NotFound"
    in_person = [owner.get(f"/img/hall/plain.jpg?{query}").status for query in named]
    assert in_person == [200] * 2, "its owner, in person"
    assert owner.get(missing).picture.size == (200, 133)
    pixgate("moderation", "approve", image_id, data=api.server.data)
    assert [api.get(link).status for link in links] == [200] * 3


@pytest.mark.parametrize("ending", ["deleted", "overwritten"])
def test_what_s3_deletes_or_overwrites_in_a_versioned_bucket_is_open_to_its_owner_alone(
    people: Mapping[str, Api], ending: str
) -> None:
    nobody = people["nobody"]
    bucket, client = f"versioned-{ending}", nobody.server.client(nobody.server.keys("app"))
    client.create_bucket(Bucket=bucket)
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    answer = people["the app's key"].upload(PICTURE, bucket=bucket, visibility="public")
    assert answer.status == 202, answer.body
    image_id = str(answer.json["image_id"])
    processed(people["the app's key"], image_id)
    key = client.list_objects_v2(Bucket=bucket)["Contents"][0]["Key"]
    token = people["the app's key"].post(f"images/{image_id}/share", json={}).json["token"]
    doors = {
        **API_DOORS,
        "by id": lambda api, image_id: api.get(f"/img/{image_id}?variant=medium"),
        "shared, by id": lambda api, image_id: api.get(f"/img/{image_id}?variant=medium&share={token}"),
    }
    for name, ask in doors.items():
        assert {who: ask(api, image_id).status for who, api in people.items()} == dict.fromkeys(people, 200), name
    assert nobody.get(f"shares/{token}/image").status == 200

    if ending == "deleted":
        client.delete_object(Bucket=bucket, Key=key)
    else:
        client.put_object(Bucket=bucket, Key=key, Body=jpeg((60, 40), seed=4))
    owners = {"the app's key", "root", "a moderator"}
    for name, ask in doors.items():
        on_img = "by id" in name
        for who, api in people.items():
            answer = ask(api, image_id)
            if who in owners:
                assert answer.status == 200, (name, who)
                assert "public" not in answer.headers.get("cache-control", ""), (name, who)
            elif who == "nobody":
                assert answer.status == (403 if on_img else 401), name
            else:
                assert answer.status == (404 if on_img else 403), (name, who)
    assert nobody.get(f"shares/{token}").code == nobody.get(f"shares/{token}/image").code == "NOT_FOUND"
    for path in ("images", "users/me/images"):
        listed = people["the app's key"].get(path, query={"limit": "100"}).json["images"]
        assert image_id not in {one["id"] for one in listed}, path
    # As its owner he may still get rid of it, or bring it back.
    if ending == "deleted":
        marker = client.list_object_versions(Bucket=bucket)["DeleteMarkers"][0]["VersionId"]
        client.delete_object(Bucket=bucket, Key=key, VersionId=marker)
        assert nobody.get(f"images/{image_id}").status == 200
        assert nobody.get(f"shares/{token}").status == 200
    else:
        assert people["the app's key"].delete(f"images/{image_id}").status == 204
        assert people["the app's key"].get(f"images/{image_id}").code == "IMAGE_NOT_FOUND"
