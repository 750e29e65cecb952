"""The keys of blobs. Each sealed blob has a key of its own, which lies in the database, wrapped.

What wraps is the master key (SSE-S3) or the key that a customer sends with each request (SSE-C). A wrapped key is

    format (1 byte) | what wraps (1) | id of what wraps (8) | id of the blob (16) | the blob's key, sealed (32 + 16)

The blob's key is sealed with AES-256-GCM under HMAC-SHA256(what wraps, purpose | id of the blob): a key that wraps this
blob's key and nothing else, so that its nonce may be constant. What stands before it is associated data.
"""

from __future__ import annotations

import enum
import hashlib
import hmac
import os
from dataclasses import dataclass, field
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.errors import BlobDamaged

KEY_BYTES = 32
BLOB_ID_BYTES = 16
WRAPPER_ID_BYTES = 8
SALT_BYTES = 16
FORMAT = 1
_HEAD_BYTES = 2 + WRAPPER_ID_BYTES + BLOB_ID_BYTES
WRAPPED_BYTES = _HEAD_BYTES + KEY_BYTES + 16
_NONCE = bytes(12)
_PURPOSE = b"pixgate: wrap the key of a blob"
_IDENTITY = b"pixgate: id of a master key"
_CUSTOMER = b"pixgate: check of a customer's key"


class Wrapper(enum.IntEnum):
    """What wraps a blob's key."""

    MASTER = 1
    CUSTOMER = 2


@dataclass(frozen=True, slots=True)
class DataKey:
    """The key of one blob and the blob's id, which is random and lies nowhere but with the wrapped key."""

    secret: bytes = field(repr=False)
    blob_id: bytes


def new_data_key() -> DataKey:
    return DataKey(os.urandom(KEY_BYTES), os.urandom(BLOB_ID_BYTES))


class WrappedHead(NamedTuple):
    """What a wrapped key tells without being opened. `wrapper_id` is zero for a customer's key."""

    wrapper: Wrapper
    wrapper_id: bytes
    blob_id: bytes


def head(wrapped: bytes) -> WrappedHead:
    """Raises BlobDamaged for what is no wrapped key of this format."""
    if len(wrapped) != WRAPPED_BYTES or wrapped[0] != FORMAT or wrapped[1] not in (1, 2):
        raise BlobDamaged("The key of a stored blob is not of a known format.")
    return WrappedHead(Wrapper(wrapped[1]), wrapped[2 : 2 + WRAPPER_ID_BYTES], wrapped[10:_HEAD_BYTES])


class WrappingKey:
    """A key that wraps the keys of blobs. Its bytes are in no repr."""

    __slots__ = ("_secret", "id", "wrapper")

    def __init__(self, secret: bytes, wrapper: Wrapper) -> None:
        if len(secret) != KEY_BYTES:
            raise ValueError("a wrapping key has 32 bytes")
        self._secret = secret
        self.wrapper = wrapper
        # Of a customer's key nothing is kept that would tell that two objects have the same one.
        self.id = bytes(WRAPPER_ID_BYTES)
        if wrapper is Wrapper.MASTER:
            self.id = hmac.digest(secret, _IDENTITY, hashlib.sha256)[:WRAPPER_ID_BYTES]

    def _cipher(self, blob_id: bytes) -> AESGCM:
        return AESGCM(hmac.digest(self._secret, _PURPOSE + blob_id, hashlib.sha256))

    def wrap(self, key: DataKey) -> bytes:
        before = bytes((FORMAT, self.wrapper)) + self.id + key.blob_id
        return before + self._cipher(key.blob_id).encrypt(_NONCE, key.secret, before)

    def unwrap(self, wrapped: bytes) -> DataKey:
        """Raises BlobDamaged where another key wrapped it, or it was changed."""
        blob_id = head(wrapped).blob_id
        try:
            secret = self._cipher(blob_id).decrypt(_NONCE, wrapped[_HEAD_BYTES:], wrapped[:_HEAD_BYTES])
        except InvalidTag:
            raise BlobDamaged("The key of a stored blob does not open.") from None
        return DataKey(secret, blob_id)


def salted(customer_key: bytes, salt: bytes = b"") -> bytes:
    """What is kept of a customer's key: a salt and an HMAC over it, which tell the key to nobody."""
    salt = salt or os.urandom(SALT_BYTES)
    return salt + hmac.digest(customer_key, _CUSTOMER + salt, hashlib.sha256)


def is_customer_key(kept: bytes, customer_key: bytes) -> bool:
    """Whether `kept` is of this key, in constant time."""
    return hmac.compare_digest(kept, salted(customer_key, kept[:SALT_BYTES]))
