"""What links without a signature may ask for."""

from __future__ import annotations

import pytest

from gateway.policy.ladder import DEFAULT_LADDER, by_preset_alone, ladder_of, on_ladder
from transforms.options import SPECS, OptionSpec, parse_request

LADDER = (100, 200, 300, 800)


def allowed(*pairs: tuple[str, str], ladder: tuple[int, ...] = LADDER) -> bool:
    return on_ladder(parse_request(pairs), {name for name, _ in pairs}, ladder)


@pytest.mark.parametrize("width", LADDER)
@pytest.mark.parametrize("name", ["w", "width"])
def test_widths_of_the_list(width: int, name: str) -> None:
    assert allowed((name, str(width)))


@pytest.mark.parametrize("form", ["auto", "jpeg", "jpg", "webp", "avif"])
def test_formats_of_the_web(form: str) -> None:
    assert allowed(("w", "200"), ("f", form))
    assert allowed(("w", "200"), ("format", form))


@pytest.mark.parametrize(
    "pairs",
    [
        (),
        (("w", "101"),),
        (("w", "400"),),
        (("f", "webp"),),
        (("w", "200"), ("f", "png")),
        (("w", "200"), ("f", "gif")),
        (("h", "200"),),
        (("w", "200"), ("h", "200")),
        (("dpr", "2"),),
    ],
)
def test_what_is_not_on_it(pairs: tuple[tuple[str, str], ...]) -> None:
    assert not allowed(*pairs)


@pytest.mark.parametrize(
    ("width", "ratio", "expected"),
    [
        ("100", "1", True),
        ("100", "2", True),
        ("100", "3", True),
        ("200", "2", False),  # 400 is not on the list
        ("300", "2", False),
        ("200", "4", False),  # 800 is, but 4 is no ratio of the ladder
        ("200", "1.5", False),  # 300 is
        ("50", "2", False),  # 100 is, but 50 is not
    ],
)
def test_ratios_lead_from_width_to_width(width: str, ratio: str, expected: bool) -> None:
    assert allowed(("w", width), ("dpr", ratio)) is expected


PRESETS = {"card": "w:333,h:222,fit:cover,blur:2", "wide": "w:900", "free": "gray:1", "stored": "raw:1"}
FREE = {"w", "f", "dpr", "p", "v", "dl"}


@pytest.mark.parametrize("spec", [spec for spec in SPECS if spec.name not in FREE], ids=lambda s: s.name)
def test_every_other_option_needs_a_signature(spec: OptionSpec) -> None:
    pairs = [("w", "200")] if spec.name != "raw" else []
    pairs.append((spec.name, spec.example))
    assert not on_ladder(parse_request(pairs), {name for name, _ in pairs}, LADDER)


def test_how_it_is_handed_out_is_free() -> None:
    assert allowed(("w", "200"), ("v", "0123"), ("dl", "cat.jpg"))
    assert not allowed(("v", "0123"), ("dl", "cat.jpg"))


def with_preset(*pairs: tuple[str, str], most: int | None = None) -> bool:
    return on_ladder(parse_request(pairs, PRESETS), {name for name, _ in pairs}, LADDER, most)


def test_a_preset_is_free_and_nothing_about_pixels_beside_it() -> None:
    assert with_preset(("p", "card"))
    assert with_preset(("preset", "card"), ("v", "1"), ("dl", "x"))
    assert with_preset(("p", "free"))
    for pair in (("w", "200"), ("dpr", "2"), ("f", "webp"), ("fit", "cover")):
        assert not with_preset(("p", "card"), pair)
    assert not with_preset(("p", "stored"))


def test_a_bucket_may_have_a_widest_picture() -> None:
    assert with_preset(("p", "card"), most=333)
    assert not with_preset(("p", "card"), most=332)
    assert not with_preset(("p", "wide"), most=800)
    assert not with_preset(("p", "free"), most=800), "it could be of any size"
    assert with_preset(("w", "300"), most=300)
    assert not with_preset(("w", "800"), most=300)
    assert not with_preset(("w", "100"), ("dpr", "3"), most=200)
    assert ladder_of(LADDER, 250) == (100, 200)


def test_what_only_presets_leaves() -> None:
    def alone(*pairs: tuple[str, str]) -> bool:
        return by_preset_alone(parse_request(pairs, PRESETS), {name for name, _ in pairs})

    assert alone(("p", "card"))
    assert alone(("p", "card"), ("v", "1"), ("dl", "x"))
    assert alone(("raw", "1"))
    assert not alone()
    assert not alone(("w", "100"))
    assert not alone(("p", "card"), ("q", "5"))


def test_even_at_its_default_an_option_needs_a_signature() -> None:
    assert not allowed(("w", "200"), ("fit", "inside"))
    assert not allowed(("w", "200"), ("up", "0"))


def test_a_bucket_without_widths_has_the_ordinary_ones() -> None:
    assert ladder_of(()) == DEFAULT_LADDER == (150, 300, 600, 1200)
    assert ladder_of((77,)) == (77,)
    assert allowed(("w", "300"), ladder=())
    assert not allowed(("w", "301"), ladder=())
