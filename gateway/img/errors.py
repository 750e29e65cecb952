"""The transform door's errors: status and JSON body, and the one map from what goes wrong inside.

    {"error": {"code": "InvalidOption", "message": "...", "option": "w"}}

Whatever could tell somebody without rights whether a key, a bucket or an image exists is AccessDenied, with one and the
same body.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gateway import errors as facts
from gateway.auth.errors import AuthenticationError
from gateway.http.ranges import RangeNotSatisfiable
from gateway.img.target import AddressError
from gateway.render import errors as render
from signing.errors import LinkRefused, SigningError
from transforms import errors as transforms


@dataclass(frozen=True, slots=True)
class Code:
    """An error code of this door: its HTTP status and what it says where nothing better is known."""

    status: int
    message: str


CODES: dict[str, Code] = {
    "InvalidPath": Code(400, "The path is malformed."),
    "InvalidOption": Code(400, "An option is unknown, repeated or malformed."),
    "InvalidRequest": Code(400, "The request is malformed."),
    "ResultTooLarge": Code(400, "The options ask for a larger image than is allowed."),
    "AccessDenied": Code(403, "Access denied: this needs a valid signature of someone who may read the image."),
    "NotOnLadder": Code(403, "Without a signature only the widths and formats that the bucket allows are available."),
    "PresetNeeded": Code(403, "Links to this bucket's images name a preset (p=) and no other option about pixels."),
    "RawNotAllowed": Code(403, "Links to this bucket's images do not give the stored bytes."),
    "InvalidCredentials": Code(403, "The credentials or the signature of this request are not valid."),
    "NotFound": Code(404, "There is no such image."),
    "MethodNotAllowed": Code(405, "Images answer to GET, HEAD and OPTIONS."),
    "PreconditionFailed": Code(412, "The image is not the one that If-Match names."),
    "ImageTooLarge": Code(413, "The stored image is larger than is decoded here."),
    "UriTooLong": Code(414, "Path and query are longer than is read here."),
    "InvalidRange": Code(416, "The range lies outside the picture."),
    "UnsupportedMediaType": Code(415, "The object is not an image that can be read here."),
    "BrokenImage": Code(422, "The stored image is truncated or broken."),
    "HeaderTooLarge": Code(431, "The header is larger than is read here."),
    "InternalError": Code(500, "Something went wrong here. The log has more under the request id."),
    "RenderFailed": Code(500, "Rendering this image failed."),
    "NotImplemented": Code(501, "This way of signing is not available."),
    "ServiceUnavailable": Code(503, "Not available at the moment."),
    "SlowDown": Code(503, "Too many renders are waiting."),
    "RenderTimeout": Code(504, "Rendering this image took too long."),
}


class ImageError(Exception):
    """An answer with one of CODES. `option` names what was wrong, `headers` are added to the answer."""

    def __init__(
        self,
        code: str,
        message: str = "",
        *,
        option: str | None = None,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        row = CODES[code]
        super().__init__(message or row.message)
        self.code = code
        self.status = row.status
        self.option = option
        self.headers = headers

    def document(self) -> bytes:
        """The body."""
        error: dict[str, Any] = {"code": self.code, "message": _readable(str(self))}
        if self.option is not None:
            error["option"] = _readable(self.option)
        return json.dumps({"error": error}).encode() + b"\n"


def access_denied() -> ImageError:
    """The one refusal for all reasons."""
    return ImageError("AccessDenied")


def _readable(text: str) -> str:
    """The text without surrogates, which JSON in UTF-8 cannot hold."""
    return text.encode("utf-8", "replace").decode()


def _address(error: Exception) -> ImageError:
    assert isinstance(error, AddressError)
    return ImageError("NotFound" if error.missing else "InvalidPath", str(error))


def _option(error: Exception) -> ImageError:
    assert isinstance(error, transforms.OptionError)
    return ImageError("InvalidOption", str(error), option=error.option)


def _too_large(error: Exception) -> ImageError:
    assert isinstance(error, transforms.TooLarge)
    return ImageError("ResultTooLarge" if "output" in error.limit else "ImageTooLarge", str(error))


def _unavailable(error: Exception) -> ImageError:
    assert isinstance(error, facts.Unavailable)
    code = "SlowDown" if isinstance(error, facts.Overloaded) else "ServiceUnavailable"
    return ImageError(code, headers=(("Retry-After", str(error.retry_after)),))


def _range(error: Exception) -> ImageError:
    assert isinstance(error, RangeNotSatisfiable)
    return ImageError("InvalidRange", headers=(("Content-Range", f"bytes */{error.size}"),))


def _busy(error: Exception) -> ImageError:
    assert isinstance(error, render.RenderBusy)
    return ImageError("SlowDown", headers=(("Retry-After", str(error.retry_after)),))


def _credentials(error: Exception) -> ImageError:
    assert isinstance(error, (SigningError, AuthenticationError))
    code = _CREDENTIAL_CODES.get(error.code, "InvalidCredentials")
    return ImageError(code, f"{error.code}: {error}")


_CREDENTIAL_CODES = {
    "AuthorizationHeaderMalformed": "InvalidRequest",
    "AuthorizationQueryParametersError": "InvalidRequest",
    "InvalidArgument": "InvalidRequest",
    "InvalidRequest": "InvalidRequest",
    "NotImplemented": "NotImplemented",
}
"""Codes of S3's authentication that are the client's form, not its rights."""

Make = Callable[[Exception], ImageError]


def _as(code: str, *, own_text: bool = False, retry_after: int | None = None) -> Make:
    headers = () if retry_after is None else (("Retry-After", str(retry_after)),)
    return lambda error: ImageError(code, str(error) if own_text else "", headers=headers)


FACTS: Mapping[type[Exception], Make] = {
    AddressError: _address,
    RangeNotSatisfiable: _range,
    # What the services say. Writing is not done here, so most of it cannot happen.
    facts.GatewayError: _as("InternalError"),
    facts.NotFound: _as("NotFound"),
    facts.IsDeleteMarker: _as("NotFound"),
    facts.Conflict: _as("InternalError"),
    facts.PreconditionFailed: _as("PreconditionFailed"),
    facts.Invalid: _as("InvalidRequest", own_text=True),
    facts.BodyMismatch: _as("InternalError"),
    facts.AccessRefused: _as("AccessDenied"),
    facts.RateLimited: _as("SlowDown", retry_after=60),
    facts.BlobDamaged: _as("InternalError"),
    facts.Unavailable: _unavailable,
    # What is asked, and what the stored bytes are.
    transforms.TransformError: _as("InternalError"),
    transforms.OptionError: _option,
    transforms.SourceError: _as("BrokenImage"),
    transforms.NotAnImage: _as("UnsupportedMediaType", own_text=True),
    transforms.UnsupportedFormat: _as("UnsupportedMediaType", own_text=True),
    transforms.MissingExtra: _as("UnsupportedMediaType", own_text=True),
    transforms.TooLarge: _too_large,
    transforms.DecodeFailed: _as("BrokenImage", own_text=True),
    transforms.DrawingTooSlow: _as("BrokenImage", own_text=True),
    # How rendering went.
    render.RenderError: _as("RenderFailed"),
    render.RenderBusy: _busy,
    render.RenderTimeout: _as("RenderTimeout"),
    render.RenderCrashed: _as("RenderFailed"),
    render.SourceUnreadable: _as("ServiceUnavailable", retry_after=5),
    render.BrokerUnavailable: _as("ServiceUnavailable", retry_after=1),
    # Who asks.
    LinkRefused: _as("AccessDenied"),
    SigningError: _credentials,
    AuthenticationError: _credentials,
}
"""What goes wrong, by its class or the nearest one above it."""


def translate(error: Exception) -> ImageError | None:
    """The answer to what went wrong; None for what nobody foresaw."""
    if isinstance(error, ImageError):
        return error
    for kind in type(error).__mro__:
        make = FACTS.get(kind)
        if make is not None:
            return make(error)
    return None
