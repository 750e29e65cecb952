"""What the log of requests and the audit log name, on every door alike; and what they never do."""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import urlsplit

import pytest

from conformance.target import Keys
from signing.sigv4.sign import Credentials, presign
from tests import images
from tests.functional.api.client import Answer, Api
from tests.services import ROOT, Server

PATIENCE = 60
ADMIN = "/api/admin/v1"


def presigned(server: Server, keys: Keys, path: str) -> str:
    url = presign(
        Credentials(keys.access_key, keys.secret_key),
        method="GET",
        url=f"{server.url}{path}",
        now=time.time(),
        region="us-east-1",
        expires=300,
    )
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"


def logged(server: Server, answer: Answer) -> dict[str, Any]:
    """The line of a request."""
    request_id = answer.headers.get("x-request-id") or answer.headers["x-amz-request-id"]
    deadline = time.monotonic() + PATIENCE
    while True:
        # The last one may be written at this moment.
        for line in server.log.read_text(errors="replace").rpartition("\n")[0].splitlines():
            if request_id in line and '"event":"request"' in line:
                found: dict[str, Any] = json.loads(line)
                return found
        assert time.monotonic() < deadline, server.tail()
        time.sleep(0.05)


@pytest.fixture(scope="module")
def keys(api_server: Server) -> Keys:
    return api_server.keys("logged")


def test_every_door_names_the_same_and_no_signature(api: Api, api_server: Server, keys: Keys) -> None:
    api.with_keys(keys).upload(images.jpeg((30, 20)), bucket="logged-pictures")
    (entry,) = api_server.client(keys).list_objects_v2(Bucket="logged-pictures")["Contents"]
    image_id, path = entry["Key"].partition("/")[0], f"/logged-pictures/{entry['Key']}"
    addresses = {
        "s3": presigned(api_server, keys, path),
        "img": presigned(api_server, keys, f"/img{path}?w=10"),
        "api": presigned(api_server, keys, f"/api/v1/images/{image_id}"),
    }
    for door, address in addresses.items():
        answer = api.get(address)
        assert answer.status == 200, (door, answer.body)
        line = logged(api_server, answer)
        assert (line["door"], line["bucket"], line["access_key"], line["remote"]) == (
            door,
            "logged-pictures",
            keys.access_key,
            "127.0.0.1",
        )
    # Who is refused asked for a bucket all the same, where the address names one.
    for address in (path, f"/img{path}?w=11", f"{ADMIN}/buckets/logged-pictures"):
        refused = (api if address.startswith(("/img", "/logged")) else api.with_keys(ROOT)).get(address)
        line = logged(api_server, refused)
        assert (line["status"] in (200, 401, 403), line["bucket"]) == (True, "logged-pictures"), line
    text = api_server.log.read_text(errors="replace")
    for address in addresses.values():
        signature = address.partition("X-Amz-Signature=")[2][:64]
        assert len(signature) == 64
        assert signature not in text
    assert keys.secret_key not in text


@pytest.mark.parametrize("door", ["s3", "img", "api"])
def test_who_opens_a_presigned_address_is_not_in_the_audit_log(
    api: Api, api_server: Server, keys: Keys, door: str
) -> None:
    # Whoever sees a page opens them: that would be an event for each visitor.
    made = api.with_keys(ROOT).post(f"{ADMIN}/keys", json={"account": "logged"}).json
    own = Keys(made["access_key"], made["secret_key"])
    path = {"s3": "/logged-nowhere/a", "img": "/img/logged-nowhere/a", "api": "/api/v1/images/" + "a" * 22}[door]
    assert api.get(presigned(api_server, own, path)).status == 404
    deadline = time.monotonic() + PATIENCE
    while True:
        events = api.with_keys(ROOT).get(f"{ADMIN}/audit", query={"access_key": own.access_key}).json["items"]
        if events:
            break
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert [(one["action"], one["via"], one["address"]) for one in events] == [("key.use", door, None)]
