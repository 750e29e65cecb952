"""The operation table: complete, unambiguous, and quick for what comes most."""

from __future__ import annotations

import re

import botocore.session
import pytest

from gateway.s3.asked import HARMLESS, READ, REFUSED
from gateway.s3.errors import S3Error
from gateway.s3.operation import BodyKind, Level, Operation
from gateway.s3.resolve import resolve
from gateway.s3.table import BY_NAME, OPERATIONS

MODEL = botocore.session.get_session().get_service_model("s3")
NEEDED = {
    # What AWS tells apart by more than keys of the query.
    "ListDirectoryBuckets": {"max-directory-buckets": "10"},
    "GetObjectAnnotation": {"annotation": "", "annotationName": "n"},
}


def request_of(name: str) -> tuple[str, Level, dict[str, str], dict[str, str]]:
    """The request that AWS's service model gives an operation: its fixed query, and the parameters it cannot lack."""
    model = MODEL.operation_model(name)
    uri = model.http["requestUri"]
    path, _, fixed = uri.partition("?")
    parameters = dict(piece.partition("=")[::2] for piece in fixed.split("&") if piece)
    headers: dict[str, str] = {}
    shape = model.input_shape
    if shape is not None:
        for member in shape.required_members:
            serialization = shape.members[member].serialization
            where = serialization.get("location")
            if where == "querystring":
                parameters.setdefault(serialization["name"], "1")
            elif where == "header":
                headers[serialization["name"].lower()] = "x"
    parameters |= NEEDED.get(name, {})
    level = {"/": Level.SERVICE, "/{Bucket}": Level.BUCKET, "/WriteGetObjectResponse": Level.BUCKET}.get(
        path, Level.OBJECT
    )
    return model.http["method"], level, parameters, headers


@pytest.mark.parametrize("name", MODEL.operation_names)
def test_every_operation_of_the_service_model_finds_its_row(name: str) -> None:
    row = resolve(*request_of(name))
    assert name in (row.name, *row.aliases)


@pytest.mark.parametrize("row", OPERATIONS, ids=lambda row: row.name)
def test_no_row_is_shadowed(row: Operation) -> None:
    parameters = {name: value for name, _, value in (piece.partition("=") for piece in row.query)}
    headers = {row.header: "x"} if row.header else {}
    assert resolve(row.method, row.level, parameters, headers) is row


def test_names_are_those_of_the_service_model() -> None:
    ours = {"PostObject", "PreflightBucket", "PreflightObject", "PreflightService"}
    names = [name for row in OPERATIONS for name in (row.name, *row.aliases)]
    assert len(names) == len(set(names))
    assert set(names) == set(MODEL.operation_names) | ours
    assert BY_NAME["GetObject"].name == "GetObject"


@pytest.mark.parametrize("row", OPERATIONS, ids=lambda row: row.name)
def test_permissions_are_spelled_as_in_iam(row: Operation) -> None:
    assert re.fullmatch(r"(s3|s3express|s3-object-lambda):[A-Z][A-Za-z]+", row.permission)


def test_what_is_built_is_what_was_promised() -> None:
    built = {row.name for row in OPERATIONS if row.built and not row.public}
    assert built == {
        "ListBuckets",
        "CreateBucket",
        "HeadBucket",
        "DeleteBucket",
        "GetBucketLocation",
        "GetBucketEncryption",
        "PutBucketEncryption",
        "DeleteBucketEncryption",
        "PutObject",
        "GetObject",
        "HeadObject",
        "DeleteObject",
        "DeleteObjects",
        "CopyObject",
        "GetObjectAttributes",
        "GetObjectTagging",
        "PutObjectTagging",
        "DeleteObjectTagging",
        "GetBucketAcl",
        "GetObjectAcl",
        "PutBucketAcl",
        "PutObjectAcl",
        "ListObjects",
        "ListObjectsV2",
        "CreateMultipartUpload",
        "UploadPart",
        "UploadPartCopy",
        "CompleteMultipartUpload",
        "AbortMultipartUpload",
        "ListParts",
        "ListMultipartUploads",
        "GetBucketVersioning",
        "PutBucketVersioning",
        "ListObjectVersions",
    }


@pytest.mark.parametrize("row", [row for row in OPERATIONS if row.built], ids=lambda row: row.name)
def test_every_header_of_what_is_built_is_read_or_harmless_or_refused(row: Operation) -> None:
    if row.name not in MODEL.operation_names:
        return
    shape = MODEL.operation_model(row.name).input_shape
    members = shape.members.values() if shape is not None else ()
    names = {
        member.serialization["name"].lower() for member in members if member.serialization.get("location") == "header"
    }
    asked = {name for name in names if name.startswith("x-amz-")}
    assert asked - READ - HARMLESS - REFUSED.keys() == set()


def test_no_header_is_in_two_sets() -> None:
    assert not READ & HARMLESS
    assert not (READ | HARMLESS) & REFUSED.keys()


@pytest.mark.parametrize(
    ("method", "level", "parameters", "code"),
    [
        ("PATCH", Level.OBJECT, {}, "MethodNotAllowed"),
        ("POST", Level.OBJECT, {}, "MethodNotAllowed"),
        ("PUT", Level.SERVICE, {}, "MethodNotAllowed"),
        ("GET", Level.OBJECT, {"cors": ""}, "MethodNotAllowed"),
        ("HEAD", Level.BUCKET, {"versioning": ""}, "MethodNotAllowed"),
        ("DELETE", Level.BUCKET, {"acl": ""}, "MethodNotAllowed"),
        ("PUT", Level.OBJECT, {"versionId": "x"}, "InvalidArgument"),
        ("PUT", Level.OBJECT, {"partNumber": "1"}, "InvalidArgument"),
        ("GET", Level.BUCKET, {"versionId": "x"}, "InvalidArgument"),
        ("HEAD", Level.OBJECT, {"uploadId": "x"}, "InvalidArgument"),
        ("GET", Level.BUCKET, {"list-type": "3"}, "InvalidArgument"),
    ],
)
def test_what_no_operation_means_is_refused(method: str, level: Level, parameters: dict[str, str], code: str) -> None:
    with pytest.raises(S3Error) as caught:
        resolve(method, level, parameters, {})
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("method", "level", "parameters", "name"),
    [
        ("GET", Level.OBJECT, {"x-id": "GetObject", "response-content-type": "a/b", "versionId": "1"}, "GetObject"),
        ("GET", Level.OBJECT, {"anything": "else"}, "GetObject"),
        ("GET", Level.BUCKET, {"prefix": "a"}, "ListObjects"),
        ("GET", Level.BUCKET, {"list-type": "2", "prefix": "a"}, "ListObjectsV2"),
        ("PUT", Level.OBJECT, {"partNumber": "1", "uploadId": "u"}, "UploadPart"),
        ("DELETE", Level.OBJECT, {"tagging": "", "versionId": "v"}, "DeleteObjectTagging"),
    ],
)
def test_parameters_that_do_not_select(method: str, level: Level, parameters: dict[str, str], name: str) -> None:
    assert resolve(method, level, parameters, {}).name == name


def test_a_version_needs_a_permission_of_its_own() -> None:
    assert BY_NAME["GetObject"].permission_for({}) == "s3:GetObject"
    assert BY_NAME["GetObject"].permission_for({"versionId": "v"}) == "s3:GetObjectVersion"
    assert BY_NAME["PutObjectTagging"].permission_for({"versionId": "v"}) == "s3:PutObjectVersionTagging"
    assert BY_NAME["ListParts"].permission_for({"versionId": "v"}) == "s3:ListMultipartUploadParts"


def test_bodies_are_read_only_where_there_is_one_to_read() -> None:
    for row in OPERATIONS:
        if row.method in ("GET", "HEAD", "DELETE", "OPTIONS"):
            assert row.body is BodyKind.NONE
