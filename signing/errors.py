"""What can be wrong with a signed request, a chunked body or an image link.

    SigningError
    ├── AuthorizationHeaderMalformed
    ├── AuthorizationQueryParametersError
    ├── SignatureDoesNotMatch
    ├── RequestTimeTooSkewed
    ├── AccessDenied
    │   ├── MissingDate
    │   ├── RequestExpired
    │   ├── RequestNotYetValid
    │   └── HeadersNotSigned
    ├── InvalidArgument
    ├── InvalidRequest
    │   └── MissingContentSha256
    ├── NotImplementedSigning
    ├── InvalidChunkSizeError
    ├── IncompleteBody
    ├── MalformedTrailerError
    ├── XAmzContentSHA256Mismatch
    └── LinkRefused

`code` is the code AWS S3 answers with, `str(error)` a sentence that may be shown to the client. Both it and `fields`
hold only characters that XML may, whatever the request held. HTTP statuses belong to the door. None of these ever holds
a secret or a derived key.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
"""

from __future__ import annotations

from typing import ClassVar


class SigningError(Exception):
    """A request, body or link that must be refused. `fields` are the extra elements of AWS's XML answer, in order."""

    code: ClassVar[str] = "AccessDenied"

    def __init__(self, message: str = "") -> None:
        super().__init__(_readable(message))

    @property
    def fields(self) -> tuple[tuple[str, str], ...]:
        return tuple([(name, _readable(value)) for name, value in self._details()])

    def _details(self) -> tuple[tuple[str, str], ...]:
        return ()


class AuthorizationHeaderMalformed(SigningError):
    """The Authorization header does not have the shape of SigV4, or its scope is not ours.

    `region` is the region that was expected, where the scope named another one; clients retry with it.
    """

    code = "AuthorizationHeaderMalformed"

    def __init__(self, detail: str, *, region: str | None = None) -> None:
        super().__init__(f"The authorization header is malformed; {detail}")
        self.region = region

    def _details(self) -> tuple[tuple[str, str], ...]:
        return (("Region", self.region),) if self.region is not None else ()


class AuthorizationQueryParametersError(SigningError):
    """The `X-Amz-*` parameters of a presigned URL are incomplete, malformed or for another scope."""

    code = "AuthorizationQueryParametersError"

    def __init__(self, message: str, *, region: str | None = None) -> None:
        super().__init__(message)
        self.region = region

    def _details(self) -> tuple[tuple[str, str], ...]:
        return (("Region", self.region),) if self.region is not None else ()


class SignatureDoesNotMatch(SigningError):
    """The signature is not the one we computed: of the request, or of one chunk or trailer of its body.

    What was computed over is kept, because AWS tells it and a client's author needs it; both are empty for a chunk.
    """

    code = "SignatureDoesNotMatch"

    def __init__(
        self, *, access_key: str = "", string_to_sign: str = "", canonical_request: str = "", signature: str = ""
    ) -> None:
        super().__init__(
            "The request signature we calculated does not match the signature you provided. "
            "Check your key and signing method."
        )
        self.access_key = access_key
        self.string_to_sign = string_to_sign
        self.canonical_request = canonical_request
        self.signature = signature

    def _details(self) -> tuple[tuple[str, str], ...]:
        if not self.string_to_sign:
            return ()
        return (
            ("AWSAccessKeyId", self.access_key),
            ("StringToSign", self.string_to_sign),
            ("SignatureProvided", self.signature),
            ("StringToSignBytes", _hex_bytes(self.string_to_sign)),
            ("CanonicalRequest", self.canonical_request),
            ("CanonicalRequestBytes", _hex_bytes(self.canonical_request)),
        )


class RequestTimeTooSkewed(SigningError):
    """The request's time is more than 15 minutes from ours. Both times as ISO 8601 in UTC."""

    code = "RequestTimeTooSkewed"

    def __init__(self, *, request_time: str, server_time: str, max_skew: int) -> None:
        super().__init__("The difference between the request time and the current time is too large.")
        self.request_time = request_time
        self.server_time = server_time
        self.max_skew = max_skew

    def _details(self) -> tuple[tuple[str, str], ...]:
        return (
            ("RequestTime", self.request_time),
            ("ServerTime", self.server_time),
            ("MaxAllowedSkewMilliseconds", str(self.max_skew * 1000)),
        )


class AccessDenied(SigningError):
    """Refused for what the signature covers or when it was made, not for who made it."""

    code = "AccessDenied"


class MissingDate(AccessDenied):
    """Neither `x-amz-date` nor `Date`, or one that is not a date."""

    def __init__(self) -> None:
        super().__init__("AWS authentication requires a valid Date or x-amz-date header")


class RequestExpired(AccessDenied):
    """A presigned URL after its time. Times as ISO 8601 in UTC."""

    def __init__(self, *, expires_in: int, expired_at: str, server_time: str) -> None:
        super().__init__("Request has expired")
        self.expires_in = expires_in
        self.expired_at = expired_at
        self.server_time = server_time

    def _details(self) -> tuple[tuple[str, str], ...]:
        return (
            ("X-Amz-Expires", str(self.expires_in)),
            ("Expires", self.expired_at),
            ("ServerTime", self.server_time),
        )


class RequestNotYetValid(AccessDenied):
    """A presigned URL dated more than 15 minutes ahead of us."""

    def __init__(self, *, valid_from: str, server_time: str) -> None:
        super().__init__("Request is not yet valid")
        self.valid_from = valid_from
        self.server_time = server_time

    def _details(self) -> tuple[tuple[str, str], ...]:
        return (("X-Amz-Date", self.valid_from), ("ServerTime", self.server_time))


class HeadersNotSigned(AccessDenied):
    """Headers that change what a request means, and that its signature does not cover. `names` in lower case."""

    def __init__(self, names: tuple[str, ...]) -> None:
        super().__init__("There were headers present in the request which were not signed")
        self.names = names

    def _details(self) -> tuple[tuple[str, str], ...]:
        return (("HeadersNotSigned", ", ".join(self.names)),)


class InvalidArgument(SigningError):
    """A header or parameter with a value outside what it may hold."""

    code = "InvalidArgument"

    def __init__(self, message: str, *, name: str = "", value: str = "") -> None:
        super().__init__(message)
        self.name = name
        self.value = value

    def _details(self) -> tuple[tuple[str, str], ...]:
        return (("ArgumentName", self.name), ("ArgumentValue", self.value)) if self.name else ()


class InvalidRequest(SigningError):
    """A request that S3 has no meaning for, such as an authorization mechanism of another age."""

    code = "InvalidRequest"


class MissingContentSha256(InvalidRequest):
    """Signed in the header without `x-amz-content-sha256`, which S3 (alone among AWS services) requires."""

    def __init__(self) -> None:
        super().__init__("Missing required header for this request: x-amz-content-sha256")


class NotImplementedSigning(SigningError):
    """A signing method of AWS that Pixgate does not have: SigV4A (ECDSA) and its streaming forms."""

    code = "NotImplemented"

    def __init__(self, method: str) -> None:
        super().__init__(f"A header you provided implies functionality that is not implemented: {method}")
        self.method = method


class InvalidChunkSizeError(SigningError):
    """A signed chunk smaller than 8 KiB that is not the last. `chunk` counts from 1, `size` in bytes."""

    code = "InvalidChunkSizeError"

    def __init__(self, *, chunk: int, size: int) -> None:
        super().__init__("Only the last chunk is allowed to have a size less than 8192 bytes")
        self.chunk = chunk
        self.size = size

    def _details(self) -> tuple[tuple[str, str], ...]:
        return (("Chunk", str(self.chunk)), ("BadChunkSize", str(self.size)))


class IncompleteBody(SigningError):
    """A chunked body that ends early, runs on, or whose framing is broken: S3 has this one code for all of them."""

    code = "IncompleteBody"

    def __init__(self, message: str = "The request body terminated unexpectedly") -> None:
        super().__init__(message)


class MalformedTrailerError(SigningError):
    """Trailers that were not announced, are missing, repeated, too long, or not `name:value`."""

    code = "MalformedTrailerError"

    def __init__(self) -> None:
        super().__init__(
            "The request contained trailing data that was not well-formed or did not conform to our published schema."
        )


class XAmzContentSHA256Mismatch(SigningError):
    """The body's SHA-256 is not the one that was signed. Both in lower-case hexadecimal."""

    code = "XAmzContentSHA256Mismatch"

    def __init__(self, *, declared: str, computed: str) -> None:
        super().__init__("The provided 'x-amz-content-sha256' header does not match what was computed.")
        self.declared = declared
        self.computed = computed

    def _details(self) -> tuple[tuple[str, str], ...]:
        return (
            ("ClientComputedContentSHA256", self.declared),
            ("S3ComputedContentSHA256", self.computed),
        )


class LinkRefused(SigningError):
    """An image link that opens nothing. One error for all causes, so that a caller learns nothing from it."""

    code = "AccessDenied"

    def __init__(self) -> None:
        super().__init__("Access Denied")


# XML 1.0 section 2.2: what a document may not hold, even escaped.
_NOT_XML = dict.fromkeys([*range(9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF], "\ufffd")


def _readable(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace").translate(_NOT_XML)


def _hex_bytes(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").hex(" ")
