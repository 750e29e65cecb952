"""One pass through the main job, quick enough for every change: store, list, show, switch off, restart, check."""

from __future__ import annotations

import io
import json
import urllib.error
import urllib.request

import pytest
from PIL import Image

from tests.functional.conftest import StartServer
from tests.images import encoded, photo
from tests.services import pixgate


def fetch(url: str) -> tuple[bytes, str]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=60) as answer:
        return answer.read(), answer.headers["Content-Type"]


def test_a_photo_from_the_first_key_to_the_last_check(start_server: StartServer) -> None:
    server = start_server(workers=2)
    keys = server.new_keys("anna")
    client = server.client(keys)
    client.create_bucket(Bucket="photos")
    original = encoded(photo((640, 480)), "JPEG")
    for key, body in (("cat é.jpg", original), ("empty", b""), ("five MiB", bytes(range(256)) * 20480)):
        client.put_object(Bucket="photos", Key=key, Body=body)
        assert client.get_object(Bucket="photos", Key=key)["Body"].read() == body
    listed = client.list_objects_v2(Bucket="photos")["Contents"]
    assert [entry["Key"] for entry in listed] == ["cat é.jpg", "empty", "five MiB"]

    image_id = client.head_object(Bucket="photos", Key="cat é.jpg")["ResponseMetadata"]["HTTPHeaders"][
        "x-pixgate-image-id"
    ]
    sign = ("sign", f"/img/{image_id}?w=300", "--key", keys.access_key)
    url = pixgate(*sign, data=server.data).stdout.strip()
    assert url.startswith(server.url)
    data, media_type = fetch(url)
    assert media_type == "image/jpeg"
    assert Image.open(io.BytesIO(data)).size == (300, 225)

    pixgate("buckets", "set", "photos", "--images", "public", "--ladder", "150", data=server.data)
    data, _ = fetch(f"{server.url}/img/photos/cat%20%C3%A9.jpg?w=150")
    assert Image.open(io.BytesIO(data)).size[0] == 150

    pixgate("keys", "disable", keys.access_key, data=server.data)
    with pytest.raises(urllib.error.HTTPError, match="403"):
        fetch(url)
    pixgate("keys", "enable", keys.access_key, data=server.data)

    server.stop()
    server.start()
    again = server.client(keys)
    assert again.get_object(Bucket="photos", Key="cat é.jpg")["Body"].read() == original
    assert json.loads(pixgate("fsck", "--json", data=server.data).stdout)["problems"] == []
