"""What a signed link may be bound to: the page that shows it (`ref`) and the network that asks (`ip`).

    ref=example.com,*.example.org      the host of the Referer; `*.` is every host below, `-` a request without Referer
                                       (which must be a page's address as browsers send it, of http or https)
    ip=203.0.113.7,2001:db8::/32       the client's address

Both are signed as all parameters are.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

NO_REFERER = "-"
MAX_ENTRIES = 16
_HOST = re.compile(r"(?:\*\.)?[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?|\[[0-9a-f:.]{2,45}\]")
_REFERER = re.compile(r"https?://(\[[0-9a-f:.]{2,45}\]|[a-z0-9._-]+)(?::[0-9]{0,5})?(?:[/?].*)?", re.A | re.I | re.S)
"""Browsers leave out user names and fragments; whatever has two readings comes from none of them."""
_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Bindings:
    """Parsed bindings. `hosts` in lower case; empty: any. `networks` as written; empty: any."""

    hosts: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.hosts or self.networks)

    def pairs(self) -> Iterator[tuple[str, str]]:
        """The parameters that say so."""
        if self.hosts:
            yield "ref", ",".join(self.hosts)
        if self.networks:
            yield "ip", ",".join(self.networks)

    def allow(self, referer: str | None, address: str | None) -> bool:
        """Whether a request with this Referer header, from this address, keeps to them."""
        return (not self.hosts or _from_host(self.hosts, referer)) and (
            not self.networks or _from_network(self.networks, address)
        )


UNBOUND = Bindings()


def parse_bindings(hosts: str | None, networks: str | None) -> Bindings:
    """The values of `ref` and `ip`, None where they are not given. Raises ValueError."""
    return Bindings(
        () if hosts is None else tuple(_host(entry) for entry in _entries(hosts)),
        () if networks is None else tuple(_network_text(entry) for entry in _entries(networks)),
    )


def _entries(text: str) -> list[str]:
    entries = text.split(",")
    if len(entries) > MAX_ENTRIES or not all(entries):
        raise ValueError(f"1 to {MAX_ENTRIES} entries separated by commas")
    return entries


def _host(text: str) -> str:
    lowered = text.lower()
    if lowered != NO_REFERER and not _HOST.fullmatch(lowered):
        raise ValueError(f"{text!r} is not a host name")
    return lowered


def _network_text(text: str) -> str:
    _network(text)
    return text


@lru_cache(maxsize=1024)
def _network(text: str) -> _Network:
    network = ipaddress.ip_network(text, strict=False)
    if isinstance(network, ipaddress.IPv6Network) and network.subnet_of(_MAPPED):
        # Clients of IPv4 have an address of IPv4, however they came.
        return ipaddress.IPv4Network((network.network_address.packed[12:], network.prefixlen - _MAPPED.prefixlen))
    return network


def _from_host(hosts: tuple[str, ...], referer: str | None) -> bool:
    if not referer:
        return NO_REFERER in hosts
    page = _REFERER.fullmatch(referer)
    if page is None:
        return False
    host = page[1].lower().removesuffix(".")
    return any(host == entry or (entry.startswith("*.") and host.endswith(entry[1:])) for entry in hosts)


def _from_network(networks: tuple[str, ...], address: str | None) -> bool:
    try:
        client = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(client, "ipv4_mapped", None)
    client = mapped or client
    return any(client in _network(text) for text in networks)
