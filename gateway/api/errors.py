"""What the JSON door says when something goes wrong: its codes, and what each fact of the services becomes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway import errors as facts
from gateway.api.form import MalformedForm
from gateway.auth.errors import AuthenticationError
from gateway.http.incoming import BodyEnded
from gateway.http.ranges import RangeNotSatisfiable
from gateway.render import errors as render
from signing.errors import SigningError
from transforms import errors as transforms


@dataclass(frozen=True, slots=True)
class Code:
    """An error code: the status it goes with, and what is said where nothing better is known."""

    status: int
    message: str


CODES: Mapping[str, Code] = {
    "INVALID_REQUEST": Code(400, "The request makes no sense here."),
    "INVALID_FILE_FORMAT": Code(400, "The file is not an image of a format that is taken here."),
    "FILE_TOO_LARGE": Code(400, "The file is larger than is taken here."),
    "EMAIL_EXISTS": Code(400, "Somebody has registered with this address."),
    "UNAUTHORIZED": Code(401, "Sign in first: this needs a valid token or access key."),
    "INVALID_CREDENTIALS": Code(401, "The address or the password is not right."),
    "FORBIDDEN": Code(403, "You may not do this."),
    "QUOTA_EXCEEDED": Code(403, "The account has no room for this."),
    "DELETE_TOKEN_REQUIRED": Code(403, "This image can only be deleted with its delete token."),
    "INVALID_DELETE_TOKEN": Code(403, "The delete token is not the one of this image, or has expired."),
    "NOT_FOUND": Code(404, "There is nothing here."),
    "IMAGE_NOT_FOUND": Code(404, "There is no such image."),
    "THUMBNAIL_NOT_READY": Code(404, "The thumbnail is not made yet."),
    "JOB_NOT_FOUND": Code(404, "There is no such job."),
    "METHOD_NOT_ALLOWED": Code(405, "This address does not answer to that method."),
    "REQUEST_TIMEOUT": Code(408, "The body came too slowly."),
    "CONFLICT": Code(409, "This is not possible as things are now."),
    "DUPLICATE_IMAGE": Code(409, "The account has an image of these bytes."),
    "JOB_NOT_COMPLETED": Code(409, "The job is not completed."),
    "PRECONDITION_FAILED": Code(412, "It is not the one that If-Match names."),
    "PAYLOAD_TOO_LARGE": Code(413, "The file is larger than is taken here."),
    "URI_TOO_LONG": Code(414, "Path and query are longer than is read here."),
    "UNSUPPORTED_MEDIA_TYPE": Code(415, "The file is not an image of a format that is taken here."),
    "RANGE_NOT_SATISFIABLE": Code(416, "The range lies outside the file."),
    "EXPECTATION_FAILED": Code(417, "Only 100-continue can be expected here."),
    "VALIDATION_ERROR": Code(422, "Something in the request is missing or malformed."),
    "RATE_LIMIT_EXCEEDED": Code(429, "Too many requests: try again later."),
    "HEADER_TOO_LARGE": Code(431, "The header is larger than is read here."),
    "INTERNAL_ERROR": Code(500, "Something went wrong here. The log has more under the request id."),
    "NOT_IMPLEMENTED": Code(501, "This is not available here."),
    "SERVICE_UNAVAILABLE": Code(503, "Not available at the moment: try again soon."),
    "RENDER_TIMEOUT": Code(504, "Rendering this image took too long."),
}


class ApiError(Exception):
    """An answer with one of CODES. `details` is anything that JSON can hold; `retry_after` is in seconds."""

    def __init__(
        self,
        code: str,
        message: str = "",
        *,
        details: Mapping[str, Any] | Sequence[Any] | None = None,
        retry_after: int | None = None,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        row = CODES[code]
        super().__init__(message or row.message)
        self.code = code
        self.status = row.status
        self.details = details
        self.headers = headers
        if retry_after is None and self.status in (429, 503):
            retry_after = 1
        if retry_after is not None:
            self.headers = (*headers, ("Retry-After", str(retry_after)))
        if self.status == 401:
            self.headers = (*self.headers, ("WWW-Authenticate", "Bearer"))

    def document(self) -> bytes:
        """The body: the error under `error`, and again under `detail`."""
        error = {"code": self.code, "message": _readable(str(self)), "details": self.details}
        return json.dumps({"error": error, "detail": error}, ensure_ascii=False).encode("utf-8", "replace")


def _readable(text: str) -> str:
    """The text without surrogates, which JSON in UTF-8 cannot hold."""
    return text.encode("utf-8", "replace").decode()


Make = Callable[[Any], ApiError]


def _as(code: str, *, own_text: bool = False, retry_after: int | None = None) -> Make:
    return lambda error: ApiError(code, str(error) if own_text else "", retry_after=retry_after)


def _unavailable(error: facts.Unavailable) -> ApiError:
    return ApiError("SERVICE_UNAVAILABLE", retry_after=error.retry_after)


def _rate_limited(error: facts.RateLimited) -> ApiError:
    headers = rate_limit_headers(error.limit, error.remaining, error.reset_s)
    return ApiError("RATE_LIMIT_EXCEEDED", retry_after=error.retry_after, headers=headers)


def rate_limit_headers(limit: int, remaining: int, reset_s: int) -> tuple[tuple[str, str], ...]:
    """What is said of a limit: `reset_s` is when it begins anew, in Unix seconds."""
    return (
        ("X-RateLimit-Limit", str(limit)),
        ("X-RateLimit-Remaining", str(remaining)),
        ("X-RateLimit-Reset", str(reset_s)),
    )


FACTS: Mapping[type[Exception], Make] = {
    BodyEnded: _as("INVALID_REQUEST"),
    RangeNotSatisfiable: lambda error: ApiError(
        "RANGE_NOT_SATISFIABLE", headers=(("Content-Range", f"bytes */{error.size}"),)
    ),
    MalformedForm: _as("VALIDATION_ERROR", own_text=True),
    facts.GatewayError: _as("INTERNAL_ERROR"),
    facts.NotFound: _as("NOT_FOUND", own_text=True),
    facts.ObjectNotFound: _as("IMAGE_NOT_FOUND"),
    facts.VersionNotFound: _as("IMAGE_NOT_FOUND"),
    facts.ImageNotFound: _as("IMAGE_NOT_FOUND"),
    facts.JobNotFound: _as("JOB_NOT_FOUND", own_text=True),
    facts.ShareNotFound: _as("NOT_FOUND"),
    facts.IsDeleteMarker: _as("IMAGE_NOT_FOUND"),
    facts.Conflict: _as("CONFLICT", own_text=True),
    facts.DuplicateImage: lambda error: ApiError("DUPLICATE_IMAGE", details={"image_id": error.image_id}),
    facts.EmailExists: _as("EMAIL_EXISTS"),
    facts.PreconditionFailed: _as("PRECONDITION_FAILED"),
    facts.Invalid: _as("INVALID_REQUEST", own_text=True),
    facts.ObjectTooLarge: _as("FILE_TOO_LARGE"),
    facts.BodyMismatch: _as("INVALID_REQUEST", own_text=True),
    facts.AccessRefused: _as("FORBIDDEN"),
    facts.CredentialsRefused: _as("INVALID_CREDENTIALS"),
    facts.TokenRefused: _as("UNAUTHORIZED", own_text=True),
    facts.RegistrationClosed: _as("FORBIDDEN", own_text=True),
    facts.QuotaExceeded: _as("QUOTA_EXCEEDED", own_text=True),
    facts.RateLimited: _rate_limited,
    facts.BlobDamaged: _as("INTERNAL_ERROR"),
    facts.Unavailable: _unavailable,
    transforms.TransformError: _as("INTERNAL_ERROR"),
    transforms.OptionError: _as("INVALID_REQUEST", own_text=True),
    transforms.SourceError: _as("INVALID_FILE_FORMAT", own_text=True),
    render.RenderError: _as("INTERNAL_ERROR"),
    render.RenderBusy: lambda error: ApiError("SERVICE_UNAVAILABLE", retry_after=error.retry_after),
    render.RenderTimeout: _as("RENDER_TIMEOUT"),
    render.SourceUnreadable: _as("SERVICE_UNAVAILABLE", retry_after=5),
    render.BrokerUnavailable: _as("SERVICE_UNAVAILABLE"),
    SigningError: _as("UNAUTHORIZED", own_text=True),
    AuthenticationError: _as("UNAUTHORIZED", own_text=True),
}
"""What goes wrong, by its class or the nearest one above it."""


def translate(error: Exception) -> ApiError | None:
    """The answer to what went wrong; None for what nobody foresaw."""
    if isinstance(error, ApiError):
        return error
    for kind in type(error).__mro__:
        make = FACTS.get(kind)
        if make is not None:
            return make(error)
    return None
