"""What goes wrong with `x-img`, in S3's form: the codes are of the transform door where AWS has none that fits."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gateway.render import errors as render
from gateway.s3.errors import S3Error, invalid_argument
from transforms import errors as transforms

PARAMETER = "x-img"


def _option(error: Exception) -> S3Error:
    assert isinstance(error, transforms.OptionError)
    return invalid_argument(str(error), PARAMETER, error.option)


def _too_large(error: Exception) -> S3Error:
    assert isinstance(error, transforms.TooLarge)
    if "output" in error.limit:
        return invalid_argument(str(error), PARAMETER, "")
    return S3Error("ImageTooLarge", str(error))


def _busy(error: Exception) -> S3Error:
    assert isinstance(error, render.RenderBusy)
    return S3Error("SlowDown", headers=(("Retry-After", str(error.retry_after)),))


def _as(code: str, *, own_text: bool = False, retry_after: int | None = None) -> Callable[[Exception], S3Error]:
    headers = () if retry_after is None else (("Retry-After", str(retry_after)),)
    return lambda error: S3Error(code, str(error) if own_text else "", headers=headers)


FACTS: Mapping[type[Exception], Callable[[Exception], S3Error]] = {
    transforms.TransformError: _as("InternalError"),
    transforms.OptionError: _option,
    transforms.SourceError: _as("BrokenImage"),
    transforms.NotAnImage: _as("UnsupportedMediaType", own_text=True),
    transforms.UnsupportedFormat: _as("UnsupportedMediaType", own_text=True),
    transforms.MissingExtra: _as("UnsupportedMediaType", own_text=True),
    transforms.TooLarge: _too_large,
    transforms.DecodeFailed: _as("BrokenImage", own_text=True),
    transforms.DrawingTooSlow: _as("BrokenImage", own_text=True),
    render.RenderError: _as("RenderFailed"),
    render.RenderBusy: _busy,
    render.RenderTimeout: _as("RenderTimeout"),
    render.RenderCrashed: _as("RenderFailed"),
    render.SourceUnreadable: _as("ServiceUnavailable", retry_after=5),
    render.BrokerUnavailable: _as("ServiceUnavailable", retry_after=1),
}
"""Every fact of `transforms.errors` and `gateway.render.errors`."""


def image_error(error: transforms.TransformError | render.RenderError) -> S3Error:
    """The answer to a render that failed."""
    return FACTS[type(error)](error)
