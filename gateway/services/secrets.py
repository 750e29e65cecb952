"""The master key, and what it seals: the secrets of access keys, which SigV4 needs back in the clear.

The key lies outside the database; the database holds a check value, so that a node with another key refuses to start.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.blobs.encryption.keys import Wrapper, WrappingKey
from gateway.errors import InvalidValue

KEY_BYTES = 32
NONCE_BYTES = 12
CHECK_NAME = "master_key_check"


class MasterKey:
    """A 256-bit key. Its bytes are in no repr."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise InvalidValue("the master key must be 32 bytes: 64 hex digits, as `openssl rand -hex 32` prints them")
        self._key = key
        self._cipher = AESGCM(key)
        self.wrapping = WrappingKey(hmac.digest(key, b"pixgate: keys of blobs", hashlib.sha256), Wrapper.MASTER)
        """What wraps the keys of encrypted blobs."""

    def seal(self, secret: str, context: str) -> bytes:
        """Encrypt a secret for one place: it opens only with the same context."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, secret.encode(), context.encode())

    def unseal(self, sealed: bytes, context: str) -> str:
        """Raises InvalidValue where the key or the context is another."""
        try:
            return self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], context.encode()).decode()
        except InvalidTag:
            raise InvalidValue("a secret was sealed with another master key") from None

    def check_value(self) -> bytes:
        return hmac.digest(self._key, b"pixgate-master-key-check", hashlib.sha256)

    def derive(self, purpose: bytes) -> bytes:
        """32 bytes for one purpose, from which neither this key nor those of other purposes can be told."""
        return hmac.digest(self._key, b"pixgate-derive " + purpose, hashlib.sha256)

    def hex(self) -> str:
        return self._key.hex()


def parse_master_key(text: str) -> MasterKey:
    """A key from 64 hex digits. Raises InvalidValue."""
    try:
        return MasterKey(bytes.fromhex(text.strip()))
    except ValueError:
        raise InvalidValue(
            "the master key must be 32 bytes: 64 hex digits, as `openssl rand -hex 32` prints them"
        ) from None


def load_master_key(path: Path) -> MasterKey:
    """The key in a file; made, readable by its owner only, where there is none."""
    try:
        return parse_master_key(path.read_text(encoding="ascii"))
    except FileNotFoundError:
        pass
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    new = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(fd, (secrets.token_hex(KEY_BYTES) + "\n").encode())
        os.fsync(fd)
    finally:
        os.close(fd)
    try:
        # Linking fails where another process was faster: then its key is the one.
        os.link(new, path)
    except FileExistsError:
        pass
    finally:
        new.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return parse_master_key(path.read_text(encoding="ascii"))
