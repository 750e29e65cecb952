"""What links without a signature may ask for."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy.ladder import DEFAULT_LADDER, bounded, by_preset_alone, ladder_of, on_ladder
from transforms.geometry import plan
from transforms.option_table import SPECS, OptionSpec
from transforms.options import Options, parse_compact, parse_request
from transforms.variants import VARIANTS

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
FREE = {"w", "f", "dpr", "p", "v", "dl", "variant"}


@pytest.mark.parametrize("spec", [spec for spec in SPECS if spec.name not in FREE], ids=lambda s: s.name)
def test_every_other_option_needs_a_signature(spec: OptionSpec) -> None:
    pairs = [("w", "200")] if spec.name != "raw" else []
    pairs.append((spec.name, spec.example))
    assert not on_ladder(parse_request(pairs), {name for name, _ in pairs}, LADDER)


@pytest.mark.parametrize("name", VARIANTS)
def test_variants_are_free_up_to_the_largest_width(name: str) -> None:
    assert allowed(("variant", name), ("v", "1"), ("dl", "x")) is (VARIANTS[name].side <= 800)
    assert allowed(("variant", name), ladder=()) is (VARIANTS[name].side <= max(DEFAULT_LADDER))
    assert not on_ladder(parse_request([("variant", name)]), {"variant"}, LADDER, 99)
    assert on_ladder(parse_request([("variant", name)]), {"variant"}, LADDER, 300) is (VARIANTS[name].side <= 300)


@pytest.mark.parametrize("name", VARIANTS)
def test_a_preset_may_be_a_variant(name: str) -> None:
    request = parse_request([("p", "named")], {"named": f"variant:{name}"})
    assert on_ladder(request, {"p"}, LADDER)
    assert on_ladder(request, {"p"}, LADDER, VARIANTS[name].side)
    assert not on_ladder(request, {"p"}, LADDER, VARIANTS[name].side - 1)


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


def reach(compact: str) -> str | None:
    """What becomes of options in a bucket whose pictures are 400 pixels at most."""
    options = bounded(parse_compact(compact), 400)
    return None if options is None else options.canonical()


@pytest.mark.parametrize(
    ("compact", "expected"),
    [
        ("w:300", "h:400,w:300"),
        ("h:300,dpr:1.5", None),
        ("h:100,dpr:3", "h:300,w:400"),
        ("w:300,fit:cover,up:1", "h:400,up:1,w:300"),
        ("w:300,pad:20", "h:360,pad:20,w:300"),
        ("w:361,pad:20", None),
        ("w:100,dpr:2,pad:20,radius:9,text:x,text-size:30", "h:320,pad:40,radius:18,text:x,text-size:60,w:200"),
        ("w:100,h:100,pad:2000", None),
        ("w:400,h:400,rotate:45,fit:contain", "fit:contain,h:400,rotate:45,w:400"),
        ("w:400,h:401", None),
        ("w:400,ar:1:1", "ar:1:1,w:400"),
        ("w:300,ar:1:2", None),
        ("w:200,h:200,fit:outside", None),
        ("w:200,h:200,min-w:200", None),
        ("w:200,h:200,min-w:200,fit:cover", "fit:cover,h:200,min-w:200,w:200"),
        ("w:200,h:200,min-w:500,fit:cover", None),
        ("w:200,min-h:100", None),
        ("w:200,extend:1", None),
        ("w:200,f:svg", None),
        ("ar:1:1", None),
        ("crop:0:0:50:50", None),
    ],
)
def test_what_a_bound_makes_of_options(compact: str, expected: str | None) -> None:
    assert reach(compact) == expected


SIDES = st.none() | st.integers(1, 60)
OPTIONS = st.builds(
    Options,
    w=SIDES,
    h=SIDES,
    fit=st.sampled_from(["inside", "outside", "cover", "contain", "fill", "auto", "adaptive"]),
    min_w=SIDES,
    min_h=SIDES,
    dpr=st.sampled_from([Decimal(1), Decimal(2), Decimal("1.3")]),
    up=st.booleans(),
    ar=st.none() | st.tuples(st.integers(1, 9), st.integers(1, 9)),
    rotate=st.sampled_from([Decimal(0), Decimal(90), Decimal(33)]),
    pad=st.sampled_from([(0, 0, 0, 0), (0, 0, 0, 0), (1, 2, 3, 4)]),
    extend=st.booleans(),
)
SOURCE = st.tuples(st.integers(1, 500), st.integers(1, 500))


@given(OPTIONS, SOURCE, st.integers(1, 150))
def test_nothing_comes_out_larger_than_the_bound(options: Options, source: tuple[int, int], most: int) -> None:
    allowed = bounded(options, most)
    if allowed is not None:
        asked, shown = plan(source, options).result, plan(source, allowed).result
        assert max(shown) <= most
        # Whatever would have been within the bound anyhow looks as if there were none.
        assert max(asked) > most or shown == asked


@given(st.integers(1, 60), SOURCE, st.integers(60, 150))
def test_a_picture_that_is_too_high_is_shown_smaller(width: int, source: tuple[int, int], most: int) -> None:
    allowed = bounded(Options(w=width), most)
    assert allowed is not None
    assert plan(source, allowed).result == plan(source, replace(Options(), w=width, h=most)).result


def test_without_a_bound_everything_is_as_asked() -> None:
    options = parse_compact("pad:2000,w:100")
    assert bounded(options, None) is options


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
