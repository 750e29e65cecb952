"""A host and a port."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.settings.auth import is_loopback


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen. `host` has no brackets; port 0 lets the system choose."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        return is_loopback(self.host)


def parse_address(value: object) -> object:
    if not isinstance(value, str):
        return value
    host, colon, port = value.strip().rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError("is not host:port, such as 127.0.0.1:9090 or [::1]:9090")
    bracketed = host.startswith("[") and host.endswith("]")
    host = host[1:-1] if bracketed else host
    if ":" in host and not bracketed:
        raise ValueError("needs brackets around an IPv6 address, such as [::1]:9090")
    return Address(host or "0.0.0.0", int(port))  # noqa: S104 -- an empty host means every interface, as elsewhere
