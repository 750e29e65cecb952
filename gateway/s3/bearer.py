"""Who comes with a bearer token, and what such a request may say of its body."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.policy.principal import Principal
from gateway.s3.errors import S3Error
from signing.sigv4.payload import UNSIGNED_PAYLOAD

_HEX = frozenset("0123456789abcdef")


def check_user(principal: Principal) -> None:
    """Raises S3Error AccessDenied for nobody, and for users of apps, who have no bucket of their own."""
    user = principal.user
    if user is None:
        raise S3Error("AccessDenied")
    if user.confined:
        raise S3Error(
            "AccessDenied",
            "The users of an app have their own images, at /api/v1 and /img, and not the objects of its account: "
            "that would need the setting jwt_app_rights = account.",
        )


def declared_sha256(headers: Mapping[str, str]) -> bytes | None:
    """The SHA-256 that a body without a signature is said to have. Raises S3Error InvalidRequest."""
    text = headers.get("x-amz-content-sha256")
    if text is None or text == UNSIGNED_PAYLOAD:
        return None
    if len(text) == 64 and _HEX.issuperset(text):
        return bytes.fromhex(text)
    raise S3Error(
        "InvalidRequest",
        "With a bearer token the body is sent as it is: x-amz-content-sha256 is UNSIGNED-PAYLOAD or a SHA-256.",
    )
