"""The aws-chunked body: a decoder for whatever the socket gave, and an encoder.

A body is chunks of `<size in hex>[;chunk-signature=<64 hex>]CRLF <bytes> CRLF`, closed by one of size 0, trailers where
they were announced, and an empty line. Each signature covers its chunk and the signature before it, the first that of
the request.

AWS answers every fault of the framing with IncompleteBody, and so does this decoder.

Sources: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html and
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html
"""

from __future__ import annotations

import enum
import hmac
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256

from signing.errors import (
    IncompleteBody,
    InvalidChunkSizeError,
    InvalidRequest,
    MalformedTrailerError,
    SignatureDoesNotMatch,
    SigningError,
)
from signing.sigv4.keys import SigningContext
from signing.sigv4.payload import EMPTY_SHA256, PayloadMode

MAX_LINE = 1024
"""Bytes of a chunk's first line, its line end included."""
MAX_TRAILERS = 4096
"""Bytes of all trailers together, line ends included."""
MIN_CHUNK = 8192
"""Bytes of a chunk that is not the last with data. AWS asks it of unsigned chunks too: one-byte chunks cost CPU."""

_SIGNATURE_NAME = "chunk-signature="
_TRAILER_SIGNATURE = "x-amz-trailer-signature"
_HEX = b"0123456789abcdefABCDEF"
_TOKEN = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_.")


class _State(enum.Enum):
    LINE = enum.auto()
    DATA = enum.auto()
    DATA_END = enum.auto()
    TRAILER = enum.auto()
    COMPLETE = enum.auto()
    FAILED = enum.auto()


class ChunkedDecoder:
    """Takes a body apart as it arrives.

    `feed` gives the payload as views into what was fed, before the chunk they belong to is verified: nothing may be
    made visible until `finish` has returned. Memory is bounded by one line (1 KiB) and the trailers (4 KiB).

    `decoded_length` is x-amz-decoded-content-length in bytes, `trailers` the names in x-amz-trailer (any case).
    `context` is that of the verified request, needed for the signed modes.
    """

    def __init__(
        self,
        mode: PayloadMode,
        *,
        decoded_length: int,
        trailers: Iterable[str] = (),
        context: SigningContext | None = None,
    ) -> None:
        if not mode.chunked:
            raise ValueError(f"{mode} is not a chunked form")
        self._context = context if mode is not PayloadMode.STREAMING_UNSIGNED_TRAILER else None
        if self._context is None and mode is not PayloadMode.STREAMING_UNSIGNED_TRAILER:
            raise ValueError(f"{mode} needs the context of the request")
        announced = frozenset(name.strip().lower() for name in trailers if name.strip())
        if announced and mode is PayloadMode.STREAMING_SIGNED:
            raise InvalidRequest("x-amz-trailer is only allowed with a STREAMING-...-TRAILER x-amz-content-sha256")
        self._announced = announced
        self._signed_trailer = mode is PayloadMode.STREAMING_SIGNED_TRAILER
        self._previous = self._context.seed_signature if self._context is not None else ""
        self._expected_length = decoded_length
        self._state = _State.LINE
        self._failure: SigningError | None = None
        self._line = b""
        self._left = 0
        self._chunks = 0
        self._chunk_size = MIN_CHUNK
        self._chunk_signature = ""
        self._hash = sha256()
        self._trailer_bytes = 0
        self._trailers: dict[str, str] = {}
        self._trailer_signature: str | None = None
        self._tolerated_blank = False
        self.received = 0
        """Bytes of payload so far."""

    @property
    def complete(self) -> bool:
        """Whether the whole body has arrived and is verified."""
        return self._state is _State.COMPLETE

    @property
    def trailers(self) -> Mapping[str, str]:
        """The trailers by lower-case name, without the signature's; to be read when `complete`."""
        return self._trailers

    def feed(self, data: bytes | bytearray | memoryview) -> list[memoryview]:
        """The payload in these bytes, in order, without copying.

        Raises IncompleteBody (framing, or more than announced), InvalidChunkSizeError, MalformedTrailerError or
        SignatureDoesNotMatch, and again the same error whenever it is called after one.
        """
        if self._failure is not None:
            raise self._failure
        try:
            return self._feed(memoryview(data).cast("B"))
        except SigningError as failure:
            self._state = _State.FAILED
            self._failure = failure
            raise

    def finish(self) -> None:
        """Says that nothing follows. Raises IncompleteBody if something should have, or what `feed` raised."""
        if self._failure is not None:
            raise self._failure
        if self._state is not _State.COMPLETE or self._line:
            self._state = _State.FAILED
            self._failure = IncompleteBody()
            raise self._failure

    def _feed(self, view: memoryview) -> list[memoryview]:
        pieces: list[memoryview] = []
        position, end = 0, len(view)
        while position < end:
            state = self._state
            if state is _State.DATA:
                stop = min(position + self._left, end)
                piece = view[position:stop]
                if self._context is not None:
                    self._hash.update(piece)
                pieces.append(piece)
                self._left -= stop - position
                self.received += stop - position
                position = stop
                if not self._left:
                    self._state = _State.DATA_END
            elif state is _State.DATA_END:
                wanted = 2 - len(self._line)
                self._line += bytes(view[position : position + wanted])
                position = min(position + wanted, end)
                if not b"\r\n".startswith(self._line):
                    raise IncompleteBody
                if len(self._line) == 2:
                    self._line = b""
                    self._verify_chunk()
                    self._state = _State.LINE
            elif state is _State.LINE:
                position, line = self._take_line(view, position, MAX_LINE, IncompleteBody)
                if line is not None:
                    self._start_chunk(line)
            elif state is _State.TRAILER:
                limit = MAX_TRAILERS - self._trailer_bytes
                position, line = self._take_line(view, position, limit, MalformedTrailerError)
                if line is not None:
                    self._trailer_bytes += len(line) + 2
                    self._take_trailer(line)
            else:
                position = self._after_end(view, position)
        return pieces

    def _take_line(
        self, view: memoryview, position: int, limit: int, error: type[SigningError]
    ) -> tuple[int, bytes | None]:
        """The position after the line and the line without its end; or, if it has not ended yet, None."""
        room = limit - len(self._line)
        window = bytes(view[position : position + max(room, 0)])
        index = window.find(b"\n")
        if index < 0:
            if len(window) >= room:
                raise error
            self._line += window
            return position + len(window), None
        line = self._line + window[:index]
        self._line = b""
        if line.endswith(b"\r"):
            return position + index + 1, line[:-1]
        # MinIO's clients end a trailer with a bare LF, and an empty CRLF line after it.
        if self._state is _State.TRAILER and line and line == line.rstrip():
            self._tolerated_blank = True
            return position + index + 1, line
        raise error

    def _start_chunk(self, line: bytes) -> None:
        size_text, separator, extension = line.partition(b";")
        if not 0 < len(size_text) <= 16 or size_text.translate(None, _HEX):
            raise IncompleteBody
        size = int(size_text, 16)
        if self._context is not None:
            text = extension.decode("latin-1")
            if not text.startswith(_SIGNATURE_NAME) or len(text) != len(_SIGNATURE_NAME) + 64 or not text.isascii():
                raise IncompleteBody
            self._chunk_signature = text[len(_SIGNATURE_NAME) :]
        elif separator:
            raise IncompleteBody
        if size and self._chunk_size < MIN_CHUNK:
            raise InvalidChunkSizeError(chunk=self._chunks, size=self._chunk_size)
        if self.received + size > self._expected_length:
            raise IncompleteBody("The request body is longer than x-amz-decoded-content-length")
        if size:
            self._chunks += 1
            self._chunk_size = self._left = size
            self._state = _State.DATA
            return
        if self.received != self._expected_length:
            raise IncompleteBody
        self._verify_chunk()
        self._state = _State.TRAILER

    def _verify_chunk(self) -> None:
        context = self._context
        if context is None:
            return
        expected = chunk_signature(context, self._previous, self._hash.hexdigest())
        if not hmac.compare_digest(expected, self._chunk_signature):
            raise SignatureDoesNotMatch
        self._previous = expected
        self._hash = sha256()

    def _take_trailer(self, line: bytes) -> None:
        if not line:
            if self._tolerated_blank and self._signed_trailer and self._trailer_signature is None:
                self._tolerated_blank = False
                return
            self._end_trailers()
            return
        if not self._announced and not self._signed_trailer:
            raise MalformedTrailerError
        if self._trailer_signature is not None:
            raise MalformedTrailerError
        try:
            name, separator, value = line.decode("ascii").partition(":")
        except UnicodeDecodeError:
            raise MalformedTrailerError from None
        name, value = name.strip(" \t").lower(), value.strip(" \t")
        if not separator or not value.isprintable():
            raise MalformedTrailerError
        if name == _TRAILER_SIGNATURE and self._signed_trailer:
            self._trailer_signature = value
        elif name in self._announced and name not in self._trailers:
            self._trailers[name] = value
        else:
            raise MalformedTrailerError

    def _end_trailers(self) -> None:
        if self._trailers.keys() != self._announced:
            raise MalformedTrailerError
        if self._signed_trailer and (self._announced or self._trailer_signature is not None):
            if self._context is None or self._trailer_signature is None:
                raise MalformedTrailerError
            expected = trailer_signature(self._context, self._previous, self._trailers)
            if not self._trailer_signature.isascii() or not hmac.compare_digest(expected, self._trailer_signature):
                raise SignatureDoesNotMatch
        self._state = _State.COMPLETE

    def _after_end(self, view: memoryview, position: int) -> int:
        # The unsigned form of MinIO's clients: `name:value LF CRLF CRLF`, one line end more than there should be.
        if self._tolerated_blank and not self._signed_trailer:
            wanted = 2 - len(self._line)
            self._line += bytes(view[position : position + wanted])
            if b"\r\n".startswith(self._line):
                if len(self._line) == 2:
                    self._tolerated_blank = False
                    self._line = b""
                return min(position + wanted, len(view))
        raise IncompleteBody("There is more after the end of the request body")


def chunk_signature(context: SigningContext, previous: str, data_sha256: str) -> str:
    """The signature of a chunk; `previous` is that of the one before or of the request, `data_sha256` hexadecimal."""
    return context.key.sign(
        f"AWS4-HMAC-SHA256-PAYLOAD\n{context.date}\n{context.scope}\n{previous}\n{EMPTY_SHA256}\n{data_sha256}"
    )


def trailer_signature(context: SigningContext, previous: str, trailers: Mapping[str, str]) -> str:
    """The signature of the trailers: `previous` that of the chunk of size 0. Names in lower case, in the order sent."""
    lines = "".join([f"{name}:{value}\n" for name, value in trailers.items()])
    digest = sha256(lines.encode()).hexdigest()
    return context.key.sign(f"AWS4-HMAC-SHA256-TRAILER\n{context.date}\n{context.scope}\n{previous}\n{digest}")


def encode_chunked(
    mode: PayloadMode,
    payload: Iterable[bytes],
    *,
    trailers: Mapping[str, str] | None = None,
    context: SigningContext | None = None,
) -> Iterator[bytes]:
    """A body as a client sends it, each item of `payload` a chunk of its own (empty ones are left out).

    `context` is that of `sign_header`, needed for the signed modes; `trailers` have lower-case names.
    """
    if not mode.chunked:
        raise ValueError(f"{mode} is not a chunked form")
    signed = mode is not PayloadMode.STREAMING_UNSIGNED_TRAILER
    if signed and context is None:
        raise ValueError(f"{mode} needs the context of the request")
    if trailers and mode is PayloadMode.STREAMING_SIGNED:
        raise ValueError(f"{mode} has no trailers")
    previous = context.seed_signature if context is not None else ""
    for data in payload:
        if not data:
            continue
        previous, line = _chunk_line(data, previous, context if signed else None)
        yield line
        yield data
        yield b"\r\n"
    previous, line = _chunk_line(b"", previous, context if signed else None)
    yield line
    for name, value in (trailers or {}).items():
        yield f"{name}:{value}\r\n".encode()
    if trailers and signed and context is not None:
        yield f"{_TRAILER_SIGNATURE}:{trailer_signature(context, previous, trailers)}\r\n".encode()
    yield b"\r\n"


def encoded_length(mode: PayloadMode, sizes: Iterable[int], *, trailers: Mapping[str, str] | None = None) -> int:
    """The Content-Length, in bytes, of a body whose chunks have these sizes: known before anything is signed."""
    signed = mode is not PayloadMode.STREAMING_UNSIGNED_TRAILER
    extension = len(";") + len(_SIGNATURE_NAME) + 64 if signed else 0
    total = sum(len(f"{size:x}") + extension + 2 + size + 2 for size in sizes if size)
    total += len("0") + extension + 2 + 2
    for name, value in (trailers or {}).items():
        total += len(f"{name}:{value}".encode()) + 2
    if trailers and signed:
        total += len(_TRAILER_SIGNATURE) + 1 + 64 + 2
    return total


def _chunk_line(data: bytes, previous: str, context: SigningContext | None) -> tuple[str, bytes]:
    if context is None:
        return "", b"%x\r\n" % len(data)
    signature = chunk_signature(context, previous, sha256(data).hexdigest())
    return signature, f"{len(data):x};{_SIGNATURE_NAME}{signature}\r\n".encode()
