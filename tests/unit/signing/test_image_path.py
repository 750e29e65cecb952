"""Parameters in the path."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signing.errors import LinkRefused
from signing.image_link import parse_link, sign_link, sign_url, verify_link
from signing.image_path import MalformedSegment, folded, segment_of
from signing.link_bindings import Bindings, parse_bindings

KEY = b"k" * 32


@pytest.mark.parametrize(
    ("raw", "plain", "pairs"),
    [
        (b"/img/w_300/IX", b"/img/IX", [("w", "300")]),
        (b"/img/w_300,h_200,f_webp/photos/a_b/c_d.jpg", b"/img/photos/a_b/c_d.jpg", [("w", "300"), ("h", "200"), ("f", "webp")]),
        (b"/img/min-w_5/IX", b"/img/IX", [("min-w", "5")]),
        (b"/img/text_a_b/IX", b"/img/IX", [("text", "a_b")]),
        (b"/img/text_a%252Cb%252Fc%2525/IX", b"/img/IX", [("text", "a,b/c%")]),
        (b"/img/w%5F300%2Ch_200/IX", b"/img/IX", [("w", "300"), ("h", "200")]),
        (b"/img/text_a+b%20c/IX", b"/img/IX", [("text", "a+b c")]),
        (b"/img/dl_/IX", b"/img/IX", [("dl", "")]),
        (b"/img/photos/w_300/a.jpg", b"/img/photos/w_300/a.jpg", []),
        (b"/img/IX", b"/img/IX", []),
        (b"/other/w_300/IX", b"/other/w_300/IX", []),
    ],
)  # fmt: skip
def test_read(raw: bytes, plain: bytes, pairs: list[tuple[str, str]]) -> None:
    assert segment_of(raw) == (plain, pairs)


@pytest.mark.parametrize(
    "raw",
    [b"/img/w_300", b"/img/w_300,/IX", b"/img/w_1,h/IX", b"/img/_5/IX", b"/img/w_%zz/IX", b"/img/w_%25zz/IX",
     b"/img/text_a%2Fb/IX", b"/img/text_%FF/IX", b"/img/text_%25FF/IX"],
)  # fmt: skip
def test_malformed(raw: bytes) -> None:
    with pytest.raises(MalformedSegment):
        segment_of(raw)


names = st.from_regex(r"[a-z][a-z-]{0,8}", fullmatch=True)
texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)


@given(st.lists(st.tuples(names, texts), min_size=1, max_size=5))
def test_every_value_comes_back(pairs: list[tuple[str, str]]) -> None:
    raw = folded("/img/photos/x_y", pairs).encode()
    assert segment_of(raw) == (b"/img/photos/x_y", pairs)


def test_nothing_is_folded_to_nothing() -> None:
    assert folded("/img/IX", []) == "/img/IX"
    for path, name in (("/other/x", "w"), ("/img/", "w"), ("/img/IX", "a_b"), ("/img/IX", "a,b"), ("/img/IX", "")):
        with pytest.raises(ValueError, match=r"paths below|cannot stand"):
            folded(path, [(name, "1")])


def test_the_same_link_in_the_path_has_the_same_signature() -> None:
    pairs = [("w", "300"), ("text", "a/b, c_d")]
    in_query = sign_link("/img/IX", pairs, key_id="team/photos=1", key=KEY, expires=99)
    in_path = sign_link("/img/IX", pairs, key_id="team/photos=1", key=KEY, expires=99, in_path=True)
    assert "?" not in in_path
    one = parse_link(*(part.encode() for part in in_query.split("?")))
    two = parse_link(in_path.encode(), b"")
    assert one is not None
    assert two is not None
    assert one.string_to_sign == two.string_to_sign
    assert one.signature == two.signature
    assert list(two.parameters) == pairs
    assert (two.path, two.in_path, one.in_path) == ("/img/IX", True, False)
    verify_link(two, KEY, 99)
    with pytest.raises(LinkRefused):
        verify_link(two, KEY, 100)
    # Half of them here and half there is the same link, too.
    head, _, tail = in_query.partition("&text=")
    mixed = parse_link(head.replace("/img/IX?w=300", "/img/w_300/IX").encode(), f"text={tail}".encode())
    assert mixed is not None
    verify_link(mixed, KEY, 99)


def test_a_changed_segment_is_refused() -> None:
    link = sign_link("/img/photos/a.jpg", [("w", "300")], key_id="k", key=KEY, expires=99, in_path=True)
    for changed in (link.replace("w_300", "w_301"), link.replace("photos", "other"), link.replace("w_300,", "")):
        claims = parse_link(changed.encode(), b"")
        assert claims is not None
        with pytest.raises(LinkRefused):
            verify_link(claims, KEY, 1)


def test_no_slash_moves_a_link_to_another_object() -> None:
    """The end of the segment is part of what is signed: no spelling of a slash makes a value eat into the address."""
    link = sign_link("/img/photos/x/y.jpg", [("text", "a")], key_id="k", key=KEY, expires=99, in_path=True)
    moved = link.replace("/photos/x", "%2Fphotos/x")
    with pytest.raises(MalformedSegment):
        segment_of(moved.encode())
    assert parse_link(moved.encode(), b"") is None
    with pytest.raises(ValueError, match="apart"):
        sign_link("/img/text_a/photos/x", [], key_id="k", key=KEY, expires=99)


def test_a_typed_url_keeps_its_form() -> None:
    typed = sign_url("/img/w_300,text_a%252Cb/IX.webp", key_id="k", key=KEY, expires=5)
    assert typed == sign_link(
        "/img/IX.webp", [("w", "300"), ("text", "a,b")], key_id="k", key=KEY, expires=5, in_path=True
    )
    assert sign_url("/img/IX?w=3", key_id="k", key=KEY, expires=5, in_path=True).startswith("/img/w_3,exp_5,kid_k,sig_")


@pytest.mark.parametrize(
    ("ref", "referer", "allowed"),
    [
        ("example.com", "https://example.com/page", True),
        ("example.com", "https://EXAMPLE.com:8443/", True),
        ("example.com", "https://www.example.com/", False),
        ("example.com", "https://example.com.evil.test/", False),
        ("example.com", "https://evil.test/?https://example.com/", False),
        ("example.com", "https://example.com@evil.test/", False),
        ("example.com", None, False),
        ("example.com", "", False),
        ("example.com", "about:blank", False),
        ("example.com", "http://[broken", False),
        ("example.com,-", None, True),
        ("-", "https://example.com/", False),
        ("*.example.com", "https://a.b.example.com/", True),
        ("*.example.com", "https://example.com/", False),
        ("*.example.com", "https://badexample.com/", False),
        ("Example.COM,other.org", "http://other.org", True),
    ],
)  # fmt: skip
def test_bound_to_a_page(ref: str, referer: str | None, allowed: bool) -> None:
    link = sign_link("/img/IX", [], key_id="k", key=KEY, expires=9, bindings=parse_bindings(ref, None))
    claims = parse_link(*(part.encode() for part in link.split("?")))
    assert claims is not None
    assert claims.parameters == ()
    if allowed:
        verify_link(claims, KEY, 9, referer=referer)
    else:
        with pytest.raises(LinkRefused):
            verify_link(claims, KEY, 9, referer=referer)


@pytest.mark.parametrize(
    ("networks", "address", "allowed"),
    [
        ("203.0.113.7", "203.0.113.7", True),
        ("203.0.113.7", "203.0.113.8", False),
        ("203.0.113.0/24,2001:db8::/32", "2001:db8:5::1", True),
        ("203.0.113.0/24,2001:db8::/32", "203.0.113.99", True),
        ("203.0.113.0/24", "::ffff:203.0.113.99", True),
        ("203.0.113.0/24", "2001:db8::1", False),
        ("203.0.113.0/24", None, False),
        ("203.0.113.0/24", "unknown", False),
    ],
)
def test_bound_to_a_network(networks: str, address: str | None, allowed: bool) -> None:
    assert parse_bindings(None, networks).allow(None, address) is allowed


def test_bindings_are_signed_and_must_be_well_formed() -> None:
    bound = sign_link("/img/IX", [], key_id="k", key=KEY, expires=9, bindings=Bindings(("a.test",), ("10.0.0.0/8",)))
    for changed in (bound.replace("a.test", "b.test"), bound.replace("ref=a.test&", ""), bound.replace("10.", "11.")):
        claims = parse_link(*(part.encode() for part in changed.split("?")))
        assert claims is not None
        with pytest.raises(LinkRefused):
            verify_link(claims, KEY, 9, referer="http://b.test/", address="11.0.0.1")
    for hosts, networks in (("", None), ("a b", None), ("a.test,", None), (None, "300.1.1.1"), (None, "x"), (None, "")):
        with pytest.raises(ValueError, match=r"entries|host|appear|address"):
            parse_bindings(hosts, networks)
    for query in ("ref=", "ip=nowhere", "ref=a.test&ref=a.test"):
        with pytest.raises(LinkRefused):
            parse_link(b"/img/IX", f"{query}&exp=9&kid=k&sig={'A' * 43}".encode())
    for name in ("ref", "ip"):
        with pytest.raises(ValueError, match=name):
            sign_link("/img/IX", [(name, "1")], key_id="k", key=KEY, expires=9)
    assert not Bindings()
