"""The options table: parsing, bounds, and one canonical form for all spellings of a request."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.errors import OptionError
from transforms.option_table import GROUPS, MAX_SIDE, SPECS, OptionSpec, docs_rows
from transforms.options import Delivery, Options, parse_compact, parse_query, parse_request
from transforms.options_page import page

_TEXTS = {
    "w": st.integers(1, MAX_SIDE // 4).map(str),
    "h": st.integers(1, MAX_SIDE // 4).map(lambda side: f"{side:05d}"),
    "fit": st.sampled_from(["inside", "outside", "cover", "contain", "fill"]),
    "f": st.sampled_from(["jpeg", "jpg", "png", "webp", "avif", "gif", "auto"]),
    "dpr": st.sampled_from(["1", "1.0", "1.5", "2", "2.25", "3.000", "4"]),
    "bg": st.sampled_from(["fff", "FFFFFF", "ffff", "0000", "12345600", "white", "12345678", "transparent"]),
    "blur": st.sampled_from(["0", "0.3", "1.50", "100"]),
    "rotate": st.sampled_from(["0", "90", "180", "270", "090", "-90", "360", "33.25"]),
    "flip": st.sampled_from(["h", "v", "hv", "vh"]),
    "up": st.sampled_from(["0", "1"]),
    "crop": st.sampled_from(["1:2:3:4", "0.1:0:1:0.5", "0.0:0.0:1.0:1.0", "0:0:1:1"]),
    "ar": st.sampled_from(["16:9", "32:18", "1.5", "1", "0.5:2.25", "10000:9999", "0.3333"]),
    "g": st.sampled_from(["c", "ne:10:20", "ne:-0.5:0", "fp:0.5:0.30", "smart", "attention", "entropy", "face"]),
    "trim": st.sampled_from(["0", "10", "10:fff", "10.50:FF00FF"]),
    "pad": st.sampled_from(["0", "5", "5:5", "1:2:3", "1:2:3:4", "1024"]),
    "radius": st.sampled_from(["0", "20", "max", "8192"]),
    "text-size": st.sampled_from(["4", "500"]),
    "tint": st.sampled_from(["fff", "fff:1", "704214:0.50"]),
    "wm-g": st.sampled_from(["c", "repeat", "se:10:10"]),
    "text": st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=20),
    "q": st.sampled_from(["1", "080", "100", "auto"]),
}
_ALL = {
    spec.name: _TEXTS.get(spec.name, st.just(spec.example))
    for spec in SPECS
    if spec.group not in ("delivery", "variant")
}
_pairs = st.fixed_dictionaries({}, optional=_ALL).map(lambda chosen: list(chosen.items()))


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_the_example_of_each_row_is_no_default_and_is_kept(spec: OptionSpec) -> None:
    value = spec.kind.parse(spec.example)
    assert value != spec.default
    assert spec.kind.parse(spec.kind.format(value)) == value
    request = parse_request([(spec.name, spec.example)], {"card": ""})
    holder = request.delivery if spec.group == "delivery" else request.options
    assert getattr(holder, spec.field) == value
    assert spec.group in GROUPS


def test_fields_and_rows_are_the_same() -> None:
    defaults = {spec.field: spec.default for spec in SPECS if spec.group != "delivery"}
    assert {entry.name: entry.default for entry in fields(Options)} == defaults
    assert {entry.name for entry in fields(Delivery)} == {spec.field for spec in SPECS if spec.group == "delivery"}


@given(_pairs, st.randoms())
def test_the_canonical_form_ignores_order_and_parses_to_itself(pairs, random) -> None:
    canonical = parse_query(pairs).canonical()
    random.shuffle(pairs)
    assert parse_query(pairs).canonical() == canonical
    assert parse_compact(canonical).canonical() == canonical


@pytest.mark.parametrize("spec", [spec for spec in SPECS if spec.group != "variant"], ids=lambda spec: spec.name)
def test_a_variant_stands_alone(spec: OptionSpec) -> None:
    pairs = [("variant", "medium"), (spec.name, spec.example)]
    if spec.group == "delivery" and spec.name != "raw":
        request = parse_request(pairs, {"card": ""})
        assert request.options.canonical() == "variant:medium"
    else:
        with pytest.raises(OptionError):
            parse_request(pairs, {})


@given(_pairs)
def test_the_compact_form_means_what_the_query_means(pairs) -> None:
    escaped = [(name, value.replace("%", "%25").replace(",", "%2C")) for name, value in pairs]
    assert parse_compact(",".join(f"{name}:{value}" for name, value in escaped)) == parse_query(pairs)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("w:300", "w:0300"),
        ("w:300", "width:300"),
        ("w:300,dpr:2", "w:600"),
        ("w:301,dpr:1.5", "w:452"),
        ("f:jpg", "f:jpeg"),
        ("bg:fff", "bg:WHITE"),
        ("bg:ffff", "background:ffffff"),
        ("bg:12345600", "bg:transparent"),
        ("blur:1.50", "blur:1.5"),
        ("flip:vh", "flip:hv"),
        ("w:9,fit:cover", "w:9"),
        ("dpr:3", ""),
        ("up:1", ""),
        ("f:png,q:50", "f:png"),
        ("w:5,h:6,fit:inside,up:0,rotate:0,blur:0,dpr:1", "h:6,w:5"),
        ("rotate:-90", "rotate:270"),
        ("g:smart,w:5,h:6,fit:cover", "gravity:attention,fit:cover,w:5,h:6"),
        ("pad:5,dpr:2", "pad:10:10"),
        ("w:5,ar:32:18", "w:5,ar:16:9"),
        ("wm-opacity:0.5", ""),
        ("text-size:40,text-g:s", ""),
        ("text:a%2Cb", "text:%61%2cb"),
        ("crop:0.5:0:0.5:1", "crop:0.50:0:0.5:1.0"),
        ("crop:0.0:0:1:1", ""),
        ("flip:hv", "rotate:180"),
        ("flip:v,rotate:90", "flip:h,rotate:270"),
        ("flip:hv,rotate:190", "rotate:10"),
        ("w:5,h:6,g:smart", "w:5,h:6"),
        ("w:5,g:ne", "w:5"),
        ("w:5,h:6,fit:contain,g:fp:0.1:0.1", "w:5,h:6,fit:contain"),
        ("w:5,extend:1,g:fp:0.1:0.1", "w:5,extend:1"),
        ("w:5,h:6,fit:cover,up:1,extend:1", "w:5,h:6,fit:cover,up:1"),
        ("w:5,h:6,fit:contain,extend:1", "w:5,h:6,fit:contain"),
        ("ar:1,extend:1", "ar:1"),
        ("ar:1,fit:cover,w:5", "ar:1,w:5"),
        ("w:5,h:6,ar:1", "w:5,h:6"),
        ("min-w:5,min-h:6", ""),
        ("w:5,bg:blur", "w:5"),
        ("w:5,bg:transparent", "w:5"),
    ],
)
def test_spellings_of_the_same_rendition(one: str, other: str) -> None:
    assert parse_compact(one).canonical() == parse_compact(other).canonical()


@pytest.mark.parametrize(
    ("one", "other"),
    [("w:300", "h:300"), ("w:5,h:6,fit:cover", "w:5,h:6"), ("q:80", ""), ("f:auto", ""), ("bg:fff8", "bg:fff"),
     ("w:5,up:1", "w:5"), ("flip:h", "flip:v"), ("f:webp,q:50", "f:webp"),
     ("w:5,h:6,fit:cover,g:ne", "w:5,h:6,fit:cover"), ("w:5,h:6,fit:contain,g:n", "w:5,h:6,fit:contain"),
     ("w:5,h:6,extend:1,g:n", "w:5,h:6,extend:1"), ("w:5,h:6,extend:1,up:1", "w:5,h:6,up:1"), ("ar:1,g:n", "ar:1"),
     ("ar:1,fit:fill", "ar:1"), ("min-w:5,up:1", "up:1"), ("w:5,min-w:9", "w:5"), ("rotate:45,bg:blur", "rotate:45"),
     ("pad:5,bg:transparent", "pad:5"), ("crop:0:0:1:1", ""), ("rotate:180", "flip:h")],
)  # fmt: skip
def test_different_renditions_differ(one: str, other: str) -> None:
    assert parse_compact(one).canonical() != parse_compact(other).canonical()


@pytest.mark.parametrize(
    ("text", "option"),
    [
        ("w:0", "w"), ("w:16385", "w"), ("w:", "w"), ("w:-1", "w"), ("w:1.5", "w"), ("w:1e3", "w"), ("w:٣", "w"),
        ("w: 5", "w"), ("w:5\n", "w"), ("h:99999999999999999999", "h"), ("width:x", "width"),
        ("fit:stretch", "fit"), ("fit:Cover", "fit"), ("q:0", "q"), ("q:101", "q"), ("f:heic", "f"), ("f:bmp", "f"),
        ("dpr:0.5", "dpr"), ("dpr:4.1", "dpr"), ("dpr:.5", "dpr"), ("dpr:1.", "dpr"), ("dpr:nan", "dpr"),
        ("bg:#fff", "bg"), ("bg:12345", "bg"), ("bg:mauve", "bg"), ("blur:0.1", "blur"), ("blur:101", "blur"),
        ("rotate:361", "rotate"), ("rotate:x", "rotate"), ("flip:", "flip"), ("flip:hh", "flip"),
        ("up:yes", "up"), ("size:5", "size"), ("W:5", "W"), ("w:5,w:5", "w"), ("w:5,width:5", "width"),
        ("w", "w"), ("w:5,", ""), ("w:5:6", "w"),
        ("crop:1:2:3", "crop"), ("crop:1:2:0:4", "crop"), ("crop:1.0:0:1:1", "crop"), ("crop:0:0:1:-1", "crop"),
        ("ar:0:1", "ar"), ("ar:1:2:3", "ar"), ("ar:", "ar"), ("g:fp:70000:0", "g"), ("wm-g:fp:2:0", "wm-g"), ("g:fp", "g"), ("g:ne:1", "g"),
        ("g:repeat", "g"), ("wm-g:smart", "wm-g"), ("trim:255", "trim"), ("trim:10:", "trim"), ("pad:1:2:3:4:5", "pad"),
        ("pad:-1", "pad"), ("radius:round", "radius"), ("palette:1", "palette"), ("brightness:101", "brightness"),
        ("gamma:0", "gamma"), ("duotone:fff", "duotone"), ("tint:fff:2", "tint"), ("text:", "text"),
        ("text:a\x00b", "text"), ("text:a%0", "text"), ("text:%ff", "text"), ("wm:", "wm"), ("page:0", "page"),
        ("p:card", "p"), ("v:1", "v"), ("max-bytes:-1", "max-bytes"), ("strip:2", "strip"),
    ],
)  # fmt: skip
def test_a_wrong_option_names_itself(text: str, option: str) -> None:
    with pytest.raises(OptionError) as caught:
        parse_compact(text)
    assert caught.value.option == option
    assert caught.value.expected in str(caught.value)


def test_dpr_may_not_lead_beyond_the_largest_side() -> None:
    assert parse_compact("w:8192,dpr:2").width == MAX_SIDE
    with pytest.raises(OptionError, match="dpr"):
        parse_compact("w:8193,dpr:2")


@pytest.mark.parametrize("options", ["pad:4096", "text:a,text-size:2000"])
def test_nothing_that_dpr_multiplies_may_pass_its_bound(options: str) -> None:
    assert parse_compact(parse_compact(options).canonical()) == parse_compact(options)
    with pytest.raises(OptionError, match="dpr"):
        parse_compact(f"{options},dpr:1.01")


def test_sides_are_rounded_half_up() -> None:
    options = Options(w=301, h=3, dpr=Decimal("1.5"))
    assert (options.width, options.height) == (452, 5)


def test_the_docs_tell_every_option() -> None:
    rows = docs_rows()
    assert [row.name for row in rows] == [spec.name for spec in SPECS]
    assert all(row.doc.endswith(".") and row.values and row.default for row in rows)


def test_workers_never_import_libvips() -> None:
    heavy = ("pyvips", "PIL", "pillow_heif", "aiohttp", "pydantic")
    program = (
        "import sys, transforms.options, transforms.negotiate, transforms.sniff, transforms.epoch, transforms.cost\n"
        "import gateway.render.client, gateway.render.launch, gateway.render.broker\n"
        f"print([name for name in sys.modules if name.split('.')[0] in {heavy}])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_page_of_the_docs_is_current() -> None:
    stored = Path(__file__).parents[3] / "docs" / "reference" / "image-options.md"
    assert stored.read_text() == page()


def test_a_preset_gives_what_is_not_said_beside_it() -> None:
    presets = {"card": "w:400,h:300,fit:cover,dl:card.jpg", "loop": "p:card", "bad": "w:x"}
    request = parse_request([("p", "card"), ("width", "200")], presets)
    assert request.options == parse_compact("w:200,h:300,fit:cover")
    assert request.delivery == Delivery(p="card", dl="card.jpg")
    for name in ("other", "loop", "bad"):
        with pytest.raises(OptionError):
            parse_request([("p", name)], presets)


def test_the_stored_bytes_have_no_options() -> None:
    assert parse_request([("raw", "1"), ("dl", "a.png")]).delivery == Delivery(raw=True, dl="a.png")
    with pytest.raises(OptionError, match="raw"):
        parse_request([("raw", "1"), ("w", "5")])


def test_lines_of_a_text_may_end_as_forms_send_them() -> None:
    assert parse_query([("text", "one\r\ntwo")]) == parse_query([("text", "one\ntwo")])
    for refused in ("one\rtwo", "one\ttwo"):
        with pytest.raises(OptionError, match="control character"):
            parse_query([("text", refused)])
