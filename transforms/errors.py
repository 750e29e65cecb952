"""What can go wrong between stored bytes and a rendered image, as facts that know nothing of HTTP.

TransformError
  OptionError        the request asks for something the options table does not know
  SourceError        the stored bytes cannot become this image
    NotAnImage         no image format that Pixgate knows
    UnsupportedFormat  an image, but of a format this installation cannot read
    MissingExtra       what is asked for needs a library that is not installed
    TooLarge           beyond a limit, found before anything was decoded wherever the header tells
    DecodeFailed       an image by its first bytes, but truncated or broken inside
      DrawingTooSlow     a drawing whose shapes take more time than one may have
"""

from __future__ import annotations

from typing import Final


class TransformError(Exception):
    """Base of every fact this package raises."""


class OptionError(TransformError):
    """An option is unknown, repeated or malformed."""

    def __init__(self, option: str, expected: str, problem: str = "is malformed") -> None:
        self.option: Final = option
        self.expected: Final = expected
        self.problem: Final = problem
        super().__init__(f"Option {option!r} {problem}: expected {expected}.")


class SourceError(TransformError):
    """The stored bytes cannot be rendered; the same bytes will fail again."""


class NotAnImage(SourceError):
    """The bytes do not start like any image format that Pixgate knows."""

    def __init__(self, detail: str = "The content is not an image.") -> None:
        super().__init__(detail)


class UnsupportedFormat(SourceError):
    """The bytes are an image of a format that this installation cannot read."""

    def __init__(self, format_name: str, extra: str | None = None) -> None:
        self.format_name: Final = format_name
        self.extra: Final = extra
        hint = f"; install the extra pixgate[{extra}]" if extra else ""
        super().__init__(f"Images of type {format_name} cannot be read here{hint}.")


class MissingExtra(SourceError):
    """What is asked for needs an extra of the distribution that is not installed here."""

    def __init__(self, what: str, extra: str | None = None) -> None:
        # Without the extra's name, `what` is the text of one that came from a decoder.
        super().__init__(f"{what} needs the extra pixgate[{extra}], which is not installed here." if extra else what)


class TooLarge(SourceError):
    """The source or the result passes a limit.

    `limit` is the field's name in `transforms.limits.Limits`; `value` is what was met and `allowed` the setting,
    in that field's unit (bytes or pixels).
    """

    def __init__(self, limit: str, value: int, allowed: int) -> None:
        self.limit: Final = limit
        self.value: Final = value
        self.allowed: Final = allowed
        super().__init__(f"The image passes the limit {limit}: {value} is more than {allowed}.")


class DecodeFailed(SourceError):
    """The image is truncated or broken."""

    def __init__(self, detail: str = "The image is truncated or broken.") -> None:
        super().__init__(detail)


class DrawingTooSlow(DecodeFailed):
    """A drawing (SVG) took more processor time than drawings may have; drawing it again takes as long."""

    def __init__(self, detail: str = "The drawing takes too long to draw.") -> None:
        super().__init__(detail)
