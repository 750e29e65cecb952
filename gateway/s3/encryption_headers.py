"""The headers of server-side encryption: what a write asks for, the key that a request brings, what an answer tells.

Sources: https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerSideEncryptionCustomerKeys.html
and https://docs.aws.amazon.com/AmazonS3/latest/userguide/specifying-s3-encryption.html
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass, field

from gateway.blobs.encryption.keys import KEY_BYTES, is_customer_key
from gateway.model.contents import Content, Encryption, Sealing
from gateway.model.uploads import MultipartUpload
from gateway.s3.call import Call
from gateway.s3.errors import S3Error, invalid_argument, not_implemented

SSE = "x-amz-server-side-encryption"
_SOURCE = "x-amz-copy-source-server-side-encryption"
_ALGORITHM, _KEY, _KEY_MD5 = "-customer-algorithm", "-customer-key", "-customer-key-md5"
CUSTOMER_HEADERS = frozenset({SSE + _ALGORITHM, SSE + _KEY, SSE + _KEY_MD5})
SOURCE_CUSTOMER_HEADERS = frozenset({_SOURCE + _ALGORITHM, _SOURCE + _KEY, _SOURCE + _KEY_MD5})
_READ_HEADERS = CUSTOMER_HEADERS | {SSE}
_UNBUILT = frozenset({"aws:kms", "aws:kms:dsse", "aws:fsx", "aws:backup"})
_WITH = "Requests specifying Server Side Encryption with Customer provided keys must "


@dataclass(frozen=True, slots=True)
class CustomerKey:
    """A key that a request brings, and its MD5 in base64, which answers repeat."""

    secret: bytes = field(repr=False)
    md5: str


def _bad(message: str) -> S3Error:
    # Also of a copy's source, and without the value, which may be a key.
    return invalid_argument(message, SSE, "null")


def _customer_key(call: Call, prefix: str, names: frozenset[str], *, writing: bool) -> CustomerKey | None:
    headers = call.headers
    if names.isdisjoint(headers):
        return None
    if not call.secure:
        raise S3Error("InvalidRequest", _WITH + "be made over a secure connection.")
    algorithm, text = headers.get(prefix + _ALGORITHM), headers.get(prefix + _KEY)
    digest = headers.get(prefix + _KEY_MD5)
    if algorithm is None:
        raise _bad(_WITH + "provide a valid encryption algorithm.")
    if algorithm != Encryption.SSE_S3:
        raise S3Error(
            "InvalidEncryptionAlgorithmError", fields=(("ArgumentName", SSE), ("ArgumentValue", algorithm[:128]))
        )
    if text is None:
        raise _bad(_WITH + "provide an appropriate secret key.")
    if digest is None:
        raise _bad(_WITH + "provide the client calculated MD5 of the secret key.")
    try:
        secret = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise _bad(_WITH + "provide an appropriate secret key.") from None
    md5 = base64.b64encode(hashlib.md5(secret, usedforsecurity=False).digest()).decode()
    if md5 != digest.strip():
        raise _bad("The calculated MD5 hash of the key did not match the hash that was provided.")
    # A key of another length opens nothing: a read says so with the answer to any wrong key.
    if writing and len(secret) != KEY_BYTES:
        raise _bad("The secret key was invalid for the specified algorithm.")
    return CustomerKey(secret, md5)


def asked_encryption(call: Call) -> tuple[Sealing | None, CustomerKey | None]:
    """What PutObject, CopyObject or CreateMultipartUpload asks for; (None, None) for the bucket's default.

    Raises S3Error InvalidArgument, InvalidRequest, InvalidEncryptionAlgorithmError, NotImplemented.
    """
    headers = call.headers
    if _READ_HEADERS.isdisjoint(headers):
        return None, None
    value = headers.get(SSE)
    if value is not None:
        if not CUSTOMER_HEADERS.isdisjoint(headers):
            raise invalid_argument(
                "Server Side Encryption with Customer provided key is incompatible with the encryption method "
                "specified",
                SSE,
                value,
            )
        if value in _UNBUILT:
            raise not_implemented(SSE)
        if value != Encryption.SSE_S3:
            raise invalid_argument("The encryption method specified is not supported", SSE, value)
        return Sealing(), None
    key = _customer_key(call, SSE, CUSTOMER_HEADERS, writing=True)
    return (None if key is None else Sealing(key.secret)), key


def reading_key(call: Call, content: Content) -> CustomerKey | None:
    """The key for an object that is read, which is the right one; None where it needs none.

    Raises S3Error InvalidRequest (a key that is missing or of no use), AccessDenied (another key).
    """
    if content.encryption is None and _READ_HEADERS.isdisjoint(call.headers):
        return None
    if SSE in call.headers:
        raise invalid_argument(f"{SSE} header is not supported for this operation.", SSE, call.headers[SSE])
    return _matching(_customer_key(call, SSE, CUSTOMER_HEADERS, writing=False), content)


def source_key(call: Call, content: Content) -> CustomerKey | None:
    """The same for the source of a copy, from its own headers."""
    return _matching(_customer_key(call, _SOURCE, SOURCE_CUSTOMER_HEADERS, writing=False), content)


def _matching(key: CustomerKey | None, content: Content) -> CustomerKey | None:
    if content.encryption is not Encryption.SSE_C:
        if key is not None:
            raise S3Error("InvalidRequest", "The encryption parameters are not applicable to this object.")
        return None
    if key is None:
        raise S3Error(
            "InvalidRequest",
            "The object was stored using a form of Server Side Encryption. The correct parameters must be provided to "
            "retrieve the object.",
        )
    if not is_customer_key(content.customer_key or b"", key.secret):
        raise S3Error("AccessDenied", _WITH + "provide the correct secret key.")
    return key


def part_key(call: Call, upload: MultipartUpload, *, required: bool = True) -> CustomerKey | None:
    """The key that a part of this upload is encrypted with, which is the upload's; None where that has none.

    Raises S3Error InvalidRequest where the part asks for something else than the upload did. Without `required`, as for
    a completion, the key may be missing.
    """
    value = call.headers.get(SSE)
    if value is not None and value != upload.encryption:
        raise invalid_argument(f"{SSE} header is not supported for this operation.", SSE, value)
    key = _customer_key(call, SSE, CUSTOMER_HEADERS, writing=True)
    if (key is None) == (upload.encryption is Encryption.SSE_C) and (required or key is not None):
        raise S3Error(
            "InvalidRequest",
            "The multipart upload initiate requested encryption. Subsequent part requests must include the appropriate "
            "encryption parameters.",
        )
    if key is not None and not is_customer_key(upload.customer_key or b"", key.secret):
        raise S3Error("InvalidRequest", "The provided encryption parameters did not match the ones used originally.")
    return key


def encryption_headers(encryption: Encryption | None, key: CustomerKey | None = None) -> list[tuple[str, str]]:
    """What an answer tells of the encryption of what was written or read."""
    if encryption is None:
        return []
    if encryption is Encryption.SSE_S3:
        return [(SSE, Encryption.SSE_S3.value)]
    told = [(SSE + _ALGORITHM, Encryption.SSE_S3.value)]
    if key is not None:
        told.append((SSE + "-customer-key-MD5", key.md5))
    return told
