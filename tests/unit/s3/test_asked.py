from __future__ import annotations

import pytest

from gateway.s3.asked import refuse_unbuilt
from gateway.s3.errors import S3Error


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("x-amz-server-side-encryption-aws-kms-key-id", "alias/x", "NotImplemented"),
        ("x-amz-server-side-encryption-context", "e30=", "NotImplemented"),
        ("x-amz-server-side-encryption-bucket-key-enabled", "true", "NotImplemented"),
        ("x-amz-object-lock-mode", "GOVERNANCE", "InvalidRequest"),
        ("x-amz-object-lock-legal-hold", "ON", "InvalidRequest"),
        ("x-amz-website-redirect-location", "/x", "NotImplemented"),
        ("x-amz-storage-class", "GLACIER", "NotImplemented"),
        ("x-amz-storage-class", "CHEAP", "InvalidStorageClass"),
        ("x-amz-acl", "public-read", "AccessControlListNotSupported"),
        ("x-amz-acl", "mine", "InvalidArgument"),
        ("x-amz-grant-read", "id=x", "AccessControlListNotSupported"),
        ("x-amz-bypass-governance-retention", "true", "InvalidArgument"),
        ("x-amz-bucket-object-lock-enabled", "true", "NotImplemented"),
        ("x-amz-object-ownership", "ObjectWriter", "NotImplemented"),
        ("x-amz-object-ownership", "Nobody", "InvalidArgument"),
        ("x-amz-checksum-sha512", "x", "NotImplemented"),
        ("x-amz-write-offset-bytes", "0", "NotImplemented"),
        ("x-amz-never-heard-of", "x", "NotImplemented"),
    ],
)
def test_what_is_not_built_is_refused(name: str, value: str, code: str) -> None:
    with pytest.raises(S3Error) as caught:
        refuse_unbuilt({"host": "h", name: value})
    assert caught.value.code == code
    if code == "NotImplemented":
        assert caught.value.fields == (("Header", name),)
        assert name in str(caught.value), "clients show nothing but the message"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-amz-storage-class", "STANDARD"),
        ("x-amz-acl", "private"),
        ("x-amz-acl", "bucket-owner-full-control"),
        ("x-amz-bypass-governance-retention", "false"),
        ("x-amz-object-ownership", "BucketOwnerEnforced"),
        ("x-amz-server-side-encryption-bucket-key-enabled", "false"),
        ("x-amz-server-side-encryption", "AES256"),
        ("x-amz-server-side-encryption-customer-algorithm", "AES256"),
        ("x-amz-copy-source-server-side-encryption-customer-key", "x"),
        ("x-amz-meta-server-side-encryption", "AES256"),
        ("x-amz-request-payer", "requester"),
        ("x-amz-tagging-count", "2"),
        ("x-amz-date", "20240101T000000Z"),
        ("content-type", "x-amz-whatever"),
    ],
)
def test_what_asks_for_nothing_special_passes(name: str, value: str) -> None:
    refuse_unbuilt({name: value})
