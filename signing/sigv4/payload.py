"""What `x-amz-content-sha256` says of a body."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from hashlib import sha256

from signing.errors import InvalidArgument, NotImplementedSigning

UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
EMPTY_SHA256 = sha256(b"").hexdigest()
_HEX = frozenset("0123456789abcdefABCDEF")


class PayloadMode(enum.Enum):
    """What `x-amz-content-sha256` says of the body. Values are as sent, but for HASHED."""

    HASHED = "<sha256>"
    UNSIGNED = UNSIGNED_PAYLOAD
    STREAMING_SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
    STREAMING_SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
    STREAMING_UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"

    @property
    def chunked(self) -> bool:
        """Whether the body is in aws-chunked framing."""
        return self in _CHUNKED


_CHUNKED = frozenset(
    {PayloadMode.STREAMING_SIGNED, PayloadMode.STREAMING_SIGNED_TRAILER, PayloadMode.STREAMING_UNSIGNED_TRAILER}
)


@dataclass(frozen=True, slots=True)
class Payload:
    """The form of a body, and for HASHED the SHA-256 (lower-case hexadecimal) that it must turn out to have."""

    mode: PayloadMode
    sha256: str | None = None


def parse_payload(value: str) -> Payload:
    """What `x-amz-content-sha256` asks for. Raises InvalidArgument, and NotImplementedSigning for the ECDSA forms."""
    mode = _PAYLOAD_MODES.get(value)
    if mode is not None:
        return mode
    if len(value) == 64 and _HEX.issuperset(value):
        return Payload(PayloadMode.HASHED, value.lower())
    if value.startswith("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"):
        raise NotImplementedSigning(value)
    raise InvalidArgument(
        "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, "
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, "
        "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD, STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER "
        "or a valid sha256 value.",
        name="x-amz-content-sha256",
        value=value[:128],
    )


_PAYLOAD_MODES = {mode.value: Payload(mode) for mode in PayloadMode if mode is not PayloadMode.HASHED}
