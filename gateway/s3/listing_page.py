"""What the listings have in common: their parameters, and how keys are written."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from gateway.s3.call import Call
from gateway.s3.errors import invalid_argument
from gateway.s3.xml import Writer, escape, url_encode

MAX_PAGE = 1000


@dataclass(frozen=True, slots=True)
class ListParameters:
    """Prefix and delimiter as bytes, and how keys go into the answer."""

    prefix: bytes
    delimiter: bytes
    url: bool

    def text(self, key: bytes) -> str:
        """A key for the answer, encoded as was asked for and escaped for XML."""
        return url_encode(key) if self.url else escape(key.decode("utf-8", "replace"))


def list_parameters(call: Call) -> ListParameters:
    """Raises S3Error InvalidArgument."""
    encoding = call.parameters.get("encoding-type")
    if encoding and encoding != "url":
        raise invalid_argument("Invalid Encoding Method specified in Request", "encoding-type", encoding)
    return ListParameters(key_parameter(call, "prefix"), key_parameter(call, "delimiter"), bool(encoding))


def key_parameter(call: Call, name: str) -> bytes:
    """A parameter that is a key or a part of one; empty where it is missing. Raises S3Error InvalidArgument."""
    try:
        return call.parameters.get(name, "").encode("utf-8")
    except UnicodeEncodeError:
        raise invalid_argument(f"{name} is not valid UTF-8", name, "") from None


def write_prefixes(writer: Writer, prefixes: Iterable[bytes], text: Callable[[bytes], str]) -> None:
    for prefix in prefixes:
        writer.raw(f"<CommonPrefixes><Prefix>{text(prefix)}</Prefix></CommonPrefixes>")
