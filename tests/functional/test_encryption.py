"""Encryption at rest through boto3: what lies in the store, who may read it, and what becomes of it in copies."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import random
import secrets
import sqlite3
import time
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from itertools import product
from typing import Any
from urllib.parse import unquote, urlsplit

import boto3
import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from tests.functional.conftest import StartServer
from tests.functional.imaging import Gallery, fetch
from tests.images import jpeg
from tests.services import Server, environment_of, pixgate

KEY, OTHER = bytes(range(32)), bytes(32)
MARK = b"plaintext that must be nowhere in the store "
CHUNK = 64 * 1024
SIZES = (0, 1, 1000, CHUNK, CHUNK + 1, 300_000, 3 * 1024 * 1024 + 7)


def sse_c(key: bytes = KEY, prefix: str = "") -> dict[str, Any]:
    return {f"{prefix}SSECustomerAlgorithm": "AES256", f"{prefix}SSECustomerKey": key}


SSE_S3 = {"ServerSideEncryption": "AES256"}
WAYS: dict[str, dict[str, Any]] = {"none": {}, "s3": SSE_S3, "c": sse_c()}
"""What a write asks for."""
READS: dict[str, dict[str, Any]] = {"none": {}, "s3": {}, "c": sse_c()}
SOURCES: dict[str, dict[str, Any]] = {"none": {}, "s3": {}, "c": sse_c(prefix="CopySource")}


@pytest.fixture
def s3(server: Server) -> Any:
    return server.client()


@pytest.fixture
def bucket(s3: Any) -> str:
    name = "enc-" + secrets.token_hex(6)
    s3.create_bucket(Bucket=name)
    return name


def marked(size: int, seed: int = 1) -> bytes:
    """Bytes in which the mark comes again and again."""
    return (MARK + random.Random(seed).randbytes(20)).ljust(64, b".") * (size // 64 + 1) if size else b""


def plain(size: int) -> bytes:
    return marked(size)[:size]


def stored(server: Server) -> Iterator[bytes]:
    """Everything that lies in the server's store, whatever that is."""
    url = environment_of(server.data).get("PIXGATE_STORE_URL")
    if url is None:
        for path in (server.data / "blobs").rglob("*"):
            # What a store is tried with goes again.
            with suppress(FileNotFoundError, IsADirectoryError):
                yield path.read_bytes()
        return
    parts = urlsplit(url)
    session = boto3.session.Session(
        unquote(parts.username or ""), unquote(parts.password or ""), region_name="us-east-1"
    )
    client = session.client("s3", endpoint_url=f"http://{parts.hostname}:{parts.port}")
    bucket = parts.path.strip("/")
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for entry in page.get("Contents", []):
            with suppress(client.exceptions.NoSuchKey):
                yield client.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()


def in_store(server: Server, needle: bytes) -> bool:
    return any(needle in data for data in stored(server))


def refused(status: int, code: str) -> Any:
    def matches(error: ClientError) -> bool:
        answer = error.response
        return (answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]) == (status, code)

    return pytest.raises(ClientError, check=matches)


@pytest.mark.parametrize("way", ["s3", "c"])
@pytest.mark.parametrize("size", SIZES)
def test_what_is_put_comes_back_and_lies_sealed(s3: Any, server: Server, bucket: str, way: str, size: int) -> None:
    own = secrets.token_hex(16).encode()
    body = (own + plain(size))[:size] if size < 16 else own + plain(size)[: size - 32]
    put = s3.put_object(Bucket=bucket, Key="k", Body=body, **WAYS[way])
    got = s3.get_object(Bucket=bucket, Key="k", **READS[way])
    assert got["Body"].read() == body
    head = s3.head_object(Bucket=bucket, Key="k", **READS[way])
    assert head["ContentLength"] == len(body)
    for answer in (put, got, head):
        assert answer["ETag"] == put["ETag"]
        if way == "s3":
            assert answer["ServerSideEncryption"] == "AES256"
            assert "SSECustomerAlgorithm" not in answer
        else:
            assert "ServerSideEncryption" not in answer
            assert answer["SSECustomerAlgorithm"] == "AES256"
            assert answer["SSECustomerKeyMD5"] == base64.b64encode(hashlib.md5(KEY).digest()).decode()
    assert (put["ETag"].strip('"') == hashlib.md5(body).hexdigest()) == (way == "s3")
    if size >= 1000:
        assert not in_store(server, own)
        s3.put_object(Bucket=bucket, Key="clear", Body=body)
        assert in_store(server, own)


@pytest.mark.parametrize("way", ["s3", "c"])
def test_ranges(s3: Any, bucket: str, way: str) -> None:
    body = random.Random(3).randbytes(4 * CHUNK + 777)
    s3.put_object(Bucket=bucket, Key="k", Body=body, **WAYS[way])
    edges = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 5, len(body) - 1]
    ranges = [(a, b) for a in edges for b in edges if a <= b]
    for first, last in ranges:
        got = s3.get_object(Bucket=bucket, Key="k", Range=f"bytes={first}-{last}", **READS[way])
        assert got["Body"].read() == body[first : last + 1]
        assert got["ContentRange"] == f"bytes {first}-{last}/{len(body)}"
    got = s3.get_object(Bucket=bucket, Key="k", Range="bytes=-100", **READS[way])
    assert got["Body"].read() == body[-100:]


def test_a_customers_key_is_asked_for(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="c", Body=b"secret", **sse_c())
    s3.put_object(Bucket=bucket, Key="s3", Body=b"secret", **SSE_S3)
    with refused(400, "InvalidRequest"):
        s3.get_object(Bucket=bucket, Key="c")
    with refused(403, "AccessDenied"):
        s3.get_object(Bucket=bucket, Key="c", **sse_c(OTHER))
    with refused(400, "400"):
        s3.head_object(Bucket=bucket, Key="c")
    with refused(403, "403"):
        s3.head_object(Bucket=bucket, Key="c", **sse_c(OTHER))
    with refused(400, "InvalidRequest"):
        s3.get_object(Bucket=bucket, Key="s3", **sse_c())
    with refused(400, "InvalidRequest"):
        s3.get_object_attributes(Bucket=bucket, Key="c", ObjectAttributes=["ETag"])
    with refused(400, "InvalidArgument"):
        s3.put_object(Bucket=bucket, Key="x", Body=b"", **sse_c(b"short"))
    with refused(501, "NotImplemented"):
        s3.put_object(Bucket=bucket, Key="x", Body=b"", ServerSideEncryption="aws:kms")
    with refused(501, "NotImplemented"):
        s3.put_object(Bucket=bucket, Key="x", Body=b"", ServerSideEncryption="aws:kms:dsse")
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["c", "s3"]
    s3.delete_object(Bucket=bucket, Key="c")


def test_sse_c_tells_nothing_of_the_plaintext(s3: Any, bucket: str) -> None:
    body = jpeg((64, 48))
    first = s3.put_object(Bucket=bucket, Key="a", Body=body, **sse_c())
    second = s3.put_object(Bucket=bucket, Key="b", Body=body, **sse_c())
    clear = s3.put_object(Bucket=bucket, Key="clear", Body=body, ChecksumAlgorithm="SHA256")
    assert len({first["ETag"], second["ETag"], clear["ETag"]}) == 3
    image_header = "x-pixgate-image-id"
    assert image_header in clear["ResponseMetadata"]["HTTPHeaders"]
    assert image_header not in first["ResponseMetadata"]["HTTPHeaders"]
    head = s3.head_object(Bucket=bucket, Key="a", ChecksumMode="ENABLED", **sse_c())
    assert not [name for name in head if name.startswith("Checksum")]
    listed = {entry["Key"]: entry for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]}
    assert "ChecksumAlgorithm" not in listed["a"]
    assert listed["a"]["Size"] == len(body)


@pytest.mark.embedded
def test_sse_c_leaves_no_digest_in_the_database(s3: Any, server: Server, bucket: str) -> None:
    body = secrets.token_bytes(1000)
    s3.put_object(Bucket=bucket, Key="a", Body=body, ChecksumAlgorithm="SHA256", **sse_c())
    with closing(sqlite3.connect(server.data / "pixgate.sqlite")) as database:
        found = database.execute("SELECT checksum_value, customer_key, etag FROM contents WHERE encryption = 'SSE-C'")
        rows = found.fetchall()
    assert rows
    for checksum, kept, etag in rows:
        assert checksum is None
        assert KEY not in kept
        assert etag != hashlib.md5(body).hexdigest()


def test_conditions_hold_against_the_random_etag(s3: Any, bucket: str) -> None:
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"one", **sse_c())["ETag"]
    with refused(412, "PreconditionFailed"):
        s3.put_object(Bucket=bucket, Key="k", Body=b"x", IfNoneMatch="*", **sse_c())
    with refused(412, "PreconditionFailed"):
        s3.get_object(Bucket=bucket, Key="k", IfMatch='"other"', **sse_c())
    with refused(304, "304"):
        s3.get_object(Bucket=bucket, Key="k", IfNoneMatch=etag, **sse_c())
    assert s3.get_object(Bucket=bucket, Key="k", IfMatch=etag, **sse_c())["Body"].read() == b"one"
    s3.put_object(Bucket=bucket, Key="k", Body=b"two", IfMatch=etag, **sse_c())
    assert s3.get_object(Bucket=bucket, Key="k", **sse_c())["Body"].read() == b"two"


def test_a_bucket_encrypts_by_default(s3: Any, server: Server, bucket: str) -> None:
    with refused(404, "ServerSideEncryptionConfigurationNotFoundError"):
        s3.get_bucket_encryption(Bucket=bucket)
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    found = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]
    assert found == {"Rules": [rule | {"BucketKeyEnabled": False}]}
    own = secrets.token_hex(16).encode()
    assert s3.put_object(Bucket=bucket, Key="k", Body=own * 10)["ServerSideEncryption"] == "AES256"
    assert "ServerSideEncryption" not in s3.put_object(Bucket=bucket, Key="c", Body=own * 10, **sse_c())
    upload = s3.create_multipart_upload(Bucket=bucket, Key="m")
    assert upload["ServerSideEncryption"] == "AES256"
    assert not in_store(server, own)
    s3.delete_bucket_encryption(Bucket=bucket)
    s3.delete_bucket_encryption(Bucket=bucket)
    assert "ServerSideEncryption" not in s3.put_object(Bucket=bucket, Key="later", Body=own * 10)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == own * 10
    assert s3.head_object(Bucket=bucket, Key="k")["ServerSideEncryption"] == "AES256"


@pytest.mark.parametrize(
    ("rules", "status", "code"),
    [
        ([], 400, "MalformedXML"),
        ([{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}] * 2, 400, "MalformedXML"),
        ([{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES1"}}], 400, "MalformedXML"),
        ([{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}], 501, "NotImplemented"),
        (
            [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256", "KMSMasterKeyID": "k"}}],
            400,
            "InvalidArgument",
        ),
        (
            [
                {
                    "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"},
                    "BlockedEncryptionTypes": {"EncryptionType": ["SSE-C"]},
                }
            ],
            501,
            "NotImplemented",
        ),
    ],
)
def test_defaults_that_cannot_be(s3: Any, bucket: str, rules: list[Any], status: int, code: str) -> None:
    with refused(status, code):
        s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": rules})
    with refused(404, "ServerSideEncryptionConfigurationNotFoundError"):
        s3.get_bucket_encryption(Bucket=bucket)


@pytest.mark.parametrize("size", [1000, 300_000])
def test_copies_between_all_classes(s3: Any, server: Server, bucket: str, size: int) -> None:
    body = random.Random(size).randbytes(size)
    for origin, target in product(WAYS, WAYS):
        s3.put_object(Bucket=bucket, Key=f"from-{origin}", Body=body, Metadata={"a": "b"}, **WAYS[origin])
        key = f"{origin}-{target}"
        source = {"Bucket": bucket, "Key": f"from-{origin}"}
        copied = s3.copy_object(Bucket=bucket, Key=key, CopySource=source, **WAYS[target], **SOURCES[origin])
        # What was encrypted does not come to lie in the clear because nobody asked for anything.
        became = "s3" if target == "none" and origin != "none" else target
        assert copied.get("ServerSideEncryption") == ("AES256" if became == "s3" else None)
        assert copied.get("SSECustomerAlgorithm") == ("AES256" if became == "c" else None)
        got = s3.get_object(Bucket=bucket, Key=key, **READS[became])
        assert got["Body"].read() == body
        assert got["Metadata"] == {"a": "b"}
        assert got["ETag"] == copied["CopyObjectResult"]["ETag"]
        assert (got["ETag"].strip('"') == hashlib.md5(body).hexdigest()) == (became != "c")
        if became == "c":
            with refused(400, "InvalidRequest"):
                s3.get_object(Bucket=bucket, Key=key)


def test_the_source_of_a_copy_needs_its_key(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="c", Body=b"secret", **sse_c())
    s3.put_object(Bucket=bucket, Key="clear", Body=b"open")
    source = {"Bucket": bucket, "Key": "c"}
    with refused(400, "InvalidRequest"):
        s3.copy_object(Bucket=bucket, Key="x", CopySource=source)
    with refused(403, "AccessDenied"):
        s3.copy_object(Bucket=bucket, Key="x", CopySource=source, **sse_c(OTHER, "CopySource"))
    with refused(400, "InvalidRequest"):
        s3.copy_object(
            Bucket=bucket, Key="x", CopySource={"Bucket": bucket, "Key": "clear"}, **sse_c(prefix="CopySource")
        )
    assert "x" not in [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]]


def test_an_object_is_encrypted_anew_in_its_place(s3: Any, bucket: str) -> None:
    body = os.urandom(200_000)
    s3.put_object(Bucket=bucket, Key="k", Body=body, **sse_c())
    source = {"Bucket": bucket, "Key": "k"}
    s3.copy_object(Bucket=bucket, Key="k", CopySource=source, **sse_c(OTHER), **sse_c(prefix="CopySource"))
    with refused(403, "AccessDenied"):
        s3.get_object(Bucket=bucket, Key="k", **sse_c())
    assert s3.get_object(Bucket=bucket, Key="k", **sse_c(OTHER))["Body"].read() == body
    s3.copy_object(Bucket=bucket, Key="k", CopySource=source, **SSE_S3, **sse_c(OTHER, "CopySource"))
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == body


@pytest.mark.parametrize("way", ["s3", "c"])
def test_multipart_with_the_transfer_manager(s3: Any, server: Server, bucket: str, way: str) -> None:
    own = secrets.token_hex(16).encode()
    body = own * 8 + random.Random(5).randbytes(11 * 1024 * 1024)
    parts = TransferConfig(multipart_threshold=5 * 1024 * 1024, multipart_chunksize=5 * 1024 * 1024)
    s3.upload_fileobj(io.BytesIO(body), bucket, "k", ExtraArgs=dict(WAYS[way]), Config=parts)
    head = s3.head_object(Bucket=bucket, Key="k", **READS[way])
    assert head["ETag"].endswith('-3"')
    assert head["ContentLength"] == len(body)
    target = io.BytesIO()
    s3.download_fileobj(bucket, "k", target, ExtraArgs=dict(READS[way]), Config=parts)
    assert target.getvalue() == body
    part = s3.get_object(Bucket=bucket, Key="k", PartNumber=2, **READS[way])["Body"].read()
    assert part == body[5 * 1024 * 1024 : 10 * 1024 * 1024]
    edge = 5 * 1024 * 1024
    got = s3.get_object(Bucket=bucket, Key="k", Range=f"bytes={edge - 10}-{edge + 9}", **READS[way])["Body"].read()
    assert got == body[edge - 10 : edge + 10]
    assert not in_store(server, own)


def test_the_parts_of_an_upload_have_its_key(s3: Any, bucket: str) -> None:
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k", **sse_c())
    assert upload["SSECustomerAlgorithm"] == "AES256"
    part = {"Bucket": bucket, "Key": "k", "UploadId": upload["UploadId"], "PartNumber": 1}
    with refused(400, "InvalidRequest"):
        s3.upload_part(Body=b"x", **part)
    with refused(400, "InvalidRequest"):
        s3.upload_part(Body=b"x", **part, **sse_c(OTHER))
    sent = s3.upload_part(Body=b"part", **part, **sse_c())
    assert sent["SSECustomerKeyMD5"]
    assert sent["ETag"].strip('"') != hashlib.md5(b"part").hexdigest()
    listed = s3.list_parts(Bucket=bucket, Key="k", UploadId=upload["UploadId"])["Parts"]
    assert [(entry["ETag"], entry["Size"]) for entry in listed] == [(sent["ETag"], 4)]
    done = {"Parts": [{"PartNumber": 1, "ETag": sent["ETag"]}]}
    with refused(400, "InvalidRequest"):
        s3.complete_multipart_upload(
            Bucket=bucket, Key="k", UploadId=upload["UploadId"], MultipartUpload=done, **sse_c(OTHER)
        )
    s3.complete_multipart_upload(Bucket=bucket, Key="k", UploadId=upload["UploadId"], MultipartUpload=done)
    assert s3.get_object(Bucket=bucket, Key="k", **sse_c())["Body"].read() == b"part"

    clear = s3.create_multipart_upload(Bucket=bucket, Key="clear")
    with refused(400, "InvalidRequest"):
        s3.upload_part(Bucket=bucket, Key="clear", UploadId=clear["UploadId"], PartNumber=1, Body=b"x", **sse_c())


def test_a_checksum_of_the_whole_is_held_against_the_bytes(s3: Any, bucket: str) -> None:
    body = b"four" * 1000
    crc = base64.b64encode(zlib.crc32(body).to_bytes(4)).decode()

    def complete(value: str, **key: Any) -> None:
        upload = s3.create_multipart_upload(
            Bucket=bucket, Key="k", ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT", **sse_c()
        )["UploadId"]
        part = s3.upload_part(Bucket=bucket, Key="k", UploadId=upload, PartNumber=1, Body=body, **sse_c())
        s3.complete_multipart_upload(
            Bucket=bucket,
            Key="k",
            UploadId=upload,
            MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]},
            ChecksumCRC32=value,
            ChecksumType="FULL_OBJECT",
            **key,
        )

    with refused(400, "BadDigest"):
        complete("AAAAAA==", **sse_c())
    with refused(400, "InvalidRequest"):
        complete(crc)
    complete(crc, **sse_c())
    assert s3.get_object(Bucket=bucket, Key="k", **sse_c())["Body"].read() == body


def test_parts_copied_between_all_classes(s3: Any, server: Server, bucket: str) -> None:
    own = secrets.token_hex(16).encode()
    body = own + random.Random(9).randbytes(5 * 1024 * 1024 + 99)
    for origin, asked in WAYS.items():
        s3.put_object(Bucket=bucket, Key=f"from-{origin}", Body=body, **asked)
    for origin, target in product(WAYS, WAYS):
        key = f"{origin}-{target}"
        upload = s3.create_multipart_upload(Bucket=bucket, Key=key, **WAYS[target])["UploadId"]
        common = {"Bucket": bucket, "Key": key, "UploadId": upload, **READS[target]}
        source = {"Bucket": bucket, "Key": f"from-{origin}"}
        whole = s3.upload_part_copy(PartNumber=1, CopySource=source, **common, **SOURCES[origin])
        part = s3.upload_part_copy(
            PartNumber=2, CopySource=source, CopySourceRange="bytes=65000-70000", **common, **SOURCES[origin]
        )
        etags = [answer["CopyPartResult"]["ETag"] for answer in (whole, part)]
        assert whole.get("SSECustomerAlgorithm") == ("AES256" if target == "c" else None)
        s3.complete_multipart_upload(
            Bucket=bucket,
            Key=key,
            UploadId=upload,
            MultipartUpload={"Parts": [{"PartNumber": n, "ETag": etag} for n, etag in enumerate(etags, 1)]},
        )
        assert s3.get_object(Bucket=bucket, Key=key, **READS[target])["Body"].read() == body + body[65000:70001]
        assert s3.head_object(Bucket=bucket, Key=key, **READS[target]).get("ServerSideEncryption") == (
            "AES256" if target == "s3" else None
        )


def test_versions_have_keys_of_their_own(s3: Any, bucket: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    first = s3.put_object(Bucket=bucket, Key="k", Body=b"one", **sse_c())["VersionId"]
    s3.put_object(Bucket=bucket, Key="k", Body=b"two", **sse_c(OTHER))
    assert s3.get_object(Bucket=bucket, Key="k", VersionId=first, **sse_c())["Body"].read() == b"one"
    assert s3.get_object(Bucket=bucket, Key="k", **sse_c(OTHER))["Body"].read() == b"two"
    with refused(403, "AccessDenied"):
        s3.get_object(Bucket=bucket, Key="k", **sse_c())


@contextmanager
def said(s3: Any, **headers: str) -> Iterator[None]:
    """Within it every request carries these headers, as a proxy would add them."""

    def add(request: Any, **_: object) -> None:
        for name, value in headers.items():
            request.headers[name.replace("_", "-")] = value

    s3.meta.events.register_last("before-send.s3", add)
    try:
        yield
    finally:
        s3.meta.events.unregister("before-send.s3", add)


def test_keys_come_only_over_tls(http_server: Server) -> None:
    """This machine apart; a proxy on it that tells of http is believed."""
    s3 = http_server.client(signature_version="s3v4")
    bucket = "enc-" + secrets.token_hex(6)
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", **sse_c())
    with said(s3, X_Forwarded_Proto="http"):
        with refused(400, "InvalidRequest"):
            s3.put_object(Bucket=bucket, Key="k", Body=b"y", **sse_c())
        with refused(400, "InvalidRequest"):
            s3.get_object(Bucket=bucket, Key="k", **sse_c())
        s3.put_object(Bucket=bucket, Key="managed", Body=b"y", **SSE_S3)
    with said(s3, X_Forwarded_Proto="https"):
        assert s3.get_object(Bucket=bucket, Key="k", **sse_c())["Body"].read() == b"x"


def test_images_of_encrypted_objects(http_server: Server) -> None:
    """Under the server's key they are images like others; what only a customer opens is none."""
    gallery = Gallery(http_server, "enc-" + secrets.token_hex(4))
    for key, asked, size in (("managed", SSE_S3, (640, 426)), ("small", SSE_S3, (64, 48)), ("own", sse_c(), (64, 48))):
        gallery.client.put_object(Bucket=gallery.name, Key=f"{key}.jpg", Body=jpeg(size), **asked)
    for key in ("managed", "small"):
        answer = fetch(http_server, gallery.link(f"/img/{gallery.name}/{key}.jpg", "w=32&f=png"))
        assert answer.status == 200
        assert answer.picture.size[0] == 32
    assert fetch(http_server, gallery.link(f"/img/{gallery.name}/own.jpg", "w=32")).status == 415


def test_a_running_server_follows_an_exchanged_master_key(start_server: StartServer) -> None:
    server = start_server(workers=2)
    s3 = server.client()
    s3.create_bucket(Bucket="bucket")
    for number in range(6):
        s3.put_object(Bucket="bucket", Key=f"{number}", Body=b"%d" % number * 1000, **SSE_S3)
    s3.put_object(Bucket="bucket", Key="own", Body=b"own", **sse_c())
    done = pixgate("keys", "rotate-master", data=server.data)
    assert "the keys of 6 encrypted blobs wrapped anew" in done.stderr
    for turn in range(2):
        for number in range(6):
            assert s3.get_object(Bucket="bucket", Key=f"{number}")["Body"].read() == b"%d" % number * 1000
        for number in range(6):
            s3.put_object(Bucket="bucket", Key=f"{number}", Body=b"%d" % number * 1000, **SSE_S3)
        assert s3.get_object(Bucket="bucket", Key="own", **sse_c())["Body"].read() == b"own"
        if not turn:
            server.stop()
            server.start()
            s3 = server.client()
    server.fsck()


def test_the_command_line_sets_the_default(http_server: Server) -> None:
    bucket = "enc-" + secrets.token_hex(6)
    http_server.client().create_bucket(Bucket=bucket)
    assert (
        "encryption AES256" in pixgate("buckets", "set", bucket, "--encryption", "AES256", data=http_server.data).stdout
    )
    assert http_server.client().put_object(Bucket=bucket, Key="k", Body=b"x")["ServerSideEncryption"] == "AES256"
    pixgate("buckets", "set", bucket, "--encryption", "none", data=http_server.data)
    assert "ServerSideEncryption" not in http_server.client().put_object(Bucket=bucket, Key="k", Body=b"x")


def test_a_presigned_url_needs_the_key_too(https_server: Server) -> None:
    """The headers are signed with the URL, and sent by whoever uses it."""
    s3 = https_server.client(signature_version="s3v4")
    bucket = "enc-" + secrets.token_hex(6)
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="k", Body=b"secret", **sse_c())
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k", **sse_c()})
    path = url.removeprefix(https_server.url)
    name = "x-amz-server-side-encryption-customer-"
    headers = {
        f"{name}algorithm": "AES256",
        f"{name}key": base64.b64encode(KEY).decode(),
        f"{name}key-MD5": base64.b64encode(hashlib.md5(KEY).digest()).decode(),
    }
    assert https_server.fetch(path, headers) == (200, b"secret")
    assert https_server.fetch(path)[0] == 403
    plain = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"})
    assert https_server.fetch(plain.removeprefix(https_server.url))[0] == 400


def test_keys_are_in_no_log(http_server: Server) -> None:
    s3 = http_server.client()
    bucket, own = "enc-" + secrets.token_hex(6), secrets.token_bytes(32)
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="k", Body=b"secret", **sse_c(own))
    with refused(400, "InvalidArgument"):
        s3.put_object(Bucket=bucket, Key="k", Body=b"x", **sse_c(own + b"longer"))
    s3.get_object(Bucket=bucket, Key="k", **sse_c(own))["Body"].read()
    deadline = time.monotonic() + 60
    # The last request is logged after its answer; what came before it is in the log by then.
    while (log := http_server.log.read_bytes()).count(bucket.encode()) < 4:
        assert time.monotonic() < deadline, "the requests are not in the log"
        time.sleep(0.05)
    assert base64.b64encode(own)[:40] not in log
    assert own.hex().encode() not in log
