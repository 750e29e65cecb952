"""Continuation tokens: opaque to clients, a version byte and what resumes the listing to us."""

from __future__ import annotations

import base64
import binascii

from gateway.s3.errors import invalid_argument

_VERSION = b"\x01"


def encode_token(position: bytes, kind: str) -> str:
    """A token for `position`; `kind` keeps the tokens of different listings apart."""
    return base64.urlsafe_b64encode(_VERSION + kind.encode() + b"\0" + position).decode()


def decode_token(token: str, kind: str) -> bytes:
    """The position of a token that `encode_token` made. Raises S3Error InvalidArgument."""
    try:
        raw = base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True)
        expected = _VERSION + kind.encode() + b"\0"
        if not raw.startswith(expected):
            raise ValueError
        position = raw[len(expected) :]
        position.decode("utf-8")
    except (ValueError, binascii.Error):
        raise invalid_argument("The continuation token provided is incorrect", "continuation-token", token) from None
    return position
