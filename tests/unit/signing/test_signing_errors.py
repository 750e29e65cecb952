from __future__ import annotations

import inspect
from xml.etree import ElementTree

import pytest

from signing import errors

EXAMPLES: list[errors.SigningError] = [
    errors.AuthorizationHeaderMalformed("missing Credential."),
    errors.AuthorizationHeaderMalformed("the region is wrong", region="eu-west-1"),
    errors.AuthorizationQueryParametersError("X-Amz-Expires should be a number"),
    errors.SignatureDoesNotMatch(),
    errors.SignatureDoesNotMatch(access_key="A", string_to_sign="x\ny", canonical_request="\udce4", signature="0"),
    errors.RequestTimeTooSkewed(request_time="20240102T030405Z", server_time="2024-01-02T04:04:05Z", max_skew=900),
    errors.AccessDenied("Access Denied"),
    errors.MissingDate(),
    errors.RequestExpired(expires_in=60, expired_at="2024-01-02T03:05:05Z", server_time="2024-01-02T03:05:06Z"),
    errors.RequestNotYetValid(valid_from="2024-01-02T03:05:05Z", server_time="2024-01-02T02:05:06Z"),
    errors.HeadersNotSigned(("x-amz-acl", "x-amz-meta-a")),
    errors.InvalidArgument("No", name="x-amz-content-sha256", value="abc"),
    errors.InvalidArgument("No"),
    errors.InvalidRequest("No"),
    errors.MissingContentSha256(),
    errors.NotImplementedSigning("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"),
    errors.InvalidChunkSizeError(chunk=2, size=100),
    errors.IncompleteBody(),
    errors.MalformedTrailerError(),
    errors.XAmzContentSHA256Mismatch(declared="a" * 64, computed="b" * 64),
    errors.LinkRefused(),
]


def test_there_is_an_example_of_every_error() -> None:
    every = {
        value for _, value in inspect.getmembers(errors, inspect.isclass) if issubclass(value, errors.SigningError)
    }
    assert every - {errors.SigningError} == {type(example) for example in EXAMPLES}


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_error_can_be_answered_as_xml(error: errors.SigningError) -> None:
    assert error.code.isalnum()
    assert str(error)[0].isupper()
    names = [name for name, _ in error.fields]
    assert len(set(names)) == len(names)
    for name, value in error.fields:
        assert name.replace("-", "").isalnum()
        element = ElementTree.Element(name)
        element.text = value
        assert ElementTree.fromstring(ElementTree.tostring(element)).text == (value or None)


def test_what_xml_cannot_hold_is_replaced() -> None:
    error = errors.InvalidArgument("The \0 and \udcff", name="x", value="\x1f\ufffe ü\n")
    assert str(error) == "The \ufffd and \ufffd"
    assert error.fields[1] == ("ArgumentValue", "\ufffd\ufffd ü\n")


def test_bytes_of_what_was_signed_are_those_received() -> None:
    error = errors.SignatureDoesNotMatch(string_to_sign="x", canonical_request="ä\udce4")
    assert dict(error.fields)["CanonicalRequestBytes"] == "c3 a4 e4"


def test_mismatch_tells_both_digests() -> None:
    error = errors.XAmzContentSHA256Mismatch(declared="a" * 64, computed="b" * 64)
    assert error.fields == (("ClientComputedContentSHA256", "a" * 64), ("S3ComputedContentSHA256", "b" * 64))
