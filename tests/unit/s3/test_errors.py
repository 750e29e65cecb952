from __future__ import annotations

import inspect

import pytest

from gateway import errors as facts
from gateway.auth import errors as auth_errors
from gateway.blobs.upstream import errors as upstream_errors
from gateway.s3.error_document import error_document
from gateway.s3.errors import CODES, FACTS, S3Error, too_large, translate
from gateway.s3.xml import parse
from signing import errors as signing_errors


def classes(module: object, root: type[Exception]) -> list[type[Exception]]:
    return [value for _, value in inspect.getmembers(module, inspect.isclass) if issubclass(value, root)]


def make(kind: type[Exception]) -> Exception:
    arguments = {
        "message": "text",
        "condition": "If-Match",
        "version_id": "v",
        "modified_ms": 1,
        "number": 1,
        "size": 1,
        "etag": "e",
        "algorithm": "CRC32",
        "limit": 10,
        "remaining": 0,
        "reset_s": 100,
        "retry_after": 7,
        "image_id": "I",
    }
    names = [
        name
        for name, parameter in inspect.signature(kind.__init__).parameters.items()
        if parameter.default is inspect.Parameter.empty and parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    ][1:]
    return kind(*(arguments[name] for name in names))


@pytest.mark.parametrize("kind", classes(facts, facts.GatewayError))
def test_the_map_of_facts_is_total(kind: type[facts.GatewayError]) -> None:
    assert kind in FACTS
    answer = translate(make(kind))
    assert answer is not None
    assert answer.code in CODES
    assert str(answer)


@pytest.mark.parametrize(
    "error",
    [
        upstream_errors.TimedOut("PutObject: nothing came"),
        upstream_errors.ServerError(503, "SlowDown", "PutObject: 503"),
        upstream_errors.Refused(403, "AccessDenied", "PutObject: 403"),
        upstream_errors.BreakerOpen("it failed several times"),
    ],
)
def test_what_a_store_tells_more_exactly_is_unavailable_all_the_same(error: Exception) -> None:
    answer = translate(error)
    assert answer is not None
    assert (answer.status, answer.code) == (503, "ServiceUnavailable")
    assert "Retry-After" in dict(answer.headers)
    assert "PutObject" not in str(answer), "its detail is for the log"


@pytest.mark.parametrize(
    "kind",
    [
        *classes(signing_errors, signing_errors.SigningError),
        *classes(auth_errors, auth_errors.AuthenticationError),
    ],
)
def test_every_refusal_of_a_signature_has_its_row(kind: type[signing_errors.SigningError]) -> None:
    assert kind.code in CODES
    assert CODES[kind.code].status >= 400


def test_a_signing_error_keeps_what_it_tells() -> None:
    answer = translate(signing_errors.AuthorizationHeaderMalformed("the region", region="eu"))
    assert answer is not None
    assert (answer.status, answer.code, answer.fields) == (400, "AuthorizationHeaderMalformed", (("Region", "eu"),))


def test_nobody_foresaw_everything() -> None:
    assert translate(ValueError("secret detail")) is None


def test_a_delete_marker_is_named() -> None:
    gone = translate(facts.ObjectNotFound(delete_marker_version="v1"))
    assert gone is not None
    assert gone.headers == (("x-amz-delete-marker", "true"), ("x-amz-version-id", "v1"))
    marker = translate(facts.IsDeleteMarker("v1", 784111777000))
    assert marker is not None
    assert marker.status == 405
    assert ("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT") in marker.headers


def test_waiting_is_asked_for_in_seconds() -> None:
    full = translate(facts.DiskFull("full"))
    assert full is not None
    assert (full.status, full.headers) == (503, (("Retry-After", "30"),))
    busy = translate(facts.Overloaded("busy"))
    assert busy is not None
    assert busy.code == "SlowDown"


def test_the_document() -> None:
    error = S3Error("NoSuchBucket", fields=(("Extra", "a<b"),))
    text = error_document(error, bucket="b&c", resource="/b&c/\x01", request_id="ID", host_id="HOST")
    document = text.decode()
    assert document.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>NoSuchBucket</Code>')
    assert "<BucketName>b&amp;c</BucketName><Resource>/b&amp;c/\ufffd</Resource>" in document
    read = parse(text.replace(b"&#1;", b""), "Error")
    assert read.require("RequestId") == "ID"
    assert read.require("Extra") == "a<b"


def test_too_large_tells_both_sizes() -> None:
    assert too_large(7).fields == (("ProposedSize", "7"), ("MaxSizeAllowed", str(5 * 1024**3)))
