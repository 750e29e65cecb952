"""Whether nobody on the way could read a request: keys of customers come only so."""

from __future__ import annotations

from ipaddress import ip_address

from aiohttp.web import BaseRequest

from gateway.http.client_address import Networks, within


def is_secure(request: BaseRequest, proxies: Networks) -> bool:
    """Over TLS, from this machine, or through a trusted proxy that says that it was https.

    A proxy on this machine that says http is believed too, also where it is not among the trusted ones.
    """
    transport = request.transport
    if transport is not None and transport.get_extra_info("sslcontext") is not None:
        return True
    peer = request._transport_peername
    address = peer[0] if isinstance(peer, tuple) and peer else None
    return arrived_securely(address, request._message.headers.getall("X-Forwarded-Proto", ()), proxies)


def arrived_securely(address: str | None, forwarded: list[str] | tuple[()], proxies: Networks) -> bool:
    """The same of a request without TLS. `address` is the peer's, None for a Unix socket."""
    local = address is None or _is_loopback(address)
    if not local and not within(address or "", proxies):
        return False
    schemes = [entry.strip().lower() for value in forwarded for entry in value.split(",")]
    # Each proxy of a chain may have added its own: all of the way has to be safe.
    return all(scheme == "https" for scheme in schemes) if schemes else local


def _is_loopback(address: str) -> bool:
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return (mapped or parsed).is_loopback
