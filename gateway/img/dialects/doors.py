"""Which dialect a host or a prefix speaks, and how its URLs become targets."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final

from aiohttp.web import BaseRequest

from gateway.img.dialects.imgproxy import path as imgproxy
from gateway.img.dialects.imgproxy.path import ImgproxyRules
from gateway.img.dialects.imgproxy.table import PRESET_OPTIONS, parse_preset
from gateway.img.dialects.reading import Reading, Split
from gateway.img.dialects.signature import DialectSignature, ImgproxyKeys, Keys, ThumborKeys, UnsignedUntil
from gateway.img.dialects.sources import Sources
from gateway.img.dialects.thumbor import path as thumbor
from gateway.img.dialects.thumbor.path import ThumborRules
from gateway.img.signature import Signature
from gateway.img.target import AddressError, Target, make_target
from gateway.settings.dialects import DialectName
from gateway.settings.settings import Settings
from signing.canonical import Query
from signing.errors import LinkRefused
from transforms.errors import OptionError

PREFIXES: dict[DialectName, str] = {"imgproxy": "imgproxy", "thumbor": "thumbor", "imagor": "thumbor"}
"""The reserved first part of a path under which a dialect is served."""
_CACHED_LENGTH = 1024

Parse = Callable[[BaseRequest], Target]


class Dialects:
    """The dialects that the settings switch on."""

    def __init__(self, settings: Settings) -> None:
        self.hosts: Final = dict(settings.dialect_hosts)
        """The dialect that a host's root speaks; host names in lower case and without a port."""
        self.prefixes: Final = {PREFIXES[name]: name for name in settings.dialects}
        """The dialect behind the first part of a path."""
        sources = Sources(settings.source_map, drop_query=settings.source_query == "drop")
        self._imgproxy = ImgproxyRules(
            sources,
            {name: parse_preset(text) for name, text in settings.imgproxy_presets.items()},
            settings.imgproxy_watermark,
            settings.dialect_auto_format,
            settings.imgproxy_only_presets,
        )
        self._thumbor = ThumborRules(sources, settings.dialect_auto_format)
        self._imgproxy_keys = ImgproxyKeys(settings.imgproxy_keys, settings.imgproxy_signature_size)
        self._thumbor_keys = ThumborKeys(
            settings.thumbor_keys, settings.thumbor_algorithm, settings.thumbor_signature_length
        )
        # What the same URL means does not change, and most requests are for few URLs.
        self._cached = lru_cache(maxsize=4096)(self._parse)

    def keys(self, dialect: DialectName) -> Keys:
        """What its signatures are checked with."""
        return self._imgproxy_keys if dialect == "imgproxy" else self._thumbor_keys

    def split(self, dialect: DialectName, target: str) -> Split:
        """A request target without the dialect's prefix, its signature taken off. Raises AddressError, LinkRefused."""
        return imgproxy.split(target) if dialect == "imgproxy" else thumbor.split(target, dialect)

    def read(self, dialect: DialectName, rest: str) -> Reading:
        """What stands behind the signature. Raises AddressError and OptionError."""
        if dialect == "imgproxy":
            return imgproxy.read(rest, self._imgproxy)
        return thumbor.read(rest, dialect, self._thumbor)

    def parser(self, dialect: DialectName, prefix: str = "") -> Parse:
        """From a request to what it is for; `prefix` is cut off its path."""

        def parse(request: BaseRequest) -> Target:
            return self.target(dialect, prefix, request._message.path)

        return parse

    def target(self, dialect: DialectName, prefix: str, text: str) -> Target:
        """What a request target is for; `prefix` is cut off. Raises AddressError, OptionError, LinkRefused."""
        return (self._cached if len(text) <= _CACHED_LENGTH else self._parse)(dialect, prefix, text)

    def _parse(self, dialect: DialectName, prefix: str, target: str) -> Target:
        split = self.split(dialect, target.removeprefix(prefix))
        holder = self.holder(dialect, split)
        if split.signature is not None and holder is None:
            raise LinkRefused
        try:
            reading = self.read(dialect, split.rest)
        except (AddressError, OptionError) as error:
            # Strangers do not learn which sources and presets there are.
            if holder is None and (_nowhere(error) or _of_a_preset(error)):
                raise LinkRefused from None
            raise
        return self.target_of(reading, split, holder, target)

    def holder(self, dialect: DialectName, split: Split) -> str | None:
        """The access key behind the signature; None where there is no signature, or it does not hold."""
        if split.signature is None:
            return None
        return self.keys(dialect).access_key(split.signature, split.signed)

    def target_of(self, reading: Reading, split: Split, holder: str | None, target: str) -> Target:
        """What a reading is for, whether its signature holds or not. Raises OptionError."""
        signature: Signature | None = None
        if split.signature is not None:
            signature = DialectSignature(holder, reading.expires)
        elif reading.expires is not None:
            signature = UnsignedUntil(reading.expires)
        path, _, query = target.partition("?")
        return make_target(
            reading.address,
            reading.pairs,
            signature,
            raw_path=path.encode("utf-8", "surrogateescape"),
            query=Query(query.encode("utf-8", "surrogateescape")),
            by_presets=reading.by_presets,
        )


def _nowhere(error: Exception) -> bool:
    return isinstance(error, AddressError) and error.missing


def _of_a_preset(error: Exception) -> bool:
    return isinstance(error, OptionError) and error.option in PRESET_OPTIONS


def bare_host(host: str) -> str:
    """The name in a Host header as the settings spell it: lower case, without a port and a last dot."""
    name = host.lower()
    return name if name.endswith("]") else name.partition(":")[0].rstrip(".")


def preset_problems(settings: Settings) -> list[str]:
    """What is wrong with the presets of imgproxy, by the names of its options."""
    dialects = Dialects(settings)
    problems = []
    for name in settings.imgproxy_presets:
        try:
            dialects.read("imgproxy", f"/{'' if settings.imgproxy_only_presets else 'pr:'}{name}/plain/s3://bucket/key")
        except OptionError as error:
            problems.append(f"imgproxy_presets: {name}: {error}")
    return problems
