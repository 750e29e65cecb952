"""URLs of thumbor and imagor, read as ours."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.img.dialects.doors import Dialects
from gateway.img.dialects.reading import Reading
from gateway.img.dialects.thumbor.table import BY_NAME, ROWS, FilterRow
from gateway.img.errors import translate
from gateway.img.target import AddressError, ImageByKey, make_target
from gateway.settings.dialects import DialectName
from gateway.settings.settings import Settings
from signing.errors import LinkRefused
from transforms.errors import OptionError

DIALECTS = Dialects(Settings(source_map={"https://cdn.example.org/m/": "photos/media", "": "plain"}))


def read(path: str, family: DialectName = "thumbor", dialects: Dialects = DIALECTS) -> Reading:
    return dialects.read(family, dialects.split(family, path).rest)


def pairs(path: str, family: DialectName = "thumbor") -> dict[str, str]:
    """Our options, after they have been found valid."""
    reading = read(f"/unsafe/{path}", family)
    make_target(reading.address, reading.pairs)
    assert reading.address == ImageByKey("plain", b"a.jpg")
    return dict(reading.pairs)


def ours(text: str) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in text.split())


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a.jpg", ""),
        ("300x200/a.jpg", "w=300 h=200 fit=cover up=1"),
        ("300x/a.jpg", "w=300 up=1"),
        ("x200/a.jpg", "h=200 up=1"),
        ("0x200/a.jpg", "h=200 up=1"),
        ("0x0/a.jpg", ""),
        ("origxorig/a.jpg", ""),
        ("-300x-200/a.jpg", "flip=hv w=300 h=200 fit=cover up=1"),
        ("-0x0/a.jpg", "flip=h"),
        ("fit-in/300x200/a.jpg", "w=300 h=200"),
        ("fit-in/300x0/a.jpg", "w=300"),
        ("full-fit-in/300x200/a.jpg", "w=300 h=200 fit=outside up=1"),
        ("adaptive-fit-in/300x200/a.jpg", "w=300 h=200 fit=adaptive"),
        ("fit-in/300x200/filters:upscale()/a.jpg", "w=300 h=200 up=1"),
        ("300x200/filters:no_upscale()/a.jpg", "w=300 h=200 fit=cover"),
        ("300x200/filters:stretch()/a.jpg", "w=300 h=200 fit=fill up=1"),
        ("300x200/left/a.jpg", "w=300 h=200 fit=cover up=1 g=w"),
        ("300x200/top/a.jpg", "w=300 h=200 fit=cover up=1 g=n"),
        ("300x200/right/bottom/a.jpg", "w=300 h=200 fit=cover up=1 g=se"),
        ("300x200/center/middle/a.jpg", "w=300 h=200 fit=cover up=1 g=c"),
        ("300x200/left/smart/a.jpg", "w=300 h=200 fit=cover up=1 g=smart"),
        ("fit-in/300x200/smart/a.jpg", "w=300 h=200"),
        ("10x20:110x220/a.jpg", "crop=10:20:100:200"),
        ("0x0:0x0/a.jpg", ""),
        ("0.1x0.2:0.5x1/a.jpg", "crop=0.1:0.2:0.4:0.8"),
        ("10x20:0x0/a.jpg", "crop=10:20:65525:65515"),
        ("trim/a.jpg", "trim=0"),
        ("trim:top-left:17/a.jpg", "trim=9.815"),
        ("trim:442/a.jpg", "trim=254"),
        ("300x200/filters:focal(100x50:300x150)/a.jpg", "w=300 h=200 fit=cover up=1 g=fp:200:100"),
        ("300x200/smart/filters:focal(0.1x0.2:0.3x0.4)/a.jpg", "w=300 h=200 fit=cover up=1 g=fp:0.2:0.3"),
        ("300x200/filters:proportion(0.5)/a.jpg", "w=150 h=100 fit=cover up=1"),
        ("filters:rotate(90)/a.jpg", "rotate=270"),
        ("-300x200/left/filters:rotate(90)/a.jpg", "rotate=270 flip=v w=200 h=300 fit=cover up=1 g=n"),
        ("300x200/right/top/filters:rotate(180)/a.jpg", "rotate=180 w=300 h=200 fit=cover up=1 g=sw"),
        ("fit-in/300x200/filters:fill(blue)/a.jpg", "w=300 h=200 extend=1 bg=0000ff"),
        ("fit-in/300x200/filters:fill(FA0,1)/a.jpg", "w=300 h=200 extend=1 bg=ffaa00"),
        ("fit-in/300x200/filters:fill(transparent)/a.jpg", "w=300 h=200 extend=1"),
        ("fit-in/300x200/filters:fill(blur)/a.jpg", "w=300 h=200 extend=1 bg=blur"),
        ("filters:background_color(RebeccaPurple)/a.jpg", "bg=663399"),
        ("filters:blur(7)/a.jpg", "blur=7"),
        ("filters:blur(7,2)/a.jpg", "blur=2"),
        ("filters:brightness(-20):contrast(10):saturation(40)/a.jpg", "brightness=-20 contrast=21 saturation=40"),
        ("filters:contrast(-100)/a.jpg", "contrast=-100"),
        ("filters:sharpen(2,1.0,true)/a.jpg", "sharpen=1"),
        ("filters:grayscale()/a.jpg", "gray=1"),
        ("filters:cover()/a.jpg", "still=1"),
        ("filters:format(jpg):quality(80):max_bytes(9000)/a.jpg", "q=80 max-bytes=9000 f=jpeg"),
        ("filters:autojpg()/a.jpg", "f=jpeg"),
        ("filters:autojpg(False)/a.jpg", ""),
        ("filters:round_corner(20,255,0,0)/a.jpg", "bg=ff0000 radius=20"),
        ("filters:round_corner(20|20,255,0,0,1)/a.jpg", "radius=20"),
        ("filters:strip_exif():strip_icc()/a.jpg", "strip=1 icc=srgb"),
        ("filters:watermark(s3://photos/m.png,-10,20,25)/a.jpg", "wm=photos/m.png wm-g=ne:10:20 wm-opacity=0.75"),
        ("filters:watermark(m.png,center,-20p,0,30)/a.jpg", "wm=plain/m.png wm-g=s:0:0.2 wm-scale=0.3"),
        ("filters:watermark(https://cdn.example.org/m/m.png,repeat,repeat,0,none,none)/a.jpg", "wm=photos/media/m.png wm-g=repeat"),
        ("filters:watermark('m.png',0,0,0)/a.jpg", "wm=plain/m.png wm-g=nw"),
    ],
)  # fmt: skip
def test_thumbor_in_our_words(path: str, expected: str) -> None:
    assert pairs(path) == ours(expected)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("stretch/300x200/a.jpg", "w=300 h=200 fit=fill up=1"),
        ("fit-in/200x150/5x6:7x8/filters:fill(yellow)/a.jpg", "w=200 h=150 extend=1 pad=6:7:8:5 bg=ffff00"),
        ("200x0/5x6/a.jpg", "w=200 up=1 pad=6:5:6:5"),
        ("trim:100/a.jpg", "trim=100"),
        ("300x200/filters:focal(0.25,0.75)/a.jpg", "w=300 h=200 fit=cover up=1 g=fp:0.25:0.75"),
        ("300x0/filters:proportion(50)/a.jpg", "w=150 up=1"),
        ("filters:orient(90)/a.jpg", "rotate=270"),
        ("300x0/filters:orient(90)/a.jpg", "rotate=270 w=300 up=1"),
        ("filters:blur(7)/a.jpg", "blur=3.5"),
        ("filters:sharpen(1)/a.jpg", "sharpen=3"),
        ("filters:contrast(20)/a.jpg", "contrast=49.4231"),
        ("filters:hue(-430)/a.jpg", "hue=-70"),
        ("filters:hue(290)/a.jpg", "hue=290"),
        ("filters:round_corner(20)/a.jpg", "radius=20"),
        ("filters:round_corner(20,20,ff0000)/a.jpg", "bg=ff0000 radius=20"),
        ("filters:padding(red,1,2)/a.jpg", "pad=2:1:2:1 bg=ff0000"),
        ("filters:page(3):max_frames(1)/a.jpg", "page=3 still=1"),
        ("filters:raw()/a.jpg", "raw=1"),
        ("filters:attachment()/a.jpg", "dl=a"),
        ("filters:attachment(b.jpg)/a.jpg", "dl=b.jpg"),
        ("filters:preview()/a.jpg", ""),
        ("filters:to_colorspace(srgb)/a.jpg", ""),
        ("filters:watermark(b64:bS5wbmc,right,bottom,0)/a.jpg", "wm=plain/m.png wm-g=se"),
        ("filters:watermark(m.png,0.5,10p)/a.jpg", "wm=plain/m.png wm-g=nw:0.5:0.1"),
        ("filters:label(Hi,center,-10,30,red,20,sans)/a.jpg", "text=Hi text-g=s:0:10 text-size=30 text-color=ff0000cc text-font=sans"),
        ("filters:text(b64:SGk,10,20,serif-24,fff)/a.jpg", "text=Hi text-g=nw:10:20 text-size=24 text-color=ffffff text-font=serif"),
    ],
)  # fmt: skip
def test_imagor_in_our_words(path: str, expected: str) -> None:
    assert pairs(path, "imagor") == ours(expected)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("filters:nope()/a.jpg", "nope"), ("filters:blur(3):blur(4)/a.jpg", "blur"), ("filters:blur()/a.jpg", "blur"),
        ("filters:blur/a.jpg", "blur"), ("filters:quality(x)/a.jpg", "quality"), ("filters:quality(101)/a.jpg", "quality"),
        ("filters:contrast(50)/a.jpg", "contrast"), ("filters:rotate(45)/a.jpg", "rotate"), ("filters:fill(auto)/a.jpg", "fill"),
        ("filters:fill(notacolor)/a.jpg", "fill"), ("filters:format(heic)/a.jpg", "format"), ("filters:proportion(0.5)/a.jpg", "proportion"),
        ("filters:proportion(2)/a.jpg", "proportion"), ("filters:watermark(m.png,repeat,0,0)/a.jpg", "watermark"),
        ("filters:watermark(m.png,0,0,0,10,10)/a.jpg", "watermark"), ("filters:watermark(m.png,100p,0)/a.jpg", "watermark"),
        ("filters:round_corner(20|10,1,2,3)/a.jpg", "round_corner"), ("filters:grayscale(1)/a.jpg", "grayscale"), ("filters:hue(20)/a.jpg", "hue"),
        ("filters:background_color(red):fill(blue)/a.jpg", "fill"), ("filters:focal(1x2)/b", ""), ("meta/300x200/a.jpg", "meta"),
        ("debug/300x200/a.jpg", "debug"), ("trim:bottom-right/a.jpg", "trim"), ("trim/10x10:20x20/a.jpg", "trim"),
        ("20x20:10x30/a.jpg", "crop"), ("1.5x2:30x40/a.jpg", "crop"), ("300xorig/a.jpg", "orig"),
        ("adaptive-full-fit-in/10x10/a.jpg", "adaptive-full-fit-in"), ("filters:blur(3)", "filters"), ("filters:focal(3x2:1x1)/a.jpg", "focal"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(path: str, name: str) -> None:
    if not name:
        assert dict(read(f"/unsafe/{path}").pairs) == {}, "a focal point that nothing is cut by"
        return
    with pytest.raises(OptionError) as caught:
        pairs(path)
    assert caught.value.option == name


@pytest.mark.parametrize(
    "path", ["10x10:20x20/filters:orient(90)/a.jpg", "9x9/filters:orient(90):focal(1x1:2x2)/a.jpg"]
)
def test_what_is_of_a_picture_turned_before_is_refused(path: str) -> None:
    with pytest.raises(OptionError, match="orient"):
        pairs(path, "imagor")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_each_filter_belongs_to_its_programs(row: FilterRow) -> None:
    for family in ("thumbor", "imagor"):
        known = family in row.dialects
        if known and row.read is not None:
            continue
        assert row.note or not known
        with pytest.raises(OptionError, match="not supported" if known else "unknown"):
            read(f"/unsafe/filters:{row.name}(1,2,3)/a.jpg", family)


@pytest.mark.parametrize(
    ("path", "bucket", "key"),
    [
        ("300x200/https://cdn.example.org/m/a%2520b.jpg", "photos", "media/a b.jpg"),
        ("300x200/https:/cdn.example.org/m/a.jpg", "photos", "media/a.jpg"),
        ("300x200/cdn.example.org/m/a.jpg", "photos", "media/a.jpg"),
        ("300x200/https%3A%2F%2Fcdn.example.org%2Fm%2Fa.jpg", "photos", "media/a.jpg"),
        ("s3://photos/a%20b.jpg", "photos", "a b.jpg"),
        ("smart%2Fa.jpg", "plain", "smart/a.jpg"),
        ("smart/top/a.jpg", "plain", "top/a.jpg"),
        ("b64:" + base64.urlsafe_b64encode(b"https://cdn.example.org/m/x.jpg").decode(), "photos", "media/x.jpg"),
    ],
)
def test_sources(path: str, bucket: str, key: str) -> None:
    assert read(f"/unsafe/{path}").address == ImageByKey(bucket, key.encode())


def test_a_query_belongs_to_thumbors_source_and_not_to_imagors_url() -> None:
    with pytest.raises(OptionError, match="query"):
        read("/unsafe/https://cdn.example.org/m/a.jpg?v=1")
    assert read("/unsafe/https://cdn.example.org/m/a.jpg?v=1", "imagor").address == ImageByKey("photos", b"media/a.jpg")


@pytest.mark.parametrize(
    "path", ["/", "/unsafe", "/unsafe/", "/unsafe/300x200/", "/unsafe/https://elsewhere.example.com/a.jpg"]
)
def test_paths_that_lead_nowhere(path: str) -> None:
    with pytest.raises(AddressError):
        read(path)


@pytest.mark.parametrize("path", ["/300x200/a.jpg", "/!!!!!!!!!/a.jpg", "/safe/a.jpg"])
def test_a_path_begins_with_a_signature(path: str) -> None:
    with pytest.raises(LinkRefused):
        read(path)


def test_what_is_signed() -> None:
    signature = "cST4Ko5_FqwT3BDn-Wf4gO3RFSk="
    split = DIALECTS.split("thumbor", f"/{signature}/300x200/filters:quality(80)/a b@c.jpg")
    assert split.signature == signature
    assert split.signed == (
        b"300x200/filters:quality(80)/a b@c.jpg",
        b"300x200/filters:quality(80)/a%20b%40c.jpg",
    )
    assert DIALECTS.split("thumbor", f"/{signature.replace('=', '%3D')}/a.jpg").signature == signature
    assert DIALECTS.split("thumbor", "/unsafe/a.jpg").signature is None
    collapsed = DIALECTS.split(
        "thumbor", f"/{signature}/filters:watermark(https:/x/y,0,0)/https:/cdn.example.org/m/a.jpg"
    )
    assert collapsed.signed == (b"filters:watermark(https://x/y,0,0)/https://cdn.example.org/m/a.jpg",)
    assert read("/unsafe/filters:expire(1700000000123)/a.jpg", "imagor").expires == 1_700_000_000


def test_colours_are_those_of_the_table() -> None:
    assert all(row.name in BY_NAME for row in ROWS)
    assert len(BY_NAME) == len(ROWS)


_filters = st.builds(
    lambda name, values: f"{name}({','.join(values)})",
    st.sampled_from([*BY_NAME, "x", ""]),
    st.lists(
        st.text(st.characters(codec="utf-8"), max_size=8)
        | st.sampled_from(
            ["1", "0", "-5", "0.5", "20p", "center", "repeat", "red", "true", "b64:SGk", "%ff", "9" * 30]
        ),
        max_size=6,
    ),
)
_segments = st.sampled_from(
    ["trim", "10x10:20x20", "fit-in", "300x200", "-0x-0", "5x5", "left", "top", "smart", "stretch"]
)


@given(
    st.sampled_from(["thumbor", "imagor"]),
    st.lists(_segments | st.text(max_size=6), max_size=6),
    st.lists(_filters, max_size=4),
    st.text(max_size=30) | st.just("a.jpg"),
)
def test_every_path_is_read_or_refused(
    family: DialectName, segments: list[str], filters: list[str], source: str
) -> None:
    path = "/".join(["/unsafe", *segments, "filters:" + ":".join(filters), source])
    try:
        reading = read(path, family)
        make_target(reading.address, reading.pairs)
    except (AddressError, OptionError, LinkRefused) as error:
        known = translate(error)
        assert known is not None
        assert 400 <= known.status < 500
