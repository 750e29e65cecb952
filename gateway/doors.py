"""Which door a request is for, told from its host and path alone: for answers that are given in front of the doors."""

from __future__ import annotations

from enum import Enum, auto

from gateway.http.request_target import split_absolute
from gateway.img.dialects.doors import PREFIXES, bare_host
from gateway.settings.settings import Settings
from gateway.web.endpoint import RESERVED_PAGES

PROBES = frozenset({"/livez", "/readyz", "/health"})
"""What a load balancer asks also at the host of a dialect."""
_OF_THE_API = frozenset({"api", "openapi.json"})


class Door(Enum):
    """Who would have answered, and in whose words it is answered instead."""

    S3 = auto()
    IMAGES = auto()
    """Foreign URLs included."""
    API = auto()
    PAGES = auto()
    """Probes and figures included."""


class Doors:
    """Knows the doors by the settings."""

    __slots__ = ("_bucket_hosts", "_dialect_hosts", "_image_names")

    def __init__(self, settings: Settings) -> None:
        self._bucket_hosts = tuple("." + domain for domain in settings.domain)
        self._dialect_hosts = frozenset(settings.dialect_hosts)
        self._image_names = frozenset({"img", *(PREFIXES[name] for name in settings.dialects)})

    def of(self, target: str, host: str) -> Door:
        """The door for a request target, and a Host header, or "" where there is none that can be read.

        The authority of a target that is a whole URL takes the place of the header.
        """
        if not target.startswith("/"):
            try:
                host, target = split_absolute(target)
            except ValueError:
                target = ""
        path = target.partition("?")[0]
        if path not in PROBES and bare_host(host) in self._dialect_hosts:
            return Door.IMAGES
        name = path[1:].partition("/")[0]
        if self._bucket_hosts and is_bucket_host(host, self._bucket_hosts):
            return Door.S3  # on a virtual host every path is a key
        if name in self._image_names:
            return Door.IMAGES
        if name in _OF_THE_API:
            return Door.API
        return Door.PAGES if name in RESERVED_PAGES else Door.S3


def is_bucket_host(host: str, endings: tuple[str, ...]) -> bool:
    """Whether a Host header names a bucket: it ends with one of the domains, which come with a dot before them."""
    name = host.lower()
    if not name.endswith("]"):
        name = name.rpartition(":")[0] or name
    return name.endswith(endings)
