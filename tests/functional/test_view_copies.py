"""Views as sources of copies: what a view shows becomes an object, with the ordinary clients too."""

from __future__ import annotations

import base64
import hashlib
import io
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from PIL import Image

from tests import images
from tests.functional.beside import set_images
from tests.functional.clients.aws_cli import AwsCli, installed
from tests.functional.clients.rclone import Rclone
from tests.functional.imaging import Gallery
from tests.services import Server

BUCKET, VIEW, OTHER = "shown", "shown--card", "shown-elsewhere"
KEYS = ["a/1.jpg", "ä ö.png"]


@pytest.fixture(scope="module")
def gallery(http_server: Server) -> Gallery:
    """A bucket with two images, what is none and what is broken, its preset `card`; and another bucket."""
    made = Gallery(http_server, BUCKET)
    made.client.create_bucket(Bucket=OTHER)
    set_images(http_server.data, BUCKET, presets={"card": "w:60,f:webp"})
    made.put(KEYS[0], images.jpeg((120, 80), 1))
    made.put(KEYS[1], images.png((120, 80), 2))
    made.put("text.txt", b"no picture")
    made.put("broken.jpg", images.jpeg((120, 80))[:300])
    return made


def shown(gallery: Gallery, key: str) -> tuple[bytes, dict[str, Any]]:
    answer = gallery.client.get_object(Bucket=VIEW, Key=key)
    return answer["Body"].read(), answer


def stored(gallery: Gallery, bucket: str, key: str) -> tuple[bytes, dict[str, Any]]:
    answer = gallery.client.get_object(Bucket=bucket, Key=key)
    return answer["Body"].read(), answer


def copy(gallery: Gallery, key: str, source: str, **options: Any) -> dict[str, Any]:
    answer: dict[str, Any] = gallery.client.copy_object(
        Bucket=OTHER, Key=key, CopySource={"Bucket": VIEW, "Key": source}, **options
    )
    return answer


def code(call: Callable[[], Any]) -> str:
    with pytest.raises(ClientError) as raised:
        call()
    return str(raised.value.response["Error"]["Code"])


def test_a_copy_from_a_view_is_what_the_view_shows(gallery: Gallery) -> None:
    # It is not made yet: the copy does.
    answer = copy(gallery, "card.webp", KEYS[1], ChecksumAlgorithm="CRC32")
    data, of_view = shown(gallery, KEYS[1])
    body, of_copy = stored(gallery, OTHER, "card.webp")
    assert body == data
    assert Image.open(io.BytesIO(body)).size == (60, 40)
    assert answer["CopyObjectResult"]["ETag"] == of_copy["ETag"] == of_view["ETag"]
    assert of_copy["ETag"] == f'"{hashlib.md5(data).hexdigest()}"'
    assert answer["CopyObjectResult"]["ChecksumCRC32"] == base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()
    assert answer["CopyObjectResult"]["LastModified"].replace(microsecond=0) == of_copy["LastModified"]
    assert (of_copy["ContentType"], of_copy["Metadata"]) == ("image/webp", {})
    # It is an image like any other now.
    assert of_copy["ResponseMetadata"]["HTTPHeaders"]["x-pixgate-image-id"].startswith("I")
    again = copy(gallery, "named.webp", KEYS[1], MetadataDirective="REPLACE", Metadata={"a": "b"}, ContentType="x/y")
    assert again["CopyObjectResult"]["ETag"] == of_view["ETag"]
    _, named = stored(gallery, OTHER, "named.webp")
    assert (named["ContentType"], named["Metadata"]) == ("x/y", {"a": "b"})
    copy(gallery, "tagged.webp", KEYS[1], MetadataDirective="REPLACE", TaggingDirective="REPLACE", Tagging="k=v")
    _, tagged = stored(gallery, OTHER, "tagged.webp")
    assert (tagged["ContentType"], tagged["TagCount"]) == ("image/webp", 1)


def test_the_conditions_of_a_copy_are_held_against_what_the_view_shows(gallery: Gallery) -> None:
    _, of_view = shown(gallery, KEYS[0])
    original = gallery.client.head_object(Bucket=BUCKET, Key=KEYS[0])
    copy(gallery, "if.webp", KEYS[0], CopySourceIfMatch=of_view["ETag"])
    copy(gallery, "if.webp", KEYS[0], CopySourceIfNoneMatch=original["ETag"])
    copy(gallery, "if.webp", KEYS[0], CopySourceIfUnmodifiedSince=of_view["LastModified"])
    refused: list[dict[str, Any]] = [
        {"CopySourceIfMatch": original["ETag"]},
        {"CopySourceIfNoneMatch": of_view["ETag"]},
        {"CopySourceIfModifiedSince": of_view["LastModified"]},
        {"IfNoneMatch": "*"},
    ]
    for options in refused:
        assert code(lambda: copy(gallery, "if.webp", KEYS[0], **options)) == "PreconditionFailed"  # noqa: B023


def test_parts_are_ranges_of_what_a_view_shows(gallery: Gallery) -> None:
    client = gallery.client
    data, _ = shown(gallery, KEYS[0])
    upload = client.create_multipart_upload(Bucket=OTHER, Key="parts.webp", ContentType="image/webp")["UploadId"]
    part = {"Bucket": OTHER, "Key": "parts.webp", "UploadId": upload, "CopySource": {"Bucket": VIEW, "Key": KEYS[0]}}
    some = client.upload_part_copy(**part, PartNumber=1, CopySourceRange="bytes=3-11")["CopyPartResult"]
    assert some["ETag"] == f'"{hashlib.md5(data[3:12]).hexdigest()}"'
    beyond = {**part, "PartNumber": 2, "CopySourceRange": f"bytes=0-{len(data)}"}
    assert code(lambda: client.upload_part_copy(**beyond)) == "InvalidArgument"
    whole = client.upload_part_copy(**part, PartNumber=1)["CopyPartResult"]
    assert whole["ETag"] == f'"{hashlib.md5(data).hexdigest()}"'
    parts = {"Parts": [{"PartNumber": 1, "ETag": whole["ETag"]}]}
    client.complete_multipart_upload(Bucket=OTHER, Key="parts.webp", UploadId=upload, MultipartUpload=parts)
    assert stored(gallery, OTHER, "parts.webp")[0] == data


def test_what_a_view_does_not_show_is_not_copied(gallery: Gallery) -> None:
    assert code(lambda: copy(gallery, "none", "text.txt")) == "NoSuchKey"
    assert code(lambda: copy(gallery, "none", "missing.jpg")) == "NoSuchKey"
    assert code(lambda: copy(gallery, "none", "broken.jpg")) == "BrokenImage"
    missing = {"Bucket": f"{BUCKET}--nothing", "Key": KEYS[0]}
    version = {"Bucket": VIEW, "Key": KEYS[0], "VersionId": "0" * 32}
    to = {"Bucket": OTHER, "Key": "none"}
    assert code(lambda: gallery.client.copy_object(**to, CopySource=missing)) == "NoSuchBucket"
    assert code(lambda: gallery.client.copy_object(**to, CopySource=version)) == "NoSuchVersion"
    assert code(lambda: gallery.client.head_object(**to)) == "404"


def test_who_may_not_read_a_view_does_not_copy_from_it(gallery: Gallery) -> None:
    stranger = gallery.server.client(gallery.server.new_keys("copier"), signature_version="s3v4")
    stranger.create_bucket(Bucket="copied")
    upload = stranger.create_multipart_upload(Bucket="copied", Key="parts")["UploadId"]
    part = {"Bucket": "copied", "Key": "parts", "UploadId": upload, "PartNumber": 1}
    source = {"Bucket": VIEW, "Key": KEYS[0]}
    assert code(lambda: stranger.copy_object(Bucket="copied", Key="a", CopySource=source)) == "AccessDenied"
    assert code(lambda: stranger.upload_part_copy(**part, CopySource=source)) == "AccessDenied"
    stranger.abort_multipart_upload(Bucket="copied", Key="parts", UploadId=upload)


def test_a_copy_from_a_view_is_encrypted_where_its_bucket_or_its_original_is(gallery: Gallery) -> None:
    client = gallery.client
    assert "ServerSideEncryption" not in copy(gallery, "clear.webp", KEYS[0])
    client.put_object(Bucket=BUCKET, Key="sealed.jpg", Body=images.jpeg((120, 80), 5), ServerSideEncryption="AES256")
    copy(gallery, "sealed.webp", "sealed.jpg")
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    client.put_bucket_encryption(Bucket=OTHER, ServerSideEncryptionConfiguration={"Rules": [rule]})
    try:
        assert copy(gallery, "default.webp", KEYS[0])["ServerSideEncryption"] == "AES256"
    finally:
        client.delete_bucket_encryption(Bucket=OTHER)
    for key, source in (("sealed.webp", "sealed.jpg"), ("default.webp", KEYS[0])):
        body, answer = stored(gallery, OTHER, key)
        assert (answer["ServerSideEncryption"], body) == ("AES256", shown(gallery, source)[0])


@pytest.mark.parametrize("kind", [AwsCli, Rclone], ids=["aws-s3-sync", "rclone"])
def test_batch_copies_with_real_clients(
    kind: type[AwsCli] | type[Rclone], gallery: Gallery, tmp_path: Path, http_server: Server
) -> None:
    if kind is AwsCli and installed(1) is None:
        pytest.skip("no aws-cli 1 is installed")
    client = kind(http_server, gallery.keys, tmp_path)
    bodies = {key: shown(gallery, key)[0] for key in KEYS}
    to = f"batch-{client.name.split()[0]}"
    if isinstance(client, AwsCli):
        client._aws("s3", "sync", f"s3://{VIEW}", f"s3://{OTHER}/{to}")
    else:
        client._rclone("copy", f"pix:{VIEW}", f"pix:{OTHER}/{to}")
        assert client._rclone("check", f"pix:{VIEW}", f"pix:{OTHER}/{to}") == ""
    found = gallery.client.list_objects_v2(Bucket=OTHER, Prefix=f"{to}/")["Contents"]
    assert {f"{to}/{key}" for key in KEYS} <= {entry["Key"] for entry in found}
    for key, body in bodies.items():
        data, answer = stored(gallery, OTHER, f"{to}/{key}")
        assert (data, answer["ContentType"]) == (body, "image/webp")
