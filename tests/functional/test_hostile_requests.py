"""Requests that no honest client sends: each gets its 4xx, and none leaves behind what breaks an honest one."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
import uuid
from xml.etree import ElementTree

import pytest

from conformance.target import Keys
from signing.sigv4.sign import Credentials, presign
from tests.services import ROOT, Server


@pytest.fixture(scope="module")
def bucket(http_server: Server) -> str:
    name = f"hostile-{uuid.uuid4().hex[:12]}"
    http_server.client().create_bucket(Bucket=name)
    http_server.client().put_object(Bucket=name, Key="key", Body=b"hello")
    return name


def ask(server: Server, method: str, target: str, body: bytes | None = None, keys: Keys = ROOT) -> tuple[int, bytes]:
    """Send a presigned request for a target that is percent-encoded already: status and body."""
    url = presign(
        Credentials(keys.access_key, keys.secret_key),
        method=method,
        url=server.url + target,
        now=time.time(),
        region="us-east-1",
        expires=60,
    )
    request = urllib.request.Request(url, data=body, method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=60) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


@pytest.mark.parametrize(
    ("method", "target", "status", "code"),
    [
        ("GET", "/?prefix=%FF", 400, "InvalidArgument"),
        ("GET", "/{bucket}?uploads&key-marker=a&upload-id-marker=%FF", 400, "InvalidArgument"),
        ("GET", "/{bucket}/key?uploadId=%FF", 404, "NoSuchUpload"),
        ("PUT", "/{bucket}/key?uploadId=%FF&partNumber=1", 404, "NoSuchUpload"),
        ("DELETE", "/{bucket}/key?uploadId=%FF", 404, "NoSuchUpload"),
        ("GET", "/{bucket}/key?uploadId=a%00b", 404, "NoSuchUpload"),
        ("PUT", "/{bucket}/key?uploadId=a%00b&partNumber=1", 404, "NoSuchUpload"),
        ("DELETE", "/{bucket}/key?uploadId=a%00b", 404, "NoSuchUpload"),
        ("GET", "/{bucket}/key?versionId=a%00b", 400, "InvalidArgument"),
    ],
)
def test_parameters_that_are_not_utf_8(
    http_server: Server, bucket: str, method: str, target: str, status: int, code: str
) -> None:
    found, body = ask(http_server, method, target.format(bucket=bucket), b"x" if method == "PUT" else None)
    assert (found, f"<Code>{code}</Code>" in body.decode()) == (status, True), body


@pytest.mark.parametrize("number", ["000000001" + "9" * 5000, "0" * 9 + "1", "10001", "0", "1.0", "%D9%A1"])
def test_part_numbers_that_are_none(http_server: Server, bucket: str, number: str) -> None:
    status, body = ask(http_server, "PUT", f"/{bucket}/key?uploadId=x&partNumber={number}", b"x")
    assert (status, b"<Code>InvalidArgument</Code>" in body) == (400, True), body


@pytest.mark.parametrize("name", ["a%0d%0aset-cookie%3a%20b", "a%00b", "a%3a%20b", "a%20b", "", "%C3%A9"])
def test_metadata_in_a_presigned_url_is_named_as_a_header_could_be(http_server: Server, bucket: str, name: str) -> None:
    key = uuid.uuid4().hex
    status, body = ask(http_server, "PUT", f"/{bucket}/{key}?x-amz-meta-{name}=1", b"x")
    assert (status, b"<Code>InvalidArgument</Code>" in body) == (400, True), body
    assert ask(http_server, "GET", f"/{bucket}/{key}")[0] == 404


def test_an_empty_last_part_has_no_range(http_server: Server, bucket: str) -> None:
    client = http_server.client()
    upload = client.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
    bodies = [b"x" * 5 * 1024 * 1024, b""]
    etags = [
        client.upload_part(Bucket=bucket, Key="parts", UploadId=upload, PartNumber=number, Body=body)["ETag"]
        for number, body in enumerate(bodies, 1)
    ]
    parts = [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(etags, 1)]
    client.complete_multipart_upload(Bucket=bucket, Key="parts", UploadId=upload, MultipartUpload={"Parts": parts})
    answer = client.get_object(Bucket=bucket, Key="parts", PartNumber=2)
    assert (answer["Body"].read(), answer["PartsCount"], answer.get("ContentRange")) == (b"", 2, None)
    first = client.get_object(Bucket=bucket, Key="parts", PartNumber=1)
    assert (len(first["Body"].read()), first["ContentRange"]) == (5_242_880, "bytes 0-5242879/5242880")


def test_a_trailer_that_nobody_would_look_at_is_refused(http_server: Server, bucket: str) -> None:
    url = presign(
        Credentials(ROOT.access_key, ROOT.secret_key),
        method="PUT",
        url=f"{http_server.url}/{bucket}/with-trailer",
        now=time.time(),
        region="us-east-1",
        expires=60,
        headers=(("x-amz-trailer", "x-amz-checksum-crc32"),),
    )
    request = urllib.request.Request(url, data=b"body", method="PUT", headers={"x-amz-trailer": "x-amz-checksum-crc32"})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60)
    with refused.value as answer:
        assert (answer.code, b"<Code>InvalidRequest</Code>" in answer.read()) == (400, True)
    assert ask(http_server, "GET", f"/{bucket}/with-trailer")[0] == 404


def test_a_marker_with_a_nul_is_a_place_like_any_other(http_server: Server, bucket: str) -> None:
    status, body = ask(http_server, "GET", f"/{bucket}?uploads&key-marker=a%00b&upload-id-marker=a%00b")
    assert status == 200, body


def test_what_xml_cannot_say_is_replaced_in_errors(http_server: Server) -> None:
    strange = Keys("a\x01b", "x" * 40)
    status, body = ask(http_server, "GET", "/nowhere/a%00b%0Bc", keys=strange)
    assert status == 403
    root = ElementTree.fromstring(body)
    assert root.findtext("AWSAccessKeyId") == "a\ufffdb"
    assert root.findtext("Resource") == "/nowhere/a\ufffdb\ufffdc"
