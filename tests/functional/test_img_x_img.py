"""Images through any AWS SDK: GetObject with `x-img`, presigned or signed in the header."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from botocore.exceptions import ClientError
from PIL import Image

from tests import images
from tests.functional.imaging import CHROME, Gallery, fetch
from tests.services import Server


@pytest.fixture(scope="module")
def gallery(http_server: Server) -> Gallery:
    made = Gallery(http_server, "img-sdk")
    made.put("a b+c.jpg", images.jpeg((300, 200)))
    return made


@contextmanager
def asking(client: Any, options: str) -> Iterator[None]:
    """Within it, what the client reads carries `x-img=options`; the hook is the one that the guide shows."""

    def add(request: Any, **_: object) -> None:
        request.url += ("&" if "?" in request.url else "?") + urlencode({"x-img": options})

    events = ("before-sign.s3.GetObject", "before-sign.s3.HeadObject")
    for event in events:
        client.meta.events.register_first(event, add)
    try:
        yield
    finally:
        for event in events:
            client.meta.events.unregister(event, add)


def presigned(gallery: Gallery, key: str, options: str, **more: str) -> str:
    """The target of a presigned URL."""
    with asking(gallery.client, options):
        url = gallery.client.generate_presigned_url("get_object", Params={"Bucket": gallery.name, "Key": key, **more})
    return str(url).removeprefix(gallery.server.url)


def test_signed_in_the_header(gallery: Gallery) -> None:
    with asking(gallery.client, "w:120,f:webp"):
        answer = gallery.client.get_object(Bucket=gallery.name, Key="a b+c.jpg")
        head = gallery.client.head_object(Bucket=gallery.name, Key="a b+c.jpg")
    body = answer["Body"].read()
    picture = Image.open(io.BytesIO(body))
    assert (picture.format, picture.size) == ("WEBP", (120, 80))
    assert answer["ContentType"] == "image/webp"
    assert head["ContentLength"] == len(body)
    assert head["ETag"] == answer["ETag"]
    assert "x-amz-request-id" in answer["ResponseMetadata"]["HTTPHeaders"]


def test_presigned(gallery: Gallery) -> None:
    target = presigned(gallery, "a b+c.jpg", "w:60,h:60,fit:cover,f:auto")
    answer = fetch(gallery.server, target, {"Accept": CHROME})
    assert (answer.status, answer.picture.format, answer.picture.size) == (200, "AVIF", (60, 60))
    assert answer.headers["vary"] == "Accept"
    assert answer.headers["cache-control"].startswith("private")
    again = fetch(gallery.server, target, {"Accept": CHROME, "If-None-Match": answer.headers["etag"]})
    assert again.status == 304
    other = fetch(gallery.server, target.replace("60", "61"))
    assert (other.status, b"SignatureDoesNotMatch" in other.body) == (403, True)


def test_it_is_the_same_picture_as_under_img(gallery: Gallery) -> None:
    by_link = gallery.get("/img/img-sdk/a b+c.jpg", "w=77&f=png")
    by_sdk = fetch(gallery.server, presigned(gallery, "a b+c.jpg", "w:77,f:png"))
    assert by_sdk.headers["etag"] == by_link.headers["etag"]
    assert by_sdk.body == by_link.body


def test_an_older_version(http_server: Server) -> None:
    gallery = Gallery(http_server, "img-sdk-versions")
    gallery.client.put_bucket_versioning(Bucket=gallery.name, VersioningConfiguration={"Status": "Enabled"})
    red, blue = (images.encoded(Image.new("RGB", (40, 40), colour), "PNG") for colour in ("red", "blue"))
    old = gallery.client.put_object(Bucket=gallery.name, Key="x", Body=red)["VersionId"]
    gallery.put("x", blue)
    assert fetch(http_server, presigned(gallery, "x", "w:4")).picture.convert("RGB").getpixel((1, 1)) == (0, 0, 255)
    shown = fetch(http_server, presigned(gallery, "x", "w:4", VersionId=old)).picture
    assert shown.convert("RGB").getpixel((1, 1)) == (255, 0, 0)


@pytest.mark.parametrize(
    ("key", "options", "status", "code"),
    [
        ("a b+c.jpg", "w:abc", 400, "InvalidArgument"),
        ("a b+c.jpg", "zoom:2", 400, "InvalidArgument"),
        ("a b+c.jpg", "w", 400, "InvalidArgument"),
        ("a b+c.jpg", "w:16000,up:1", 400, "InvalidArgument"),
        ("none.jpg", "w:9", 404, "NoSuchKey"),
        ("text", "w:9", 415, "UnsupportedMediaType"),
        ("bomb.png", "w:9", 413, "ImageTooLarge"),
        ("broken.jpg", "w:9", 422, "BrokenImage"),
    ],
)
def test_errors_are_s3s(gallery: Gallery, key: str, options: str, status: int, code: str) -> None:
    made = {"text": b"text", "bomb.png": images.png_claiming((20_000, 20_000)), "broken.jpg": images.jpeg()[:7000]}
    if key in made:
        gallery.put(key, made[key])
    with asking(gallery.client, options), pytest.raises(ClientError) as caught:
        gallery.client.get_object(Bucket=gallery.name, Key=key)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert caught.value.response["Error"]["Code"] == code


def test_conditions_are_about_the_rendition(gallery: Gallery) -> None:
    with asking(gallery.client, "w:33"):
        etag = gallery.client.head_object(Bucket=gallery.name, Key="a b+c.jpg")["ETag"]
        gallery.client.get_object(Bucket=gallery.name, Key="a b+c.jpg", IfMatch=etag)["Body"].read()
        with pytest.raises(ClientError, match="PreconditionFailed"):
            gallery.client.get_object(Bucket=gallery.name, Key="a b+c.jpg", IfMatch='"other"')
        with pytest.raises(ClientError, match="304"):
            gallery.client.get_object(Bucket=gallery.name, Key="a b+c.jpg", IfNoneMatch=etag)


@pytest.mark.parametrize("more", [{"ResponseContentType": "text/html"}, {"PartNumber": 1}])
def test_what_concerns_the_object_itself_cannot_be_combined(gallery: Gallery, more: dict[str, Any]) -> None:
    with asking(gallery.client, "w:33"), pytest.raises(ClientError, match="InvalidArgument"):
        gallery.client.get_object(Bucket=gallery.name, Key="a b+c.jpg", **more)


def test_it_needs_the_right_to_get_the_object(gallery: Gallery) -> None:
    stranger = gallery.server.client(gallery.server.keys("img-sdk-stranger"))
    with asking(stranger, "w:9"), pytest.raises(ClientError, match="AccessDenied"):
        stranger.get_object(Bucket=gallery.name, Key="a b+c.jpg")
    assert fetch(gallery.server, "/img-sdk/a%20b%2Bc.jpg?x-img=w:9").status == 403


def test_image_ids_come_with_put_head_and_get(gallery: Gallery) -> None:
    image_id = gallery.put("id.png", images.png((30, 20)))
    read = gallery.client.get_object(Bucket=gallery.name, Key="id.png")
    read["Body"].read()
    for answer in (gallery.client.head_object(Bucket=gallery.name, Key="id.png"), read):
        assert answer["ResponseMetadata"]["HTTPHeaders"]["x-pixgate-image-id"] == image_id
    assert gallery.get(f"/img/{image_id}").picture.size == (30, 20)
    gallery.put("no-image", b"text")
    answer = gallery.client.head_object(Bucket=gallery.name, Key="no-image")
    assert "x-pixgate-image-id" not in answer["ResponseMetadata"]["HTTPHeaders"]


def test_an_image_put_in_parts_has_an_id_too(gallery: Gallery) -> None:
    data = images.encoded(images.photo((2400, 1600)), "PNG", compress_level=0)
    client, cut = gallery.client, 5 * 1024**2
    assert cut < len(data) < 20_000_000
    upload = client.create_multipart_upload(Bucket=gallery.name, Key="parts.png")["UploadId"]
    parts = [
        client.upload_part(Bucket=gallery.name, Key="parts.png", UploadId=upload, PartNumber=number, Body=piece)
        for number, piece in enumerate([data[at : at + cut] for at in range(0, len(data), cut)], 1)
    ]
    done = client.complete_multipart_upload(
        Bucket=gallery.name, Key="parts.png", UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": n, "ETag": part["ETag"]} for n, part in enumerate(parts, 1)]},
    )  # fmt: skip
    image_id = done["ResponseMetadata"]["HTTPHeaders"]["x-pixgate-image-id"]
    assert gallery.get(f"/img/{image_id}", "w=240&f=jpeg").picture.size == (240, 160)


def test_the_guides_example_works(http_server: Server) -> None:
    gallery = Gallery(http_server, "img-guide")
    gallery.put("cats/tom.jpg", images.jpeg((800, 600)))
    guide = (Path(__file__).parents[2] / "docs/guides/image-links.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    fresh = http_server.client(gallery.keys, signature_version="s3v4", user_agent_extra="guide")
    names: dict[str, Any] = {"client": fresh}
    exec(example.replace('"photos"', '"img-guide"'), names)
    picture = Image.open(io.BytesIO(names["picture"]))
    assert (picture.format, picture.size) == ("WEBP", (400, 300))
    assert fetch(http_server, names["link"].removeprefix(http_server.url)).body == names["picture"]
