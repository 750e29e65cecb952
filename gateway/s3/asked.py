"""What `x-amz-*` headers ask for beyond what is built: an error, never overlooked, or a client would believe otherwise.

Every header of AWS's operations is in one of three sets: read by a handler, harmless, or refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gateway.s3.errors import S3Error, invalid_argument, not_implemented

READ = frozenset(
    {
        "x-amz-checksum-algorithm",
        "x-amz-checksum-crc32",
        "x-amz-checksum-crc32c",
        "x-amz-checksum-crc64nvme",
        "x-amz-checksum-mode",
        "x-amz-checksum-sha1",
        "x-amz-checksum-sha256",
        "x-amz-checksum-type",
        "x-amz-content-sha256",
        "x-amz-copy-source",
        "x-amz-copy-source-if-match",
        "x-amz-copy-source-if-modified-since",
        "x-amz-copy-source-if-none-match",
        "x-amz-copy-source-if-unmodified-since",
        "x-amz-copy-source-range",
        "x-amz-copy-source-server-side-encryption-customer-algorithm",
        "x-amz-copy-source-server-side-encryption-customer-key",
        "x-amz-copy-source-server-side-encryption-customer-key-md5",
        "x-amz-date",
        "x-amz-decoded-content-length",
        "x-amz-expected-bucket-owner",
        "x-amz-max-parts",
        "x-amz-metadata-directive",
        "x-amz-mp-object-size",
        "x-amz-object-attributes",
        "x-amz-part-number-marker",
        "x-amz-sdk-checksum-algorithm",
        "x-amz-security-token",
        "x-amz-server-side-encryption",
        "x-amz-server-side-encryption-customer-algorithm",
        "x-amz-server-side-encryption-customer-key",
        "x-amz-server-side-encryption-customer-key-md5",
        "x-amz-source-expected-bucket-owner",
        "x-amz-tagging",
        "x-amz-tagging-directive",
        "x-amz-trailer",
    }
)
HARMLESS = frozenset(
    {
        "x-amz-cf-id",
        "x-amz-mfa",
        "x-amz-object-annotation-directive",
        "x-amz-optional-object-attributes",
        "x-amz-request-payer",
        "x-amz-tagging-count",
        "x-amz-user-agent",
    }
)
"""They change nothing where there is no MFA delete, no annotation, no archive and no requester who pays. The count of tags is
an answer's header, which s3cmd sends back with a copy."""

_STORAGE_CLASSES = frozenset(
    {
        "REDUCED_REDUNDANCY",
        "STANDARD_IA",
        "ONEZONE_IA",
        "INTELLIGENT_TIERING",
        "GLACIER",
        "DEEP_ARCHIVE",
        "OUTPOSTS",
        "GLACIER_IR",
        "SNOW",
        "EXPRESS_ONEZONE",
        "FSX_OPENZFS",
        "FSX_ONTAP",
    }
)
_CANNED_ACLS = frozenset(
    {
        "public-read",
        "public-read-write",
        "authenticated-read",
        "aws-exec-read",
        "bucket-owner-read",
        "log-delivery-write",
    }
)

Refusal = Callable[[str, str], S3Error | None]


def _unbuilt(name: str, _value: str) -> S3Error:
    return not_implemented(name)


def _unless(*allowed: str) -> Refusal:
    """Not built, unless the value is what there is anyway."""

    def refuse(name: str, value: str) -> S3Error | None:
        return None if value.lower() in allowed else not_implemented(name)

    return refuse


def _no_object_lock(_name: str, _value: str) -> S3Error:
    return S3Error("InvalidRequest", "Bucket is missing Object Lock Configuration")


def _bypass(name: str, value: str) -> S3Error | None:
    if value.lower() == "false":
        return None
    return invalid_argument(f"{name} is only applicable to Object Lock enabled buckets.", name, value)


def _storage_class(name: str, value: str) -> S3Error | None:
    if value == "STANDARD":
        return None
    if value in _STORAGE_CLASSES:
        return not_implemented(name)
    return S3Error("InvalidStorageClass", fields=(("StorageClassRequested", value[:128]),))


def _acl(name: str, value: str) -> S3Error | None:
    if value in ("private", "bucket-owner-full-control"):
        return None
    if value in _CANNED_ACLS:
        return S3Error("AccessControlListNotSupported")
    return invalid_argument("Invalid canned ACL", name, value)


def _grant(_name: str, _value: str) -> S3Error:
    return S3Error("AccessControlListNotSupported")


def _ownership(name: str, value: str) -> S3Error | None:
    if value == "BucketOwnerEnforced":
        return None
    if value in ("BucketOwnerPreferred", "ObjectWriter"):
        return not_implemented(name)
    return invalid_argument(f"Invalid {name} header value.", name, value)


REFUSED: dict[str, Refusal] = {
    "x-amz-acl": _acl,
    "x-amz-bucket-namespace": _unless("global"),
    "x-amz-bucket-object-lock-enabled": _unless("false"),
    "x-amz-bypass-governance-retention": _bypass,
    "x-amz-checksum-md5": _unbuilt,
    "x-amz-checksum-sha512": _unbuilt,
    "x-amz-checksum-xxhash128": _unbuilt,
    "x-amz-checksum-xxhash3": _unbuilt,
    "x-amz-checksum-xxhash64": _unbuilt,
    "x-amz-grant-full-control": _grant,
    "x-amz-grant-read": _grant,
    "x-amz-grant-read-acp": _grant,
    "x-amz-grant-write": _grant,
    "x-amz-grant-write-acp": _grant,
    "x-amz-if-match-initiated-time": _unbuilt,
    "x-amz-if-match-last-modified-time": _unbuilt,
    "x-amz-if-match-size": _unbuilt,
    "x-amz-object-lock-event-hold": _no_object_lock,
    "x-amz-object-lock-event-hold-duration-days": _no_object_lock,
    "x-amz-object-lock-event-hold-duration-years": _no_object_lock,
    "x-amz-object-lock-legal-hold": _no_object_lock,
    "x-amz-object-lock-mode": _no_object_lock,
    "x-amz-object-lock-retain-until-date": _no_object_lock,
    "x-amz-object-ownership": _ownership,
    "x-amz-server-side-encryption-aws-kms-key-id": _unbuilt,
    "x-amz-server-side-encryption-bucket-key-enabled": _unless("false"),
    "x-amz-server-side-encryption-context": _unbuilt,
    "x-amz-storage-class": _storage_class,
    "x-amz-website-redirect-location": _unbuilt,
    "x-amz-write-offset-bytes": _unbuilt,
}
"""What each of them is answered with; None: its value asks for nothing special."""


def refuse_unbuilt(headers: Mapping[str, str]) -> None:
    """Raises S3Error for the first header that asks for what is not built. `headers` have lower-case names."""
    for name, value in headers.items():
        if not name.startswith("x-amz-") or name in READ or name in HARMLESS or name.startswith("x-amz-meta-"):
            continue
        refusal = REFUSED.get(name)
        error = not_implemented(name) if refusal is None else refusal(name, value)
        if error is not None:
            raise error
