"""The form of an upload: its fields, which may stand before its files or behind them, and the files as they stream."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

from gateway.api.errors import ApiError
from gateway.api.form import FormReader, MalformedForm, PartHead, boundary_of
from gateway.api.text import is_text
from gateway.errors import ObjectTooLarge, Sha256Mismatch
from gateway.model.buckets import Bucket
from gateway.model.images import Visibility
from gateway.services.filenames import safe_filename
from gateway.services.uploading import Wanted
from transforms.errors import OptionError
from transforms.options import parse_compact

if TYPE_CHECKING:
    import hashlib

    from gateway.api.call import Call

MAX_METADATA = 16 * 1024
"""Bytes of the JSON."""
MAX_METADATA_DEPTH = 32
MAX_UNKNOWN = 64 * 1024
"""Bytes that fields which mean nothing here may have, all together."""
PATIENCE_SECONDS = 10.0
"""How long a body may be waited for before its rate counts."""
MAX_FIELD = 4 * 1024
MAX_RENDITIONS = 20
FORM_ROOM = 128 * 1024
"""Bytes that a form may have around its files."""
UNNAMED = "image"

_LIMITS = {"metadata": MAX_METADATA, "bucket": 256, "visibility": 32, "renditions": MAX_FIELD}


def invalid(name: str, message: str) -> ApiError:
    """What is wrong with a field."""
    return ApiError("VALIDATION_ERROR", details=[{"loc": ["body", name], "msg": message, "type": "value_error"}])


@dataclass(slots=True)
class UploadForm:
    """The form of a call. Raises MalformedForm, and ObjectTooLarge beyond `limit` bytes of the whole body."""

    call: Call
    limit: int
    file_names: frozenset[str]
    fields: dict[str, str] = field(default_factory=dict)
    _reader: FormReader = field(init=False)
    _expected: bytes | None = field(init=False)
    _hash: hashlib._Hash | None = field(init=False)
    _received: int = 0
    _waited: float = 0.0
    _waited_for_file: float = 0.0
    _unknown: int = 0
    _piece: bytes | memoryview = b""

    def __post_init__(self) -> None:
        self._reader = FormReader(self._read, boundary_of(self.call.headers.get("content-type", "")))
        self._expected = self.call.body_sha256
        self._hash = None if self._expected is None else sha256()

    async def _read(self) -> bytes:
        began = time.monotonic()
        data = await self.call.incoming.read()
        waited = time.monotonic() - began
        self._waited += waited
        self._waited_for_file += waited
        self._received += len(data)
        settings = self.call.settings
        # Whoever drips keeps others from the node's few slots.
        if self._waited > PATIENCE_SECONDS and self._received < self._waited * settings.upload_min_rate:
            raise ApiError("REQUEST_TIMEOUT")
        if 0 < settings.upload_file_timeout < self._waited_for_file:
            raise ApiError("REQUEST_TIMEOUT")
        if self._received > self.limit:
            raise ObjectTooLarge("The form is larger than is taken here.")
        if self._hash is not None:
            self._hash.update(data)
        return data

    async def next_file(self) -> PartHead | None:
        """The next file, the fields before it read; None where there is none any more: then the whole form was as signed.

        A file input in which nothing was chosen, which browsers send as a file without a name and a byte, is passed over.
        Raises Sha256Mismatch.
        """
        self._piece = b""
        while (head := await self._reader.next()) is not None:
            if head.name in self.file_names:
                if head.filename is None:
                    raise invalid(head.name, "This must be a file, with a filename.")
                if not head.filename:
                    self._piece = await self._reader.read()
                    if not self._piece:
                        continue
                # Not for what is passed over: of that there may be much.
                self._waited_for_file = 0.0
                return head
            limit = _LIMITS.get(head.name)
            if limit is None:
                await self._pass_over()
                continue
            if head.name in self.fields:
                raise invalid(head.name, "This field is there twice.")
            self.fields[head.name] = await self._reader.text(limit)
        await self._reader.finish()
        if self._hash is not None and self._hash.digest() != self._expected:
            raise Sha256Mismatch("The body is not the one that was signed.")
        return None

    async def _pass_over(self) -> None:
        """Read a field that means nothing. Raises MalformedForm."""
        while piece := await self._reader.read():
            self._unknown += len(piece)
            if self._unknown > MAX_UNKNOWN:
                raise MalformedForm(f"The form has more than {MAX_UNKNOWN} bytes in fields that mean nothing here.")

    async def read(self) -> bytes | memoryview:
        """The next bytes of the file."""
        if self._piece:
            piece, self._piece = self._piece, b""
            return piece
        return await self._reader.read()

    def trailer(self, _name: str) -> str | None:
        return None

    @property
    def spent(self) -> bool:
        """Whether the whole body was larger than it may be."""
        return self._received > self.limit

    @property
    def bucket(self) -> str | None:
        """The bucket that is named so far."""
        return self.fields.get("bucket") or None

    def check(self) -> None:
        """Raises ApiError for fields that mean nothing: worth knowing before a file is taken, too."""
        self.metadata()
        self.renditions()
        self.visibility(None)

    def wanted(self, head: PartHead, default: Visibility) -> Wanted:
        return Wanted(filename_of(head), self.visibility(None) or default, self.metadata(), self.renditions())

    def visibility(self, default: Visibility | None) -> Visibility | None:
        given = self.fields.get("visibility")
        if not given:
            return default
        try:
            return Visibility(given)
        except ValueError:
            raise invalid("visibility", f"One of {', '.join(Visibility)} is wanted.") from None

    def metadata(self) -> Mapping[str, object] | None:
        given = self.fields.get("metadata")
        return None if not given else parse_metadata(given)

    def renditions(self) -> tuple[str, ...]:
        given = self.fields.get("renditions")
        return () if not given else parse_renditions(given)


def filename_of(head: PartHead) -> str:
    return safe_filename(head.filename, UNNAMED)


def parse_metadata(text: str) -> Mapping[str, object]:
    """A JSON object that can be stored and sent again. Raises ApiError."""
    try:
        found = json.loads(text, parse_constant=_refuse)
        again = json.dumps(found, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise invalid("metadata", "This must be a JSON object.") from None
    if not isinstance(found, dict):
        raise invalid("metadata", "This must be a JSON object.")
    check_metadata(found, len(again))
    return found


def check_metadata(found: Mapping[str, object], size: int) -> None:
    """Raises ApiError."""
    if _deeper(found, MAX_METADATA_DEPTH):
        raise invalid("metadata", f"The metadata may be nested {MAX_METADATA_DEPTH} deep.")
    if size > MAX_METADATA:
        raise invalid("metadata", f"The metadata may have {MAX_METADATA} bytes.")
    if not is_text(found):
        raise invalid("metadata", "The metadata hold a character that no text has: U+0000, or half of a pair.")


def _deeper(value: object, levels: int) -> bool:
    """Whether something is nested more than so many levels deep. What writes JSON has limits of its own."""
    inner: Iterable[object] = ()
    if isinstance(value, Mapping):
        inner = value.values()
    elif isinstance(value, list):
        inner = value
    else:
        return False
    return levels == 0 or any(_deeper(one, levels - 1) for one in inner)


def _refuse(name: str) -> object:
    raise ValueError(name)


def parse_renditions(text: str) -> tuple[str, ...]:
    """Compact options, or `p:<preset>`: a JSON list, or separated by blanks. Raises ApiError."""
    items: Sequence[object] = text.split()
    if text.lstrip().startswith("["):
        try:
            items = json.loads(text)
        except (ValueError, RecursionError):
            raise invalid("renditions", "This must be a list.") from None
    if len(items) > MAX_RENDITIONS:
        raise invalid("renditions", f"At most {MAX_RENDITIONS} are made at once.")
    found = []
    for item in items:
        if not isinstance(item, str):
            raise invalid("renditions", "Each must be options such as `w:300,f:webp`, or `p:<preset>`.")
        if not item.startswith("p:"):
            try:
                parse_compact(item)
            except OptionError as error:
                raise invalid("renditions", str(error)) from None
        found.append(item)
    return tuple(found)


def default_visibility(bucket: Bucket, *, answered_at_once: bool) -> Visibility:
    """What an image is where nothing is said: public where the answer is the image, else as its bucket is."""
    if answered_at_once:
        return Visibility.PUBLIC
    return Visibility.UNLISTED if bucket.images_public else Visibility.PRIVATE
