"""Why a request's credentials are refused, beyond what `signing.errors` says of its signature.

    AuthenticationError
    ├── InvalidAccessKeyId
    ├── InvalidToken
    └── SeveralMechanisms

`code` is AWS's error code.
"""

from __future__ import annotations

from typing import ClassVar


class AuthenticationError(Exception):
    """Nobody is known by these credentials. `fields` are the extra elements of AWS's XML answer."""

    code: ClassVar[str] = "AccessDenied"

    @property
    def fields(self) -> tuple[tuple[str, str], ...]:
        return ()


class InvalidAccessKeyId(AuthenticationError):
    """There is no such key, or it may not be used: disabled, expired, of another kind. All look the same outside."""

    code = "InvalidAccessKeyId"

    def __init__(self, access_key: str) -> None:
        super().__init__("The AWS Access Key Id you provided does not exist in our records.")
        self.access_key = access_key

    @property
    def fields(self) -> tuple[tuple[str, str], ...]:
        return (("AWSAccessKeyId", self.access_key),)


class InvalidToken(AuthenticationError):
    """A session token, although none was ever given out here."""

    code = "InvalidToken"

    def __init__(self) -> None:
        super().__init__("The provided token is malformed or otherwise invalid.")


class SeveralMechanisms(AuthenticationError):
    """An Authorization header and a presigned URL in one request."""

    code = "InvalidArgument"

    def __init__(self) -> None:
        super().__init__(
            "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string "
            "parameter or the Authorization header should be specified"
        )

    @property
    def fields(self) -> tuple[tuple[str, str], ...]:
        return (("ArgumentName", "Authorization"),)
