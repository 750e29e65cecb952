from __future__ import annotations

from ipaddress import ip_network

import pytest

from gateway.http.secure import arrived_securely

PROXIES = (ip_network("10.0.0.0/8"),)


@pytest.mark.parametrize(
    ("address", "forwarded", "expected"),
    [
        # Nobody in between: only this machine is safe.
        ("127.0.0.1", [], True),
        ("::1", [], True),
        ("::ffff:127.0.0.1", [], True),
        (None, [], True),
        ("192.0.2.7", [], False),
        # Anybody can say https; only a trusted proxy is believed.
        ("192.0.2.7", ["https"], False),
        ("10.1.2.3", ["https"], True),
        ("10.1.2.3", ["HTTPS , https"], True),
        ("10.1.2.3", ["http"], False),
        ("10.1.2.3", ["https", "http"], False),
        ("10.1.2.3", ["https, http"], False),
        ("10.1.2.3", [], False),
        # A proxy on this machine that took the request over http.
        ("127.0.0.1", ["http"], False),
        ("127.0.0.1", ["https"], True),
        (None, ["http"], False),
        ("what", [], False),
    ],
)
def test_who_could_have_read_it(address: str | None, forwarded: list[str], expected: bool) -> None:
    assert arrived_securely(address, forwarded, PROXIES) is expected
