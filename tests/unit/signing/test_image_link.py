from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signing.errors import LinkRefused
from signing.image_link import (
    BOUND,
    LinkClaims,
    parse_link,
    raw_link_key,
    s3_link_key,
    sign_link,
    sign_url,
    verify_link,
)
from signing.link_bindings import parse_bindings

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[3] / "docs/reference/image-link-vectors.json").read_text(encoding="utf-8")
)
DERIVE = {"s3": s3_link_key, "link": raw_link_key}
KEYS = {key["id"]: DERIVE[key["kind"]](key["secret"]) for key in VECTORS["keys"]}
LINKS = [pytest.param(link, id=link["name"]) for link in VECTORS["links"]]
REFUSED = [pytest.param(link["link"], id=link["name"]) for link in VECTORS["refused"]]
KEY = b"k" * 32


def parse(link: str) -> LinkClaims:
    path, _, query = link.partition("?")
    claims = parse_link(path.encode(), query.encode())
    assert claims is not None
    return claims


def open_link(link: str) -> None:
    claims = parse(link)
    verify_link(claims, KEYS[claims.key_id], VECTORS["valid_at"])


@pytest.mark.parametrize("key", VECTORS["keys"], ids=lambda key: key["id"])
def test_keys_are_derived_as_documented(key: dict[str, str]) -> None:
    assert KEYS[key["id"]].hex() == key["key_hex"]


@pytest.mark.parametrize("vector", LINKS)
def test_vector(vector: dict[str, Any]) -> None:
    key = KEYS[vector["key_id"]]
    parameters = [(name, value) for name, value in vector["parameters"]]
    given = dict(parameters)
    bindings = parse_bindings(given.get("ref"), given.get("ip"))
    parameters = [(name, value) for name, value in parameters if name not in BOUND]
    link = sign_link(
        vector["path"], parameters, key_id=vector["key_id"], key=key, expires=vector["expires"], bindings=bindings
    )
    assert link == vector["link"]
    place = {"referer": vector.get("referer"), "address": vector.get("address")}
    for spelling in (link, *vector["same"]):
        claims = parse(spelling)
        assert claims.string_to_sign == vector["string_to_sign"]
        assert (claims.key_id, claims.expires) == (vector["key_id"], vector["expires"])
        assert sorted(claims.parameters) == sorted(parameters)
        verify_link(claims, key, VECTORS["valid_at"], **place)
        with pytest.raises(LinkRefused):
            verify_link(claims, key, VECTORS["expired_at"], **place)
        with pytest.raises(LinkRefused):
            verify_link(claims, KEY, VECTORS["valid_at"], **place)
        with pytest.raises(LinkRefused):
            verify_link(claims, None, VECTORS["valid_at"], **place)


@pytest.mark.parametrize("link", REFUSED)
def test_refused_vector(link: str) -> None:
    with pytest.raises(LinkRefused) as refused:
        open_link(link)
    assert (str(refused.value), refused.value.fields) == ("Access Denied", ()), "no cause is told"


def test_vectors_are_enough() -> None:
    assert len(LINKS) >= 12
    assert sum(len(vector["same"]) for vector in VECTORS["links"]) >= 12


def test_unsigned_url_has_no_claims() -> None:
    for query in (b"", b"w=300", b"w=%zz&bg=%FF", b"signature=1&Sig=2"):
        assert parse_link(b"/img/x", query) is None


def test_unknown_key_is_refused_even_if_its_stand_in_was_guessed() -> None:
    claims = parse(sign_link("/img/x", [], key_id="nobody", key=b"\0" * 32, expires=2_000_000_000))
    with pytest.raises(LinkRefused):
        verify_link(claims, None, 0)


@pytest.mark.parametrize("name", ["exp", "kid", "sig"])
def test_signer_adds_its_own_parameters(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        sign_link("/img/x", [(name, "1")], key_id="k", key=KEY, expires=1)


def test_path_starts_with_a_slash() -> None:
    with pytest.raises(ValueError, match="slash"):
        sign_link("img/x", [], key_id="k", key=KEY, expires=1)


def test_typed_url_is_signed_as_it_reads() -> None:
    arguments: dict[str, Any] = {"key_id": "k", "key": KEY, "expires": 5}
    typed = sign_url("/img/photos/at%20the+sea.jpg?name=a+b&w=300", **arguments)
    assert typed == sign_link("/img/photos/at the+sea.jpg", [("name", "a b"), ("w", "300")], **arguments)
    assert sign_url("/img/x", **arguments) == sign_link("/img/x", [], **arguments)
    with pytest.raises(LinkRefused):
        sign_url("/img/100%.jpg", **arguments)


def test_key_id_has_a_bounded_length() -> None:
    for key_id, accepted in (("k" * 128, True), ("k" * 129, False), ("", False)):
        link = sign_link("/img/x", [], key_id=key_id, key=KEY, expires=9)
        if accepted:
            verify_link(parse(link), KEY, 9)
        else:
            with pytest.raises(LinkRefused):
                parse(link)


texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
names = texts.filter(lambda name: name not in ("exp", "kid", "sig", "ref", "ip", ""))
paths = texts.filter(lambda path: "_" not in path.partition("/")[0])
parameter_lists = st.lists(st.tuples(names, texts), max_size=5)


def _respell(random: Random, text: str, plain: str) -> str:
    """The text as some other encoder would write it: each character escaped in small or capital digits, or not."""
    spelled = []
    for character in text:
        forms = ["".join(f"%{byte:02X}" for byte in character.encode())]
        forms.append(forms[0].lower())
        if character in plain or ord(character) > 127:
            forms.append(character)
        spelled.append(random.choice(forms))
    return "".join(spelled)


@given(st.randoms(use_true_random=False), paths, parameter_lists)
def test_any_spelling_of_the_same_link_is_accepted(
    random: Random, path: str, parameters: list[tuple[str, str]]
) -> None:
    path = f"/img/{path}"
    link = sign_link(path, parameters, key_id="k id", key=KEY, expires=99)
    signature = link.rpartition("=")[2]
    plain = "abcdefghijklmnopqrstuvwxyz0123456789-._~!*'(),;:@/$"
    pairs = [*parameters, ("exp", "99"), ("kid", "k id"), ("sig", signature)]
    random.shuffle(pairs)
    query = "&".join(f"{_respell(random, name, plain)}={_respell(random, value, plain)}" for name, value in pairs)
    claims = parse(f"{_respell(random, path, plain + '+&=')}?{query}")
    verify_link(claims, KEY, 99)
    assert sorted(claims.parameters) == sorted(parameters)


@given(paths, parameter_lists, paths, parameter_lists)
def test_two_links_share_a_signature_only_if_they_mean_the_same(
    path: str, parameters: list[tuple[str, str]], other_path: str, other_parameters: list[tuple[str, str]]
) -> None:
    one = parse(sign_link(f"/img/{path}", parameters, key_id="k", key=KEY, expires=1))
    two = parse(sign_link(f"/img/{other_path}", other_parameters, key_id="k", key=KEY, expires=1))
    same = path == other_path and sorted(parameters) == sorted(other_parameters)
    assert (one.signature == two.signature) == same


@given(st.data(), parameter_lists)
def test_any_changed_character_is_refused(data: st.DataObject, parameters: list[tuple[str, str]]) -> None:
    link = sign_link("/img/photos/a.jpg", parameters, key_id="key", key=KEY, expires=1234)
    index = data.draw(st.integers(len("/img/"), len(link) - 1))
    character = data.draw(st.sampled_from("abcXYZ0189-_.~/").filter(lambda new: new != link[index]))
    changed = link[:index] + character + link[index + 1 :]
    path, _, query = changed.partition("?")
    try:
        claims = parse_link(path.encode(), query.encode())
        if claims is not None:
            verify_link(claims, KEY, 0)
    except LinkRefused:
        return
    # What is left only spells the same link in another way.
    if claims is not None:
        assert claims.string_to_sign == parse(link).string_to_sign


@given(st.binary(max_size=60), st.binary(max_size=80))
def test_noise_is_refused_or_no_link(path: bytes, query: bytes) -> None:
    try:
        claims = parse_link(b"/" + path, query + b"&sig=x")
    except LinkRefused:
        return
    pytest.fail(f"accepted {claims}")


def test_quote_of_the_standard_library_agrees() -> None:
    """So the examples in the documentation may use it."""
    every = "".join(map(chr, range(0x20, 0x250)))
    link = sign_link(f"/{every}", [(every, every)], key_id="k", key=KEY, expires=1)
    encoded = quote(every, safe="-_.~")
    assert link.startswith(f"/{quote(every, safe='/-_.~')}?{encoded}={encoded}&exp=1&kid=k&sig=")
