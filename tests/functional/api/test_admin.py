"""The admin API: who may call it, and what each of its acts does to the doors."""

from __future__ import annotations

import csv
import io
import json
import secrets
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from botocore.exceptions import ClientError

from conformance.target import Keys
from gateway.api.operation import Access
from gateway.api.table import OPERATIONS
from signing.image_link import s3_link_key, sign_link
from tests.functional.api.client import PASSWORD, Api
from tests.images import jpeg
from tests.services import ROOT, pixgate

ADMIN = "/api/admin/v1"
ADMIN_OPERATIONS = [one for one in OPERATIONS if one.path.startswith(ADMIN)]
PATIENCE = 60


def name(kind: str = "t") -> str:
    return f"{kind}-{secrets.token_hex(6)}"


@pytest.fixture(scope="module")
def admin(api: Api) -> Api:
    return api.with_keys(ROOT)


@pytest.fixture
def account(admin: Api) -> str:
    made = name("account")
    answer = admin.post(f"{ADMIN}/accounts", json={"account": made})
    assert answer.status == 201, answer.body
    return made


def key_of(api: Api, account: str, **given: Any) -> Keys:
    """A new key of an account, by somebody who administers."""
    answer = api.post(f"{ADMIN}/keys", json={"account": account} | given)
    assert answer.status == 201, answer.body
    return Keys(answer.json["access_key"], answer.json["secret_key"])


def refused(call: Callable[[], Any], code: str) -> None:
    with pytest.raises(ClientError) as error:
        call()
    assert error.value.response["Error"]["Code"] == code


def eventually(find: Callable[[], Any]) -> Any:
    """What `find` finds: the audit log of what belongs to no transaction is written a moment later."""
    deadline = time.monotonic() + PATIENCE
    while not (found := find()):
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.1)
    return found


@pytest.mark.parametrize("operation", ADMIN_OPERATIONS, ids=lambda one: one.name)
def test_only_administrators_get_in(api: Api, operation: Any) -> None:
    path = operation.path.format(**dict.fromkeys(operation.places, "1"))
    assert api.ask(operation.method, path).code == "UNAUTHORIZED"
    assert api.with_keys(api.server.keys("somebody")).ask(operation.method, path).code == "FORBIDDEN"
    assert api.app_user("mallory").ask(operation.method, path).code == "FORBIDDEN"
    assert operation.access in (Access.ADMIN, Access.MODERATOR)


def test_moderators_see_the_queue_alone(api: Api, admin: Api) -> None:
    number, moderator = _user(api, admin)
    assert moderator.get(f"{ADMIN}/moderation").code == "FORBIDDEN"
    assert admin.patch(f"{ADMIN}/users/{number}", json={"role": "moderator"}).json["role"] == "moderator"
    assert moderator.get(f"{ADMIN}/moderation").status == 200
    for operation in ADMIN_OPERATIONS:
        if operation.access is Access.ADMIN:
            path = operation.path.format(**dict.fromkeys(operation.places, "1"))
            assert moderator.ask(operation.method, path).code == "FORBIDDEN", operation.name
    admin.patch(f"{ADMIN}/users/{number}", json={"role": "admin"})
    assert moderator.get(f"{ADMIN}/accounts").status == 200
    answer = moderator.patch(f"{ADMIN}/users/{number}", json={"enabled": False})
    assert answer.code == "INVALID_REQUEST", "nobody locks themselves out"
    admin.patch(f"{ADMIN}/users/{number}", json={"role": "user"})
    assert moderator.get(f"{ADMIN}/accounts").code == "FORBIDDEN"


def _user(api: Api, admin: Api) -> tuple[int, Api]:
    email = f"{name()}@example.org"
    answer = admin.post(f"{ADMIN}/users", json={"email": email, "password": PASSWORD})
    assert answer.status == 201, answer.body
    token = api.post("auth/login", json={"email": email, "password": PASSWORD}).json["access_token"]
    return answer.json["number"], api.as_user(token)


def test_accounts_are_listed_page_by_page(admin: Api) -> None:
    made = {name("page") for _ in range(5)}
    for one in made:
        admin.post(f"{ADMIN}/accounts", json={"account": one})
    seen: list[str] = []
    query = {"limit": "2"}
    while True:
        page = admin.get(f"{ADMIN}/accounts", query=query).json
        assert len(page["items"]) <= 2
        seen += [one["account"] for one in page["items"]]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    assert made < set(seen)
    assert seen == sorted(set(seen))
    assert admin.get(f"{ADMIN}/accounts", query={"cursor": "!"}).code == "INVALID_REQUEST"
    assert admin.get(f"{ADMIN}/accounts", query={"limit": "0"}).code == "VALIDATION_ERROR"
    assert admin.post(f"{ADMIN}/accounts", json={"account": "a b"}).code == "INVALID_REQUEST"
    assert admin.post(f"{ADMIN}/accounts", json={"account": seen[0]}).code == "CONFLICT"


def test_quotas_and_duplicates_of_an_account_are_set_and_stay(admin: Api, account: str) -> None:
    path = f"{ADMIN}/accounts/{account}"
    answer = admin.patch(path, json={"quota_bytes": 1000, "duplicates": "refuse"})
    assert (answer.json["quota_bytes"], answer.json["quota_images"], answer.json["duplicates"]) == (
        1000,
        None,
        "refuse",
    )
    assert admin.patch(path, json={"quota_images": 3}).json["quota_bytes"] == 1000
    assert admin.patch(path, json={"quota_bytes": None}).json["quota_bytes"] is None
    found = admin.get(path).json
    assert (found["quota_bytes"], found["quota_images"], found["duplicates"]) == (None, 3, "refuse")
    assert admin.patch(path, json={"quota_bytes": -1}).code == "VALIDATION_ERROR"
    assert admin.patch(path, json={"quota": 1}).code == "VALIDATION_ERROR"
    assert admin.get(f"{ADMIN}/accounts/nobody-{account}").code == "NOT_FOUND"
    assert admin.patch(f"{ADMIN}/accounts/root", json={"enabled": False}).code == "INVALID_REQUEST"
    shown = json.loads(pixgate("accounts", "show", account, "--json", data=admin.server.data).stdout)
    assert shown["quota_images"] == 3, "the command line sees the same"


def test_a_disabled_account_is_shut_on_every_door_at_once(api: Api, admin: Api, account: str) -> None:
    email = f"{name()}@example.org"
    made = admin.post(f"{ADMIN}/users", json={"email": email, "password": PASSWORD, "account": account})
    assert made.json["account"] == account
    token = api.post("auth/login", json={"email": email, "password": PASSWORD}).json["access_token"]
    user, keys = api.as_user(token), key_of(admin, account)
    s3 = api.server.client(keys)
    bucket = name("shut")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    signing = api.server.client(keys, signature_version="s3v4")
    signed = signing.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"})[len(api.server.url) :]
    link = sign_link(
        f"/img/{bucket}/k",
        [("w", "10")],
        key_id=keys.access_key,
        key=s3_link_key(keys.secret_key),
        expires=int(time.time()) + 600,
    )

    def statuses() -> list[int]:
        return [
            user.get("users/me/keys").status,
            api.with_keys(keys).get("users/me/keys").status,
            api.server.fetch(signed)[0],
            api.server.fetch(f"/{bucket}/k", {"Authorization": f"Bearer {token}"})[0],
            api.server.fetch(f"/img/{bucket}/k?w=10", {"Authorization": f"Bearer {token}"})[0] == 403,
            api.server.fetch(link)[0] == 403,
        ]

    # The object is no picture: links are let in, and then told so.
    assert statuses() == [200, 200, 200, 200, False, False]
    admin.patch(f"{ADMIN}/accounts/{account}", json={"enabled": False})
    assert statuses() == [401, 401, 403, 403, True, True]
    refused(lambda: s3.get_object(Bucket=bucket, Key="k"), "InvalidAccessKeyId")
    assert api.post("auth/login", json={"email": email, "password": PASSWORD}).code == "INVALID_CREDENTIALS"
    admin.patch(f"{ADMIN}/accounts/{account}", json={"enabled": True})
    assert statuses() == [401, 200, 200, 403, True, False], "keys and links open again, tokens from before do not"


def test_users_are_found_changed_and_shut_out(api: Api, admin: Api) -> None:
    number, user = _user(api, admin)
    path = f"{ADMIN}/users/{number}"
    found = admin.get(path).json
    assert (found["number"], found["role"], found["enabled"]) == (number, "user", True)
    listed = admin.get(f"{ADMIN}/users", query={"account": found["account"]}).json
    assert [one["number"] for one in listed["items"]] == [number]
    assert user.get("auth/me").status == 200
    assert admin.patch(path, json={"password": "another password"}).status == 200
    assert user.get("auth/me").code == "UNAUTHORIZED", "a new password ends every session"
    login = {"email": found["email"], "password": "another password"}
    user = api.as_user(api.post("auth/login", json=login).json["access_token"])
    assert admin.patch(path, json={"enabled": False}).json["enabled"] is False
    assert user.get("auth/me").code == "UNAUTHORIZED"
    assert admin.patch(f"{ADMIN}/users/{found['id']}", json={"enabled": True}).json["number"] == number
    assert admin.get(f"{ADMIN}/users/{found['email'].upper()}").json["number"] == number
    assert admin.patch(f"{ADMIN}/users/{quote(found['email'])}", json={"role": "moderator"}).json["number"] == number
    for missing in ("999999999", "x", "nobody@example.org", "%23999999999", "%23", "%231x", "%00", "%20"):
        assert admin.get(f"{ADMIN}/users/{missing}").code == "NOT_FOUND", missing


def test_apps_users_are_named_by_number_or_id(api: Api, admin: Api) -> None:
    """An id that several apps know is nobody's in particular."""
    subject, digits = name(), str(time.time_ns())[:15]
    assert api.app_user(subject).get("auth/me").status == 200
    found = admin.get(f"{ADMIN}/users/{subject}").json
    assert (found["id"], found["account"]) == (subject, "app")
    assert admin.get(f"{ADMIN}/users/{found['number']}").json == found
    assert admin.get(f"{ADMIN}/users/%23{found['number']}").json == found
    api.app_user(digits).get("auth/me")
    assert admin.get(f"{ADMIN}/users/{digits}").json["id"] == digits
    assert admin.get(f"{ADMIN}/users/%23{digits}").code == "NOT_FOUND"
    api.app_user(subject, iss=f"https://{subject}.example").get("auth/me")
    assert admin.get(f"{ADMIN}/users/{subject}").code == "INVALID_REQUEST"
    assert admin.patch(f"{ADMIN}/users/{subject}", json={"role": "admin"}).code == "INVALID_REQUEST"


def test_digits_that_are_the_id_of_one_user_and_the_number_of_another_name_neither(api: Api, admin: Api) -> None:
    """The same over HTTP and at the command line: nobody is changed in the place of another."""
    number, _ = _user(api, admin)
    api.app_user(str(number)).get("auth/me")
    items = admin.get(f"{ADMIN}/users", query={"account": "app", "limit": "1000"}).json["items"]
    (other,) = [one["number"] for one in items if one["id"] == str(number)]
    refused = admin.patch(f"{ADMIN}/users/{number}", json={"enabled": False})
    assert refused.code == "INVALID_REQUEST"
    told = f"the number, #{other} or #{number} (in a URL %23 for #)."
    assert told in refused.json["error"]["message"]
    assert told in pixgate("users", "show", str(number), data=api.server.data, check=False).stderr
    for mine in (number, other):
        assert admin.get(f"{ADMIN}/users/%23{mine}").json["number"] == mine
    shown = pixgate("users", "show", f"#{other}", "--json", data=api.server.data).stdout
    assert json.loads(shown)["id"] == str(number)


def test_a_user_who_is_moved_keeps_the_pictures_and_uploads_to_the_other_account(
    api: Api, admin: Api, account: str
) -> None:
    subject = name("subject")
    user = api.app_user(subject)
    before = user.upload(jpeg((24, 16), seed=1), visibility="private")
    assert before.status == 201
    number = admin.get(f"{ADMIN}/users/{subject}").json["number"]
    moved = admin.patch(f"{ADMIN}/users/{number}", json={"account": account})
    assert (moved.status, moved.json["account"], moved.json["confined"]) == (200, account, True)
    after = user.upload(jpeg((24, 16), seed=2), visibility="private")
    assert after.status == 201, "the token that they had holds"
    held = admin.get(f"{ADMIN}/accounts/{account}").json
    assert held["bytes"] == len(jpeg((24, 16), seed=2))
    mine = {one["id"] for one in user.get("users/me/images").json["images"]}
    assert mine == {before.json["id"], after.json["id"]}
    assert user.patch(f"images/{before.json['id']}", json={"visibility": "unlisted"}).status == 200
    # What others of the two accounts have stays closed.
    others = api.with_keys(key_of(admin, account)).upload(jpeg((24, 16), seed=3), visibility="private").json["id"]
    assert user.get(f"images/{others}").code == "FORBIDDEN"
    assert admin.patch(f"{ADMIN}/users/{number}", json={"account": name("nowhere")}).code == "NOT_FOUND"
    assert admin.patch(f"{ADMIN}/users/{number}", json={"account": "root"}).code == "INVALID_REQUEST"
    (event,) = admin.get(f"{ADMIN}/audit", query={"target": subject, "action": "user.change"}).json["items"]
    assert (event["detail"]["account"], event["detail"]["before"]) == (account, "app")


def test_a_key_is_shown_with_its_secret_once_and_can_be_ended_in_every_way(api: Api, admin: Api, account: str) -> None:
    answer = admin.post(f"{ADMIN}/keys", json={"account": account, "description": "backup"})
    keys = Keys(answer.json["access_key"], answer.json["secret_key"])
    path = f"{ADMIN}/keys/{keys.access_key}"
    shown = admin.get(path)
    assert shown.json["description"] == "backup"
    assert keys.secret_key.encode() not in shown.body
    listed = admin.get(f"{ADMIN}/keys", query={"account": account})
    assert [one["access_key"] for one in listed.json["items"]] == [keys.access_key]
    assert keys.secret_key.encode() not in listed.body

    s3 = api.server.client(keys)
    s3.list_buckets()
    admin.patch(path, json={"enabled": False})
    refused(s3.list_buckets, "InvalidAccessKeyId")
    admin.patch(path, json={"enabled": True})
    s3.list_buckets()
    admin.patch(path, json={"expires_at": "2020-01-01T00:00:00Z"})
    refused(s3.list_buckets, "InvalidAccessKeyId")
    assert admin.patch(path, json={"expires_at": None}).json["expires_at"] is None
    s3.list_buckets()
    new = admin.post(f"{path}/rotate", json={"end_old": True})
    assert new.status == 201
    refused(s3.list_buckets, "InvalidAccessKeyId")
    rotated = Keys(new.json["access_key"], new.json["secret_key"])
    api.server.client(rotated).list_buckets()
    assert admin.delete(f"{ADMIN}/keys/{rotated.access_key}").status == 204
    refused(api.server.client(rotated).list_buckets, "InvalidAccessKeyId")
    assert admin.get(f"{ADMIN}/keys/{rotated.access_key}").code == "NOT_FOUND"
    past = {"account": account, "expires_at": "2020-01-01T00:00:00Z"}
    assert admin.post(f"{ADMIN}/keys", json=past).code == "INVALID_REQUEST"


def test_an_admins_key_administers_and_cannot_be_narrowed(api: Api, admin: Api, account: str) -> None:
    keys = key_of(admin, account, admin=True)
    helper = api.with_keys(keys)
    assert helper.get(f"{ADMIN}/accounts").status == 200
    scopes: list[dict[str, Any]] = [{"read_only": True}, {"networks": ["127.0.0.1"]}, {"buckets": {}}]
    for narrowed in scopes:
        given = {"account": account, "admin": True, "scope": narrowed}
        assert admin.post(f"{ADMIN}/keys", json=given).code == "INVALID_REQUEST"
        assert admin.patch(f"{ADMIN}/keys/{keys.access_key}", json={"scope": narrowed}).code == "INVALID_REQUEST"
    own = api.with_keys(key_of(admin, account))
    assert own.delete(f"users/me/keys/{keys.access_key}").code == "FORBIDDEN"


def test_buckets_are_made_set_and_deleted(api: Api, admin: Api, account: str) -> None:
    bucket = name("bucket")
    path = f"{ADMIN}/buckets/{bucket}"
    made = admin.post(f"{ADMIN}/buckets", json={"bucket": bucket, "account": account})
    assert (made.status, made.json["account"]) == (201, account)
    assert admin.post(f"{ADMIN}/buckets", json={"bucket": bucket, "account": account}).code == "CONFLICT"
    assert admin.post(f"{ADMIN}/buckets", json={"bucket": "NO", "account": account}).code == "INVALID_REQUEST"
    change = {
        "images": "public",
        "ladder": [320, 160],
        "encryption": "AES256",
        "presets": {"card": "w:400,h:300"},
        "max_width": 1200,
        "cors": ["https://example.org"],
        "catalogue": True,
    }
    answer = admin.patch(path, json=change)
    assert answer.status == 200, answer.body
    found = admin.get(path).json
    assert found["ladder"] == [160, 320]
    assert (found["images"], found["encryption"]) == ("public", "AES256")
    settings = found["image_settings"]
    assert (settings["presets"], settings["max_width"]) == ({"card": "w:400,h:300"}, 1200)
    assert (settings["cors"], settings["catalogue"]) == (["https://example.org"], True)
    again = admin.patch(path, json={"presets": {"card": None}, "max_width": None, "encryption": None}).json
    assert (again["image_settings"]["presets"], again["image_settings"]["max_width"]) == ({}, None)
    assert again["encryption"] is None
    assert again["ladder"] == [160, 320], "what is not said stays"
    assert admin.patch(path, json={"presets": {"bad": "w:x"}}).code == "INVALID_REQUEST"
    assert admin.patch(path, json={"store": "nowhere"}).code == "INVALID_REQUEST"
    shown = json.loads(pixgate("buckets", "show", bucket, "--json", data=api.server.data).stdout)
    assert shown["ladder"] == [160, 320]

    s3 = api.server.client(key_of(admin, account))
    s3.put_object(Bucket=bucket, Key="k", Body=b"x" * 7)
    assert admin.get(path).json["bytes"] == 7
    assert admin.get(f"{ADMIN}/accounts/{account}").json["bytes"] == 7
    assert admin.delete(path).code == "CONFLICT"
    s3.delete_object(Bucket=bucket, Key="k")
    assert admin.delete(path).status == 204
    assert admin.get(path).code == "NOT_FOUND"


def test_stores_are_listed_with_their_state(admin: Api) -> None:
    stores = admin.get(f"{ADMIN}/stores").json["items"]
    assert [one["status"] for one in stores if one["default"]] == ["healthy"]
    told = json.loads(pixgate("stores", "list", "--json", data=admin.server.data).stdout)
    assert [one["store"] for one in told] == [one["store"] for one in stores]


def test_the_audit_log_tells_who_did_what_from_where(api: Api, admin: Api, account: str) -> None:
    answer = admin.patch(f"{ADMIN}/accounts/{account}", json={"quota_bytes": 5})
    keys = key_of(admin, account)
    api.server.client(keys).list_buckets()
    api.server.client(keys).list_buckets()
    events = admin.get(f"{ADMIN}/audit", query={"target": account}).json["items"]
    assert [one["action"] for one in events] == ["account.change", "account.create"]
    change = events[0]
    assert change["detail"] == {"quota_bytes": 5}
    assert (change["via"], change["access_key"], change["account"]) == ("api", ROOT.access_key, "root")
    assert change["address"] == "127.0.0.1"
    assert change["request_id"] == answer.headers["x-request-id"]

    def used() -> list[Any]:
        query = {"action": "key.use", "access_key": keys.access_key}
        return list(admin.get(f"{ADMIN}/audit", query=query).json["items"])

    (use,) = eventually(used)
    assert (use["via"], use["account"], use["address"]) == ("s3", account, "127.0.0.1")
    pixgate("accounts", "disable", account, data=api.server.data)
    newest = admin.get(f"{ADMIN}/audit", query={"target": account, "limit": "1"}).json
    assert (newest["items"][0]["via"], newest["items"][0]["detail"]) == ("cli", {"enabled": False})
    older = admin.get(f"{ADMIN}/audit", query={"target": account, "limit": "1", "cursor": newest["next"]}).json
    assert older["items"] == [change]
    assert admin.get(f"{ADMIN}/audit", query={"target": account, "until": "2020-01-01T00:00:00Z"}).json["items"] == []
    assert admin.get(f"{ADMIN}/audit", query={"action": "nothing"}).code == "VALIDATION_ERROR"
    assert admin.get(f"{ADMIN}/audit", query={"account": "nobody-at-all"}).code == "NOT_FOUND"


def test_what_users_do_is_in_the_audit_log(api: Api, admin: Api) -> None:
    number, user = _user(api, admin)
    email = admin.get(f"{ADMIN}/users/{number}").json["email"]
    api.post("auth/login", json={"email": email, "password": "not the password"})
    uploaded = user.upload(jpeg((64, 48), seed=number))
    image = uploaded.json["id"]
    assert user.delete(f"images/{image}").status == 204

    def found() -> list[tuple[Any, ...]]:
        events = [
            *admin.get(f"{ADMIN}/audit", query={"target": email}).json["items"],
            *admin.get(f"{ADMIN}/audit", query={"target": image}).json["items"],
        ]
        told = [(one["action"], one["user_id"], one["user"], one["address"], one["via"]) for one in events]
        return told if ("user.login.failed", None, None, "127.0.0.1", "api") in told else []

    events = eventually(found)
    for action in ("user.login", "image.upload", "image.delete"):
        assert (action, number, email, "127.0.0.1", "api") in events, (action, events)
    ids = [one["request_id"] for one in admin.get(f"{ADMIN}/audit", query={"target": image}).json["items"]]
    assert uploaded.headers["x-request-id"] in ids
    by_number = admin.get(f"{ADMIN}/audit", query={"user_id": str(number)}).json["items"]
    assert {"user.login", "image.upload", "image.delete"} <= {one["action"] for one in by_number}
    text = admin.get(f"{ADMIN}/audit/export").body
    assert b"not the password" not in text
    assert PASSWORD.encode() not in text


def test_the_audit_log_is_exported_whole_and_harmless(api: Api, admin: Api, account: str) -> None:
    text = "=HYPERLINK(1)"
    for _ in range(3):
        key_of(admin, account, description=text)
    answer = admin.get(f"{ADMIN}/audit/export", query={"action": "key.create", "account": "root"})
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in answer.body.splitlines()]
    mine = [one for one in lines if one["detail"]["account"] == account]
    assert len(mine) == 3
    assert [one["id"] for one in lines] == sorted((one["id"] for one in lines), reverse=True)

    api.app_user(f"{text}-{account}").get("users/me/keys")
    table = admin.get(f"{ADMIN}/audit/export", query={"format": "csv", "target": account})
    rows = list(csv.DictReader(io.StringIO(table.body.decode(), newline="")))
    assert [row["action"] for row in rows] == ["account.create"]
    exported = eventually(lambda: admin.get(f"{ADMIN}/audit", query={"action": "audit.export"}).json["items"])
    assert exported[0]["access_key"] == ROOT.access_key
    whole = pixgate("audit", "export", "--target", account, data=api.server.data).stdout
    assert [json.loads(line)["action"] for line in whole.splitlines()] == ["account.create"]


def test_an_account_makes_and_ends_keys_for_itself(api: Api, admin: Api) -> None:
    number, user = _user(api, admin)
    assert user.get("users/me/keys").json["items"] == []
    made = user.post("users/me/keys", json={"description": "rclone", "scope": {"read_only": True}})
    assert made.status == 201
    assert made.json["admin"] is False
    keys = Keys(made.json["access_key"], made.json["secret_key"])
    s3 = api.server.client(keys)
    assert s3.list_buckets()["Buckets"] == []
    refused(lambda: s3.create_bucket(Bucket=name("own")), "AccessDenied")
    assert [one["access_key"] for one in user.get("users/me/keys").json["items"]] == [keys.access_key]
    assert keys.secret_key.encode() not in user.get(f"users/me/keys/{keys.access_key}").body
    assert user.post("users/me/keys", json={"admin": True}).code == "VALIDATION_ERROR"
    assert user.post("users/me/keys", json={"scope": {"networks": ["nowhere"]}}).code == "INVALID_REQUEST"

    _, other = _user(api, admin)
    assert other.delete(f"users/me/keys/{keys.access_key}").code == "NOT_FOUND"
    assert api.app_user("eve").post("users/me/keys", json={}).code == "FORBIDDEN"
    assert api.app_user("eve").get("users/me/keys").code == "FORBIDDEN"
    assert api.with_keys(keys).post("users/me/keys", json={}).code == "FORBIDDEN", "a narrowed key widens nothing"
    assert api.with_keys(keys).get("users/me/keys").code == "FORBIDDEN"
    assert user.delete(f"users/me/keys/{keys.access_key}").status == 204
    refused(s3.list_buckets, "InvalidAccessKeyId")
    assert number


def test_a_key_makes_none_that_outlives_it(api: Api, admin: Api, account: str) -> None:
    ending = api.with_keys(key_of(admin, account, expires_at="2090-01-01T00:00:00Z"))
    assert ending.post("users/me/keys", json={}).code == "INVALID_REQUEST"
    assert ending.post("users/me/keys", json={"expires_at": "2091-01-01T00:00:00Z"}).code == "INVALID_REQUEST"
    assert ending.post("users/me/keys", json={"expires_at": "2089-01-01T00:00:00Z"}).status == 201
