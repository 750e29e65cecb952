"""What a request is for, as it was sent.

Request targets in absolute form (RFC 9112, section 3.2.2), as clients send them that take this server for a proxy.

What they ask for is what stands behind the authority, and the authority takes the place of the Host header: for virtual
hosts and for signatures, whose canonical request knows the path and the host of the URL and not how it was sent.
"""

from __future__ import annotations

import re

from aiohttp.web import BaseRequest
from multidict import CIMultiDict, CIMultiDictProxy

_ABSOLUTE = re.compile(r"https?://([^/?#]+)(.*)", re.IGNORECASE | re.DOTALL)


def split_absolute(target: str) -> tuple[str, str]:
    """The authority of a URL, and its path and query. Raises ValueError for what no server of http is asked.

    A host is never empty, and whoever names a user may want to be mistaken for somebody else (RFC 9110, 4.2.1 and 4.2.4).
    """
    found = _ABSOLUTE.fullmatch(target)
    if found is None or "@" in found[1]:
        raise ValueError("not the URL of an http server")
    path = found[2]
    return found[1], path if path.startswith("/") else "/" + path


def to_origin_form(request: BaseRequest) -> bool:
    """Make a request whose target is no path one that the doors can read. Whether that is possible.

    `*` and the authority of CONNECT, which RFC 9112 has as well, stay: there is nothing behind them.
    """
    message = request._message
    if message.path == "*" or message.method == "CONNECT":
        return True
    try:
        host, path = split_absolute(message.path)
    except ValueError:
        return False
    headers = CIMultiDict(message.headers)
    headers["Host"] = host
    request._message = message._replace(path=path, headers=CIMultiDictProxy(headers))
    request._headers = request._message.headers
    return True


def told_by(beginning: bytes) -> tuple[str, str]:
    """Target and Host header of what may be no request, as far as its first bytes tell them; else empty.

    A host that stands there twice or is cut off is none.
    """
    line, _, rest = beginning.partition(b"\n")
    words = line.split(b" ", 2)
    target = words[1].rstrip(b"\r") if len(words) > 1 else b""
    hosts = []
    for field in rest.split(b"\n")[:-1]:
        name, _, value = field.partition(b":")
        if not name.strip():
            break
        if name.lower() == b"host":
            hosts.append(value)
    host = hosts[0].strip() if len(hosts) == 1 else b""
    return target.decode("latin-1"), host.decode("latin-1")
