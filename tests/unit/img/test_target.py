"""Image URLs, taken apart as sent."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.img.errors import translate
from gateway.img.signature import LinkSignature
from gateway.img.target import AddressError, ImageById, ImageByKey, parse_address, parse_target
from gateway.services.images import new_image_id
from signing.errors import LinkRefused
from signing.image_link import sign_link
from tests import images
from transforms.errors import OptionError

IMAGE_ID = new_image_id(images.jpeg())
assert IMAGE_ID is not None


def test_an_image_id_is_no_bucket() -> None:
    assert parse_address(f"/img/{IMAGE_ID}") == ImageById(str(IMAGE_ID))
    # With another word behind it, it is in the bucket's place; no bucket can have such a name, so nothing is found.
    assert parse_address(f"/img/{IMAGE_ID}/x") == ImageByKey(str(IMAGE_ID), b"x")


@pytest.mark.parametrize(
    ("path", "bucket", "key"),
    [
        ("/img/photos/a.jpg", "photos", b"a.jpg"),
        ("/img/photos/a%20b.jpg", "photos", b"a b.jpg"),
        ("/img/photos/a+b.jpg", "photos", b"a+b.jpg"),
        ("/img/photos//a", "photos", b"/a"),
        ("/img/photos/a%2Fb", "photos", b"a/b"),
        ("/img/photos/../x", "photos", b"../x"),
        ("/img/photos/a%252Fb", "photos", b"a%2Fb"),
        ("/img/photos/%C3%A9", "photos", "é".encode()),
        ("/img/photos/\udcc3\udca9", "photos", "é".encode()),
    ],
)
def test_keys_are_decoded_once_and_nothing_else(path: str, bucket: str, key: bytes) -> None:
    assert parse_address(path) == ImageByKey(bucket, key)


@given(st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=80))
def test_every_key_has_a_url(text: str) -> None:
    link = sign_link(f"/img/photos/{text}", [], key_id="k", key=b"k", expires=1)
    assert parse_address(link.partition("?")[0]) == ImageByKey("photos", text.encode())


@pytest.mark.parametrize("path", ["/img", "/img/", "/img/photos", "/img/photos/", "/img//key", "/img/iAAAAAAAAAA"])
def test_paths_that_lead_nowhere_are_missing(path: str) -> None:
    with pytest.raises(AddressError) as caught:
        parse_address(path)
    assert caught.value.missing


@pytest.mark.parametrize(
    "path", ["/img/photos/%zz", "/img/photos/100%", "/img/photos/%FF", "/img/photos/" + "k" * 1025]
)
def test_paths_that_no_key_can_have_are_malformed(path: str) -> None:
    with pytest.raises(AddressError) as caught:
        parse_address(path)
    assert not caught.value.missing


def test_options_and_what_was_named() -> None:
    target = parse_target("/img/photos/a.jpg?w=300&format=webp", signed_header=False)
    assert target.fixed is not None
    assert (target.fixed.options.w, target.fixed.options.f) == (300, "webp")
    assert target.named == {"w", "format"}
    assert target.signature is None
    assert not target.presigned


@pytest.mark.parametrize("query", ["w=abc", "zoom=2", "w=1&w=2", "w=1&width=2", "v=*", "x-id=GetObject"])
def test_wrong_options_name_themselves(query: str) -> None:
    with pytest.raises(OptionError) as caught:
        parse_target(f"/img/photos/a.jpg?{query}", signed_header=False)
    assert caught.value.option in {"w", "width", "zoom", "v", "x-id"}


def test_a_links_own_parameters_are_no_options() -> None:
    link = sign_link("/img/photos/a.jpg", [("w", "300")], key_id="k", key=b"k", expires=99)
    target = parse_target(link, signed_header=False)
    assert target.named == {"w"}
    assert isinstance(target.signature, LinkSignature)
    assert (target.signature.claims.key_id, target.signature.claims.expires) == ("k", 99)


def test_half_a_link_is_refused_as_a_link() -> None:
    with pytest.raises(LinkRefused):
        parse_target("/img/photos/a.jpg?w=300&sig=abc", signed_header=False)


def test_the_parameters_of_sdks_are_no_options_where_they_sign() -> None:
    presigned = "/img/photos/a.jpg?w=300&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=1&x-id=GetObject"
    target = parse_target(presigned, signed_header=False)
    assert target.presigned
    assert target.named == {"w"}
    assert parse_target("/img/photos/a.jpg?x-id=GetObject&w=1", signed_header=True).named == {"w"}


def test_a_link_has_no_other_way_to_authenticate() -> None:
    link = sign_link("/img/a/b", [("X-Amz-Algorithm", "x")], key_id="k", key=b"k", expires=1)
    with pytest.raises(OptionError):
        parse_target(link, signed_header=False)


def test_long_targets_are_parsed_alike() -> None:
    key = "k" * 1000
    assert parse_target(f"/img/photos/{key}?w=5", signed_header=False).address == ImageByKey("photos", key.encode())


@given(st.text(max_size=60), st.text(max_size=80), st.booleans())
def test_noise_is_refused_in_one_of_three_ways(path: str, query: str, signed: bool) -> None:
    target = f"/img/{path}?{query}".encode("utf-8", "surrogatepass").decode("utf-8", "surrogateescape")
    try:
        parse_target(target, signed_header=signed)
    except (AddressError, OptionError, LinkRefused) as error:
        answer = translate(error)
        assert answer is not None
        assert json.loads(answer.document())["error"]["code"] == answer.code


@pytest.mark.parametrize(
    ("path", "address", "verb", "pairs"),
    [
        ("/img/w_300,h_200/{id}.webp", ImageById, "image", (("w", "300"), ("h", "200"), ("f", "webp"))),
        ("/img/w_300/photos/a/b_c.webp", b"a/b_c.webp", "image", (("w", "300"),)),
        ("/img/{id}.png?w=5", ImageById, "image", (("w", "5"), ("f", "png"))),
        ("/img/{id}.svg", ImageById, "image", (("f", "svg"),)),
        ("/img/{id}/info", ImageById, "info", ()),
        ("/img/{id}/srcset?widths=5", ImageById, "srcset", (("widths", "5"),)),
        ("/img/-/info/photos/a/info", b"a/info", "info", ()),
        ("/img/-/placeholder/{id}", ImageById, "placeholder", ()),
        ("/img/photos/a/info", b"a/info", "image", ()),
        ("/img/photos/info", b"info", "image", ()),
    ],
)
def test_what_is_asked_of_which_image(
    path: str, address: type | bytes, verb: str, pairs: tuple[tuple[str, str], ...]
) -> None:
    target = parse_target(path.format(id=IMAGE_ID), signed_header=False)
    found = target.address
    assert (found.key if isinstance(found, ImageByKey) else type(found)) == address
    assert (target.verb, target.pairs) == (verb, pairs)


@pytest.mark.parametrize(
    "path",
    ["/img/-", "/img/-/", "/img/-/info", "/img/-/info/", "/img/-/nothing/photos/a", "/img/-/info/{id}.webp",
     "/img/{id}.exe", "/img/{id}.", "/img/{id}.webp.png"],
)  # fmt: skip
def test_other_forms_lead_nowhere(path: str) -> None:
    with pytest.raises(AddressError) as caught:
        parse_target(path.format(id=IMAGE_ID), signed_header=False)
    assert caught.value.missing


@pytest.mark.parametrize("path", ["/img/-%2Finfo/photos/a", "/img/w_300/-%2Finfo/a", "/img/{id}%2Finfo/a"])
def test_an_escaped_slash_ends_no_word(path: str) -> None:
    found = parse_target(path.format(id=IMAGE_ID), signed_header=False).address
    assert isinstance(found, ImageByKey)
    assert "/" in found.bucket, "no bucket can be called that"


def test_a_preset_is_resolved_when_it_is_known_which_there_are() -> None:
    target = parse_target("/img/photos/a.jpg?p=card&w=50", signed_header=False)
    assert target.fixed is None
    assert target.preset == "card"
    small = target.request({"card": "w:10,h:20"}.get)
    assert (small.options.w, small.options.h) == (50, 20)
    assert target.request({"card": "w:10,h:30"}.get).options.h == 30, "a changed preset is another one"
    with pytest.raises(OptionError):
        target.request({}.get)
    with pytest.raises(OptionError):
        parse_target("/img/photos/a.jpg?p=card&w=wide", signed_header=False)


def test_another_version_keeps_the_form() -> None:
    for url, wanted in (
        ("/img/photos/a%20b.jpg?w=5&v=1", "/img/photos/a%20b.jpg?w=5&v=TAG"),
        ("/img/w_5,v_1/photos/a%20b.jpg", "/img/w_5,v_TAG/photos/a%20b.jpg"),
        ("/img/v_1/photos/a.jpg?w=5", "/img/v_TAG,w_5/photos/a.jpg"),
    ):
        assert parse_target(url, signed_header=False).with_version("TAG") == wanted
