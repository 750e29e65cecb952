"""Whose request it is, where proxies stand in front."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Network = IPv4Network | IPv6Network
Networks = tuple[Network, ...]

_WITH_PORT = re.compile(r"\[([^\[\]]+)\](?::[0-9]{1,5})?|([0-9.]+):[0-9]{1,5}", re.ASCII)


@lru_cache(maxsize=4096)
def within(address: str, networks: Networks) -> bool:
    """Whether a textual address lies in one of the networks; False for what is no address."""
    parsed = _parse(address)
    return parsed is not None and any(parsed.version == network.version and parsed in network for network in networks)


def client_address(peer: str | None, forwarded_for: Sequence[str], trusted: Networks) -> str | None:
    """The rightmost entry of X-Forwarded-For that is not a trusted proxy; the peer itself where it is not one.

    `forwarded_for` are the values of all such headers in the order received. What a client writes there itself stands
    to the left of what a trusted proxy adds, so it is never believed. Some proxies add the client's port; it counts for
    nothing. An entry that is no address ends the search: the last trusted proxy is answered for.
    """
    if peer is None or not trusted or not within(peer, trusted):
        return peer
    client = peer
    for value in reversed(forwarded_for):
        for entry in reversed(value.split(",")):
            parsed = _parse(_bare(entry.strip()))
            if parsed is None:
                return client
            client = str(parsed)
            if not within(client, trusted):
                return client
    return client


def _bare(entry: str) -> str:
    """An address without the port behind it and the brackets around it."""
    match = _WITH_PORT.fullmatch(entry)
    return entry if match is None else match[1] or match[2]


def _parse(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
