"""The sources that foreign URLs name, as buckets and keys. Nothing is ever fetched from anywhere else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gateway.img.dialects.arguments import refuse, unescaped, unsupported
from gateway.img.target import AddressError, ImageByKey
from gateway.model.objects import MAX_KEY_BYTES

_S3 = "s3://"
_LOCAL = "local://"
_WEB = ("http://", "https://")
EXPECTED = "s3://bucket/key, local:///bucket/key, or a URL that source_map knows"


class Sources:
    """Finds bucket and key of a source.

    `mapped`: URL prefix -> `bucket/prefix`; the longest that fits counts, and `""` is for sources without a scheme.
    `drop_query`: what follows a question mark in a mapped http source is left out instead of refused.
    """

    def __init__(self, mapped: Mapping[str, str], *, drop_query: bool = False) -> None:
        self._prefixes = sorted(((prefix, *_folder(place)) for prefix, place in mapped.items()), key=_longest_first)
        self._drop_query: Final = drop_query

    def locate(self, source: str, *, guess_scheme: bool = False) -> ImageByKey:
        """The image that a source names. `guess_scheme`: one without a scheme may be an http or https URL.

        Raises AddressError where it leads nowhere, OptionError where it cannot be read.
        """
        if source.startswith(_S3):
            bucket, _, key = source.removeprefix(_S3).partition("/")
            if "?" in key:
                raise unsupported("source", "an s3:// URL without a version behind a question mark")
            return _address(bucket, key.encode("utf-8", "surrogateescape"))
        if source.startswith(_LOCAL):
            bucket, _, key = source.removeprefix(_LOCAL).removeprefix("/").partition("/")
            return _address(bucket, key.encode("utf-8", "surrogateescape"))
        candidates = [source]
        if guess_scheme and "://" not in source:
            candidates = [*(scheme + source for scheme in _WEB), source]
        for candidate in candidates:
            found = self._mapped(candidate)
            if found is not None:
                return found
        raise AddressError(f"The source is none of this server's: {EXPECTED}.", missing=True)

    def _mapped(self, source: str) -> ImageByKey | None:
        scheme, separator, rest = source.partition("://")
        if separator:
            host, slash, path = rest.partition("/")
            source = f"{scheme.lower()}://{host.lower()}{slash}{path}"
        for prefix, bucket, folder in self._prefixes:
            if not source.startswith(prefix) or (not prefix and separator):
                continue
            rest = source.removeprefix(prefix)
            if not separator:
                return _address(bucket, folder + rest.encode("utf-8", "surrogateescape"))
            return _address(bucket, folder + unescaped("source", self._without_query(rest)))
        return None

    def _without_query(self, path: str) -> str:
        path, query, _ = path.partition("?")
        if query and not self._drop_query:
            raise refuse("source", "a URL without a query, or source_query = drop", "has a query")
        return path.partition("#")[0]


def _folder(place: str) -> tuple[str, bytes]:
    bucket, _, folder = place.partition("/")
    folder = folder.strip("/")
    return bucket, f"{folder}/".encode() if folder else b""


def _longest_first(entry: tuple[str, str, bytes]) -> int:
    return -len(entry[0])


def _address(bucket: str, key: bytes) -> ImageByKey:
    if not bucket or not key:
        raise AddressError(f"The source names no image: {EXPECTED}.", missing=True)
    if len(key) > MAX_KEY_BYTES:
        raise AddressError(f"The key is longer than {MAX_KEY_BYTES} bytes.")
    try:
        key.decode("utf-8")
    except UnicodeDecodeError:
        raise AddressError("The key is not valid UTF-8.") from None
    return ImageByKey(bucket, key)
