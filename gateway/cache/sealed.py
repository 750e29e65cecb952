"""A rendition as bytes for places that outlive this process: sealed, so that it is ours, whole and under its own key.

    "PXR1"  key id (4 bytes)  nonce (12 bytes)  AES-256-GCM of: length of the head (2 bytes), head (JSON), image

Each rendition has a key of its own, made from the deployment's and the derivative's. What is garbage, cut, swapped with
another, or was written under another master key does not open, and counts as not there. AES-GCM costs what a CRC32 would
(31 us for 100 KB), so nothing is kept unsealed, whether or not its original is encrypted.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.render.rendition import Rendition
from gateway.render.task import MEDIA_TYPES

MAGIC = b"PXR1"
NONCE_BYTES = 12
_ID_BYTES = 4
_START = len(MAGIC) + _ID_BYTES + NONCE_BYTES


class Sealer:
    """Seals and opens with keys made from `secret` (32 bytes)."""

    def __init__(self, secret: bytes) -> None:
        self._secret = hmac.digest(secret, b"pixgate-renditions-v1", hashlib.sha256)
        self._prefix = MAGIC + hmac.digest(self._secret, b"key-id", hashlib.sha256)[:_ID_BYTES]

    def seal(self, key: bytes, rendition: Rendition) -> bytes:
        facts = [rendition.format, rendition.width, rendition.height, round(rendition.render_ms, 1)]
        head = json.dumps(facts, separators=(",", ":")).encode()
        nonce = os.urandom(NONCE_BYTES)
        plain = b"".join((len(head).to_bytes(2, "big"), head, rendition.data))
        return b"".join((self._prefix, nonce, self._cipher(key).encrypt(nonce, plain, self._prefix)))

    def open(self, key: bytes, sealed: bytes, tier: str) -> Rendition | None:
        """The rendition, or None where these bytes are not one that was sealed for this key."""
        if len(sealed) <= _START or not sealed.startswith(self._prefix):
            return None
        nonce = sealed[_START - NONCE_BYTES : _START]
        try:
            plain = self._cipher(key).decrypt(nonce, memoryview(sealed)[_START:], self._prefix)
        except InvalidTag:
            return None
        end = 2 + int.from_bytes(plain[:2], "big")
        name, width, height, render_ms = json.loads(plain[2:end])
        if name not in MEDIA_TYPES:
            # A later release knew a format that this one does not.
            return None
        return Rendition(plain[end:], MEDIA_TYPES[name], name, width, height, tier, render_ms)

    def _cipher(self, key: bytes) -> AESGCM:
        return AESGCM(hmac.digest(self._secret, key, hashlib.sha256))
