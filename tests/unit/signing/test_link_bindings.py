"""What a link that is bound to pages or networks takes for one of them."""

from __future__ import annotations

import pytest

from signing.link_bindings import Bindings, parse_bindings

PAGES = parse_bindings("example.org,*.shop.test,[2001:db8::1]", None)


def allows(bindings: Bindings, *, referer: str | None = None, address: str | None = None) -> bool:
    return bindings.allow(referer, address)


@pytest.mark.parametrize(
    "referer",
    [
        "https://example.org/",
        "http://example.org/cats?x=1",
        "https://example.org",
        "https://example.org:8443/a",
        "https://example.org./a",
        "HTTPS://Example.ORG/",
        "https://a.b.shop.test/\u00e9",
        "http://[2001:db8::1]:8080/",
    ],
)
def test_pages_of_a_host(referer: str) -> None:
    assert allows(PAGES, referer=referer)


@pytest.mark.parametrize(
    "referer",
    [
        None,
        "",
        "https://shop.test/",
        "https://evilshop.test/",
        "https://evil.test/example.org",
        "https://evil.test?example.org",
        "https://evil.test#@example.org/",
        # What no browser sends: programs differ in which host they read.
        "//example.org/x",
        "example.org",
        "https:example.org/",
        "https:///example.org/",
        "ftp://example.org/",
        "android-app://example.org/",
        "https://evil.test\\@example.org/",
        "https://evil.test@example.org/",
        "https://example.org\\.evil.test/",
        "https://example.org#x",
        "https://example.org:port/",
        " https://example.org/",
        "https://exam\tple.org/",
        "https://\u212aexample.org/",
    ],
)
def test_what_is_no_page_of_them(referer: str | None) -> None:
    assert not allows(PAGES, referer=referer)


def test_letters_of_other_scripts_are_not_those_of_a_host() -> None:
    assert not allows(parse_bindings("kiosk.test", None), referer="https://\u212aios\u212a.test/")


def test_no_referer_may_be_allowed_by_itself() -> None:
    bound = parse_bindings("-", None)
    assert allows(bound)
    assert allows(bound, referer="")
    assert not allows(bound, referer="//")


@pytest.mark.parametrize(
    ("network", "inside", "outside"),
    [
        ("127.0.0.1", "127.0.0.1", "127.0.0.2"),
        ("127.0.0.1", "::ffff:127.0.0.1", "::1"),
        ("::ffff:127.0.0.1", "127.0.0.1", "127.0.0.2"),
        ("::ffff:203.0.113.0/120", "203.0.113.200", "203.0.114.1"),
        ("::ffff:203.0.113.0/120", "::ffff:203.0.113.200", "::203.0.113.200"),
        ("::ffff:0:0/96", "8.8.8.8", "::1"),
        ("2001:db8::/32", "2001:db8:1::5", "127.0.0.1"),
        ("fe80::/10", "fe80::1%eth0", "2001:db8::1"),
    ],
)
def test_addresses_of_a_network(network: str, inside: str, outside: str) -> None:
    bound = parse_bindings(None, network)
    assert allows(bound, address=inside)
    assert not allows(bound, address=outside)
    assert not allows(bound, address=None)
    assert not allows(bound, address="no address")
    assert dict(bound.pairs()) == {"ip": network}, "signed as written"
