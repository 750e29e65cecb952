"""What the headers of server-side encryption ask for, and what is wrong with them."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from gateway.blobs.encryption.keys import salted
from gateway.model.contents import Content, Encryption, Sealing
from gateway.model.uploads import MultipartUpload
from gateway.s3.call import Call
from gateway.s3.encryption_headers import (
    asked_encryption,
    encryption_headers,
    part_key,
    reading_key,
    source_key,
)
from gateway.s3.errors import S3Error

KEY = bytes(range(32))
OTHER = bytes(32)
SSE = "x-amz-server-side-encryption"
SOURCE = "x-amz-copy-source-server-side-encryption"


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def customer(key: bytes = KEY, prefix: str = SSE) -> dict[str, str]:
    return {
        f"{prefix}-customer-algorithm": "AES256",
        f"{prefix}-customer-key": b64(key),
        f"{prefix}-customer-key-md5": b64(hashlib.md5(key).digest()),
    }


@dataclass
class Asking:
    """As much of a call as the headers need."""

    headers: dict[str, str] = field(default_factory=dict)
    secure: bool = True


def call(headers: dict[str, str] | None = None, *, secure: bool = True) -> Call:
    return cast("Call", Asking(headers or {}, secure))


CONTENT = Content(1, b"u" * 16, 3, "etag", None, 0, 0, None)
SSE_S3 = replace(CONTENT, encryption=Encryption.SSE_S3)
SSE_C = replace(CONTENT, encryption=Encryption.SSE_C, customer_key=salted(KEY))


def refused(code: str, part: str = ".") -> Any:
    return pytest.raises(S3Error, match=part, check=lambda error: error.code == code)


def test_a_write_that_asks_for_nothing() -> None:
    assert asked_encryption(call({"content-type": "x"})) == (None, None)
    assert encryption_headers(None) == []


def test_a_write_with_the_servers_key() -> None:
    assert asked_encryption(call({SSE: "AES256"})) == (Sealing(), None)
    assert encryption_headers(Encryption.SSE_S3) == [(SSE, "AES256")]


def test_a_write_with_a_customers_key() -> None:
    sealing, key = asked_encryption(call(customer()))
    assert sealing == Sealing(KEY)
    assert key is not None
    assert sealing.encryption is Encryption.SSE_C
    assert encryption_headers(Encryption.SSE_C, key) == [
        (f"{SSE}-customer-algorithm", "AES256"),
        (f"{SSE}-customer-key-MD5", b64(hashlib.md5(KEY).digest())),
    ]
    assert str(KEY) not in repr(sealing) + repr(key)


@pytest.mark.parametrize("value", ["aws:kms", "aws:kms:dsse", "aws:fsx", "aws:backup"])
def test_what_is_not_built(value: str) -> None:
    with refused("NotImplemented"):
        asked_encryption(call({SSE: value}))


@pytest.mark.parametrize("value", ["aes256", "AES512", ""])
def test_what_is_nothing(value: str) -> None:
    with refused("InvalidArgument", "method specified is not supported"):
        asked_encryption(call({SSE: value}))


@pytest.mark.parametrize(
    ("change", "code", "part"),
    [
        ({SSE: "AES256"}, "InvalidArgument", "incompatible"),
        ({f"{SSE}-customer-algorithm": "AES128"}, "InvalidEncryptionAlgorithmError", "Supported value: AES256"),
        ({f"{SSE}-customer-algorithm": None}, "InvalidArgument", "valid encryption algorithm"),
        ({f"{SSE}-customer-key": None}, "InvalidArgument", "appropriate secret key"),
        ({f"{SSE}-customer-key": "!!"}, "InvalidArgument", "appropriate secret key"),
        ({f"{SSE}-customer-key-md5": None}, "InvalidArgument", "client calculated MD5"),
        ({f"{SSE}-customer-key-md5": b64(bytes(16))}, "InvalidArgument", "did not match the hash"),
        ({f"{SSE}-customer-key": b64(OTHER)}, "InvalidArgument", "did not match the hash"),
        (customer(b"short"), "InvalidArgument", "secret key was invalid"),
    ],
)
def test_keys_that_are_none(change: dict[str, str | None], code: str, part: str) -> None:
    headers = {name: value for name, value in {**customer(), **change}.items() if value is not None}
    with refused(code, part) as caught:
        asked_encryption(call(headers))
    assert b64(KEY) not in str(caught.value.fields)


def test_keys_come_only_over_secure_lines() -> None:
    for ask in (
        lambda: asked_encryption(call(customer(), secure=False)),
        lambda: reading_key(call(customer(), secure=False), SSE_C),
        lambda: source_key(call(customer(prefix=SOURCE), secure=False), SSE_C),
    ):
        with refused("InvalidRequest", "secure connection"):
            ask()
    assert asked_encryption(call({SSE: "AES256"}, secure=False)) == (Sealing(), None)


def test_reading() -> None:
    assert reading_key(call(), CONTENT) is None
    assert reading_key(call(), SSE_S3) is None
    key = reading_key(call(customer()), SSE_C)
    assert key is not None
    assert key.secret == KEY
    with refused("InvalidRequest", "stored using a form of Server Side Encryption"):
        reading_key(call(), SSE_C)
    with refused("AccessDenied", "correct secret key"):
        reading_key(call(customer(OTHER)), SSE_C)
    with refused("AccessDenied", "correct secret key"):
        reading_key(call(customer(b"of another length")), SSE_C)
    for content in (CONTENT, SSE_S3):
        with refused("InvalidRequest", "not applicable"):
            reading_key(call(customer()), content)
        with refused("InvalidArgument", "not supported for this operation"):
            reading_key(call({SSE: "AES256"}), content)


def test_the_source_of_a_copy_has_headers_of_its_own() -> None:
    assert source_key(call(customer()), CONTENT) is None
    key = source_key(call(customer(prefix=SOURCE)), SSE_C)
    assert key is not None
    assert key.secret == KEY
    with refused("InvalidRequest", "stored using a form"):
        source_key(call(customer()), SSE_C)
    with refused("InvalidRequest", "not applicable"):
        source_key(call(customer(prefix=SOURCE)), SSE_S3)


def upload(encryption: Encryption | None) -> MultipartUpload:
    kept = salted(KEY) if encryption is Encryption.SSE_C else None
    blank: Any = None
    return MultipartUpload(1, "u", 1, b"k", (), (), blank, blank, False, "", 0, encryption, kept)


def test_parts() -> None:
    assert part_key(call(), upload(None)) is None
    assert part_key(call(), upload(Encryption.SSE_S3)) is None
    assert part_key(call({SSE: "AES256"}), upload(Encryption.SSE_S3)) is None
    key = part_key(call(customer()), upload(Encryption.SSE_C))
    assert key is not None
    assert key.secret == KEY
    with refused("InvalidRequest", "did not match the ones used originally"):
        part_key(call(customer(OTHER)), upload(Encryption.SSE_C))
    with refused("InvalidRequest", "upload initiate requested encryption"):
        part_key(call(), upload(Encryption.SSE_C))
    for encryption in (None, Encryption.SSE_S3):
        with refused("InvalidRequest", "upload initiate requested encryption"):
            part_key(call(customer()), upload(encryption))
    with refused("InvalidArgument", "not supported for this operation"):
        part_key(call({SSE: "AES256"}), upload(None))


def test_a_completion_may_leave_the_key_out() -> None:
    assert part_key(call(), upload(Encryption.SSE_C), required=False) is None
    assert part_key(call(customer()), upload(Encryption.SSE_C), required=False) is not None
    with refused("InvalidRequest", "did not match"):
        part_key(call(customer(OTHER)), upload(Encryption.SSE_C), required=False)
    with refused("InvalidRequest", "requested encryption"):
        part_key(call(customer()), upload(None), required=False)
