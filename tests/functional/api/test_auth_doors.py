"""Bearer tokens on every door: of users of this server, of apps with the shared secret, of foreign issuers."""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from tests.functional.api.client import PASSWORD, SECRET, Api
from tests.functional.conftest import StartServer
from tests.images import jpeg
from tests.services import ROOT

ADMIN = "/api/admin/v1"


@pytest.fixture(scope="module")
def photo() -> bytes:
    return jpeg((64, 48))


def new_bucket(api: Api) -> str:
    """A bucket of whoever asks."""
    name = f"b-{secrets.token_hex(6)}"
    assert api.put(f"/{name}").status == 200
    return name


def switch_user(api: Api, someone: dict[str, Any], enabled: bool) -> None:
    """Switch somebody on or off, as an administrator; `someone` is what `auth/me` told."""
    root = api.with_keys(ROOT)
    page = root.get(f"{ADMIN}/users", query={"account": someone["account"], "limit": "1000"}).json
    number = next(one["number"] for one in page["items"] if one["id"] == someone["id"])
    assert root.patch(f"{ADMIN}/users/{number}", json={"enabled": enabled}).status == 200


def test_a_users_token_opens_s3_as_their_account(api: Api) -> None:
    ann, eve = api.as_user(api.register()), api.as_user(api.register())
    bucket = new_bucket(ann)
    assert ann.put(f"/{bucket}/k", body=b"hello", headers={"x-amz-meta-a": "1", "Content-Type": "text/x"}).status == 200
    got = ann.get(f"/{bucket}/k")
    assert (got.status, got.body, got.headers["x-amz-meta-a"]) == (200, b"hello", "1")
    assert ann.get(f"/{bucket}/k", headers={"Range": "bytes=1-2"}).body == b"el"
    assert f"<Name>{bucket}</Name>".encode() in ann.get("/").body
    assert b"<Key>k</Key>" in ann.get(f"/{bucket}", query={"list-type": "2"}).body
    started = ann.post(f"/{bucket}/parts?uploads")
    upload = started.body.partition(b"<UploadId>")[2].partition(b"</UploadId>")[0].decode()
    part = ann.put(f"/{bucket}/parts?partNumber=1&uploadId={upload}", body=b"part")
    done = (
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber>"
        f"<ETag>{part.headers['etag']}</ETag></Part></CompleteMultipartUpload>"
    )
    listed = ann.get(f"/{bucket}?uploads")
    assert listed.body.count(b"<Initiator>") == 1
    assert ann.post(f"/{bucket}/parts?uploadId={upload}", body=done.encode()).status == 200
    assert ann.get(f"/{bucket}/parts").body == b"part"
    for stranger in (eve, api):
        assert stranger.get(f"/{bucket}/k").status == 403
        assert stranger.put(f"/{bucket}/k", body=b"evil").status == 403
    assert b"<Code>BucketAlreadyExists</Code>" in eve.put(f"/{bucket}").body
    assert ann.delete(f"/{bucket}/k").status == 204
    assert ann.get(f"/{bucket}/k").status == 404


def test_a_body_with_a_token_is_what_it_is_and_what_it_says(api: Api) -> None:
    ann = api.as_user(api.register())
    bucket = new_bucket(ann)
    path = f"/{bucket}/k"
    said = {"x-amz-content-sha256": "0" * 64}
    assert b"XAmzContentSHA256Mismatch" in ann.put(path, body=b"hello", headers=said).body
    chunked = {
        "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "x-amz-decoded-content-length": "5",
        "Content-Encoding": "aws-chunked",
    }
    assert ann.put(path, body=b"5\r\nhello\r\n0\r\n\r\n", headers=chunked).status == 400
    assert ann.get(path).status == 404
    unsigned = {"x-amz-content-sha256": "UNSIGNED-PAYLOAD", "x-amz-checksum-crc32": "NhCmhg=="}
    assert ann.put(path, body=b"hello", headers=unsigned).status == 200
    wrong = {"x-amz-checksum-crc32": "AAAAAA=="}
    assert b"BadDigest" in ann.put(path, body=b"hello", headers=wrong).body
    several = ann.get(path + "?X-Amz-Signature=0&X-Amz-Credential=x&X-Amz-Algorithm=AWS4-HMAC-SHA256")
    assert several.status == 400


def test_tokens_show_pictures(api: Api, photo: bytes) -> None:
    user = api.register()
    ann, eve = api.as_user(user), api.as_user(api.register())
    bucket = new_bucket(ann)
    put = ann.put(f"/{bucket}/cat.jpg", body=photo, headers={"Content-Type": "image/jpeg"})
    image = put.headers["x-pixgate-image-id"]
    for path in (
        f"/img/{bucket}/cat.jpg?w=16&f=png",
        f"/img/{image}?w=16&f=png",
        f"/{bucket}/cat.jpg?x-img=w:16,f:png",
    ):
        shown = ann.get(path)
        assert shown.status == 200, (path, shown.body)
        assert shown.picture.size == (16, 12)
        for stranger in (eve, api, api.app_user()):
            assert stranger.get(path).status in (403, 404), path
    assert "private" in ann.get(f"/img/{image}?w=16").headers["cache-control"]
    ann.post("auth/logout")
    for path in (f"/img/{image}?w=16&f=png", f"/{bucket}/cat.jpg", f"/{bucket}/cat.jpg?x-img=w:16,f:png"):
        assert ann.get(path).status == 403


def test_a_watermark_is_laid_over_for_a_token_as_for_a_key(api: Api, photo: bytes) -> None:
    ann = api.as_user(api.register())
    bucket = new_bucket(ann)
    for key in ("cat.jpg", "mark.jpg"):
        assert ann.put(f"/{bucket}/{key}", body=photo).status == 200
    asked = ann.get(f"/{bucket}/cat.jpg", query={"x-img": f"w:32,wm:{bucket}/mark.jpg"})
    assert asked.status == 200, asked.body
    linked = ann.get(f"/img/{bucket}/cat.jpg", query={"w": "32", "wm": f"{bucket}/mark.jpg"})
    assert linked.status == 200, linked.body


def test_an_apps_user_appears_at_the_first_request_with_rights_of_their_own(api: Api) -> None:
    subject = f"user-{secrets.token_hex(4)}"
    bob = api.app_user(subject, email="bob@example.org", name="Bob")
    me = bob.get("auth/me").json
    assert (me["id"], me["email"], me["account"], me["role"]) == (subject, "bob@example.org", "app", "user")
    assert api.app_user(subject).get("auth/me").json == me
    assert api.app_user(subject, iss="crm").get("auth/me").json["issuer"] == "shared:crm"
    refused = bob.put(f"/b-{secrets.token_hex(4)}")
    assert refused.status == 403
    assert b"jwt_app_rights" in refused.body
    assert bob.get("/").status == 403
    # The address of an app's user is nobody's to sign in with.
    assert api.post("auth/register", json={"email": "bob@example.org", "password": "a password"}).status == 201
    change = {"current_password": "a password", "new_password": "another one"}
    assert bob.post("auth/password/change", json=change).code == "INVALID_REQUEST"


def test_nobody_becomes_a_registered_user_with_the_shared_secret(api: Api) -> None:
    user = api.register()
    session = jwt.decode(user.token, SECRET, ["HS256"])["sid"]
    assert api.app_user(user.id).get("auth/me").json["account"] == "app"
    assert api.app_user(user.id, sid=session).get("auth/me").json["account"] == "app"
    assert api.app_user(user.id, iss="pixgate", sid="0" * 32).get("auth/me").status == 401
    assert api.app_user("another", iss="pixgate", sid=session).get("auth/me").status == 401


def test_an_apps_token_can_be_logged_out_and_its_user_switched_off(api: Api) -> None:
    subject = f"user-{secrets.token_hex(4)}"
    first, second = api.app_user(subject, jti="1"), api.app_user(subject, jti="2")
    someone = second.get("auth/me").json
    assert first.post("auth/logout").status == 204
    assert first.get("auth/me").status == 401
    assert second.get("auth/me").status == 200
    switch_user(api, someone, False)
    assert second.get("auth/me").status == 401
    assert api.app_user(subject).get("auth/me").status == 401
    switch_user(api, someone, True)
    assert second.get("auth/me").status == 401
    assert api.app_user(subject, iat=None).get("auth/me").status == 401
    assert api.app_user(subject, iat=int(time.time()) + 2).get("auth/me").status == 200


def test_many_first_requests_of_one_user_make_one_user(api: Api) -> None:
    someone = api.app_user(f"user-{secrets.token_hex(4)}")
    answers: list[int] = []
    threads = [threading.Thread(target=lambda: answers.append(someone.get("auth/me").status)) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200] * 12


@pytest.mark.parametrize(
    "claims",
    [{"exp": None}, {"exp": int(time.time()) - 1}, {"sub": None}, {"sub": ""}, {"aud": "others"}, {"nbf": 4e9}],
)
def test_an_apps_token_that_does_not_hold(api: Api, claims: dict[str, Any]) -> None:
    answer = api.app_user(**claims).get("auth/me")
    assert (answer.status, answer.code) == (401, "UNAUTHORIZED")


def test_disabling_an_account_stops_tokens_and_keys_of_it_on_every_door(api: Api) -> None:
    user = api.register()
    login = api.post("auth/login", json={"email": user.email, "password": PASSWORD}).json
    ann = api.as_user(user)
    bucket = new_bucket(ann)
    account = ann.get("auth/me").json["account"]
    keys = api.with_keys(api.server.keys(account))
    assert keys.get(f"/{bucket}").status == 200
    root = api.with_keys(ROOT)
    assert root.patch(f"{ADMIN}/accounts/{account}", json={"enabled": False}).status == 200
    for one, path in ((ann, "auth/me"), (ann, f"/{bucket}"), (keys, f"/{bucket}"), (ann, f"/img/{bucket}/k?w=16")):
        assert one.get(path).status in (401, 403), path
    assert root.patch(f"{ADMIN}/accounts/{account}", json={"enabled": True}).status == 200
    assert keys.get(f"/{bucket}").status == 200
    for one, path in ((ann, "auth/me"), (ann, f"/{bucket}"), (ann, f"/img/{bucket}/k?w=16")):
        assert one.get(path).status in (401, 403), "tokens from before do not open anything again"
    refreshed = api.post("auth/refresh", json={"refresh_token": login["refresh_token"]})
    assert refreshed.code == "UNAUTHORIZED"
    again = api.post("auth/login", json={"email": user.email, "password": PASSWORD}).json
    ann = api.as_user(again["access_token"])
    assert ann.get(f"/{bucket}").status == 200
    for same in ({"enabled": True}, {"quota_images": 1000}):
        assert root.patch(f"{ADMIN}/accounts/{account}", json=same).status == 200
        assert ann.get(f"/{bucket}").status == 200, "it was on all the time"


def test_switching_somebody_off_stops_the_keys_of_an_account_that_is_theirs(api: Api) -> None:
    user = api.register()
    ann = api.as_user(user)
    bucket = new_bucket(ann)
    me = ann.get("auth/me").json
    keys = api.with_keys(api.server.keys(me["account"]))
    switch_user(api, me, False)
    assert keys.get(f"/{bucket}").status == 403
    switch_user(api, me, True)
    assert keys.get(f"/{bucket}").status == 200


@contextmanager
def key_server() -> Iterator[KeyServer]:
    server = KeyServer()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class KeyServer(ThreadingHTTPServer):
    """An issuer that gives out its public keys, or answers as it is told."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _KeyRequest)
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.asked = 0
        self.status = 200
        self.extra = b""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/keys"

    @property
    def document(self) -> bytes:
        key = RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True) | {"kid": "one", "use": "sig"}
        return json.dumps({"keys": [key]}).encode() + self.extra

    def token(self, subject: str, **claims: Any) -> str:
        stated = {"iss": "https://login.test/", "aud": "pictures", "sub": subject, "exp": int(time.time()) + 600}
        return jwt.encode(stated | claims, self.key, "RS256", {"kid": "one"})


class _KeyRequest(BaseHTTPRequestHandler):
    server: KeyServer

    def do_GET(self) -> None:
        self.server.asked += 1
        body = self.server.document
        self.send_response(self.server.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if self.server.status == 302:
            self.send_header("Location", self.server.url + "?again")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing."""


def test_a_foreign_issuers_users_come_in_with_its_keys(start_server: StartServer) -> None:
    with key_server() as issuer:
        settings = {"iss": "https://login.test/", "jwks_url": issuer.url, "account": "partner", "audience": "pictures"}
        server = start_server(
            workers=1,
            environment={
                "PIXGATE_JWT_SECRET": SECRET,
                "PIXGATE_JWT_ISSUERS": json.dumps([settings | {"insecure": True}]),
                "PIXGATE_JWT_APPS": "shop=shop-account",
                "PIXGATE_JWT_APP_RIGHTS": "account",
            },
        )
        api = Api(server)
        issuer.status = 302
        away = api.as_user(issuer.token("ann")).get("auth/me")
        assert (away.status, away.code) == (503, "SERVICE_UNAVAILABLE")
        assert int(away.headers["retry-after"]) > 0
        assert issuer.asked == 1  # nobody is sent elsewhere
        issuer.status, issuer.extra = 200, b" " * 300_000
        assert api.as_user(issuer.token("ann")).get("auth/me").status == 503
        issuer.extra = b""
        me = api.as_user(issuer.token("ann")).get("auth/me")
        assert me.status == 200
        assert (me.json["id"], me.json["account"], me.json["issuer"]) == ("ann", "partner", "https://login.test/")
        asked = issuer.asked
        for number in range(5):
            assert api.as_user(issuer.token(f"user-{number}")).get("auth/me").status == 200
        assert issuer.asked == asked
        issuer.status = 500
        assert api.as_user(issuer.token("ann")).get("auth/me").status == 200  # the keys are known for a minute
        for token in (
            issuer.token("ann", aud="films"),
            issuer.token("ann", iss="https://login.test"),
            jwt.encode({"iss": "https://login.test/", "sub": "ann", "exp": 4e9, "aud": "pictures"}, SECRET, "HS256"),
        ):
            assert api.as_user(token).get("auth/me").status == 401
        # With jwt_app_rights = account its users may do what the account may, on every door.
        ann = api.as_user(issuer.token("ann"))
        bucket = new_bucket(ann)
        assert api.as_user(issuer.token("bob")).get(f"/{bucket}").status == 200
        assert api.app_user("ann", iss="shop").get("auth/me").json["account"] == "shop-account"
        assert api.app_user("ann", iss="another").get("auth/me").status == 401
        assert replace(api, token=issuer.token("ann") + "x").get(f"/{bucket}").status == 403
