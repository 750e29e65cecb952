"""imgproxy URLs, read as ours."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.img.dialects.doors import Dialects, preset_problems
from gateway.img.dialects.imgproxy.table import BY_NAME, ROWS, OptionRow
from gateway.img.dialects.reading import Reading
from gateway.img.errors import translate
from gateway.img.target import AddressError, ImageByKey, make_target
from gateway.settings.settings import Settings
from signing.errors import LinkRefused
from transforms.errors import OptionError

DIALECTS = Dialects(
    Settings(
        dialects=("imgproxy",),
        source_map={"https://cdn.example.org/m/": "photos/media", "https://cdn.example.org/": "rest", "": "plain"},
        imgproxy_presets={
            "card": "rs:fill:300:200/g:sm",
            "both": "pr:card/q:50",
            "loop": "pr:loop/w:10",
            "stranger": "pr:nobody",
        },
        imgproxy_watermark="photos/mark.png",
    )
)
SOURCE = "plain/s3://photos/a.jpg"


def read(path: str, dialects: Dialects = DIALECTS) -> Reading:
    return dialects.read("imgproxy", dialects.split("imgproxy", path).rest)


def pairs(options: str) -> dict[str, str]:
    """Our options, after they have been found valid."""
    reading = read(f"/unsafe/{options}/{SOURCE}")
    make_target(reading.address, reading.pairs)
    return dict(reading.pairs)


@pytest.mark.parametrize(
    ("options", "ours"),
    [
        ("rs:fit:300:200", "w=300 h=200"),
        ("resize:fill:300:200:1", "w=300 h=200 fit=cover up=1"),
        ("rs:fill-down:300:200", "w=300 h=200 fit=cover"),
        ("rs:force:300:200:t", "w=300 h=200 fit=fill up=1"),
        ("rs:auto:300:200", "w=300 h=200 fit=auto"),
        ("rs:fill:300", "w=300"),
        ("rs::300:0", "w=300"),
        ("rs:fit:300:200:0:1:so:0:10", "w=300 h=200 extend=1 g=s:0:10"),
        ("s:300:200:1", "w=300 h=200 up=1"),
        ("width:300/height:200/rt:fill", "w=300 h=200 fit=cover"),
        ("w:300/w:100", "w=100"),
        ("w:0/h:0", ""),
        ("mw:300", "min-w=300 up=1"),
        ("mh:20/mw:30", "min-w=30 min-h=20 up=1"),
        ("rs:fill:300:200:1/mw:100", "w=300 h=200 fit=cover up=1"),
        ("w:300/z:0.5", "w=150"),
        ("rs:force:300:200/z:0.5:2", "w=150 h=400 fit=fill"),
        ("w:300/dpr:2/pd:10", "w=600 pad=20:20:20:20"),
        ("w:101/dpr:0.5", "w=51"),
        ("dpr:2", ""),
        ("s:300:200/ex:1", "w=300 h=200 extend=1"),
        ("s:300:200/ex:1:no", "w=300 h=200 extend=1 g=n"),
        ("s:300:200/exar:1", "w=300 h=200 extend=1"),
        ("rs:fill:300:200:1/ex:1:so/g:no", "w=300 h=200 fit=cover up=1 extend=1 g=n"),
        ("rs:fill:300:200/g:noea:10:0.1/dpr:2", "w=600 h=400 fit=cover g=ne:20:0.1"),
        ("rs:fill:300:200/g:ce", "w=300 h=200 fit=cover g=c"),
        ("rs:fill:300:200/g:sm", "w=300 h=200 fit=cover g=smart"),
        ("rs:fill:300:200/g:fp:0.25:1", "w=300 h=200 fit=cover g=fp:0.25:1"),
        ("rs:fill:300:200/g:obj:face", "w=300 h=200 fit=cover g=face"),
        ("rs:fill:300:200/g:objw:face:3", "w=300 h=200 fit=cover g=face"),
        ("rs:fill:9:9/g:fp:0.25:0.1/rot:90", "rotate=90 w=9 h=9 fit=cover g=fp:0.1:0.75"),
        (
            "rs:fill:9:9/g:fp:0.5:0.5/c:0.5:0.5:nowe/fl:1",
            "crop=0.0:0.0:0.5:0.5 flip=h w=9 h=9 fit=cover g=fp:0.25:0.25",
        ),
        ("w:300/g:no", "w=300"),
        ("c:0.5:0.25", "crop=0.25:0.375:0.5:0.25"),
        ("c:0.5:0:soea", "crop=0.5:0.0:0.5:1.0"),
        ("c:0.5:0.5:fp:1:0", "crop=0.5:0.0:0.5:0.5"),
        ("c:0.5:0.5/g:we:0.1", "crop=0.1:0.25:0.5:0.5"),
        ("c:300:200:nowe:10:20", "crop=10:20:300:200"),
        ("c:300:0:nowe", "crop=0:0:300:65535"),
        ("c:300:200", "crop=c:0:0:300:200"),
        ("c:300:0.5:noea:10:20", "crop=ne:10:20:300:0.5"),
        ("c:0.5:0.25:nowe/rot:90", "crop=0.0:0.5:0.25:0.5 rotate=90"),
        ("c:0.5:0.25:nowe/rot:180", "crop=0.5:0.75:0.5:0.25 rotate=180"),
        ("c:0.5:0.25:nowe/rot:-90", "crop=0.75:0.0:0.25:0.5 rotate=270"),
        ("t:10", "trim=10"),
        ("t:10:FF00ff", "trim=10:ff00ff"),
        ("t:10::0:0", "trim=10"),
        ("pd:10:20", "pad=10:20:10:20"),
        ("pd::20::5", "pad=0:20:0:5"),
        ("pd:1:2:3", "pad=1:2:3:2"),
        ("ar:1", ""),
        ("rot:450", "rotate=90"),
        ("fl:1:1", "flip=hv"),
        ("bg:255:0:10", "bg=ff000a"),
        ("bg:Fa0/bga:0.5", "bg=ffaa0080"),
        ("bg:", ""),
        ("a:51:1.5:0.5", "brightness=20 contrast=50 saturation=-50"),
        ("br:-255", "brightness=-100"),
        ("mc:1:ff0000", "tint=ff0000"),
        ("mc:0.5", "tint=b3b3b3:0.5"),
        ("mc:0:ff0000", ""),
        ("dt:1:001f3f:ffdc00", "duotone=001f3f:ffdc00"),
        ("bl:1.5/sh:0.7/pix:8", "blur=1.5 sharpen=0.7 pixelate=8"),
        ("pix:1", ""),
        ("wm:1", "wm=photos/mark.png wm-g=c"),
        ("wm:0.5:soea:10:-0.1:0.3", "wm=photos/mark.png wm-g=se:10:-0.1 wm-scale=0.3 wm-opacity=0.5"),
        ("wm:1:re", "wm=photos/mark.png wm-g=repeat"),
        ("wm:0:re", ""),
        ("wm:1/wmu:" + base64.urlsafe_b64encode(b"s3://other/b.png").decode(), "wm=other/b.png wm-g=c"),
        ("wm:0.5:no:0:10/wmt:SGk", "text=Hi text-g=n:0:10 text-size=16 text-color=00000080"),
        ("sm:0", "strip=0"),
        ("sm:1/kcr:1", "strip=copyright"),
        ("scp:0", "icc=keep"),
        ("eth:0/ra:lanczos3/hs:none/dpi:0/pgs:1", ""),
        ("q:70", "q=70"),
        ("q:0", ""),
        ("fq:jpg:70:webp:60/f:webp", "f=webp q=60"),
        ("fq:jpg:70:webp:70", "q=70"),
        ("fq:jpg:70/f:png", "f=png"),
        ("q:50/fq:jpg:70/f:jpg", "f=jpeg q=50"),
        ("aq:dssim", "q=auto"),
        ("mb:1000", "max-bytes=1000"),
        ("jpgo:1", "progressive=1"),
        ("pngo:1:1:64", "progressive=1 palette=64"),
        ("webpo:lossless", "lossless=1"),
        ("ext:jpg", "f=jpeg"),
        ("pg:2/da:1", "still=1 page=3"),
        ("raw:1/w:300", "raw=1"),
        ("cb:abc", ""),
        ("skp:svg:gif/f:webp", "f=webp"),
        ("f:svg", "f=svg"),
        ("att:1", "dl=a"),
        ("att:1/fn:b_c/f:jpg", "f=jpeg dl=b_c"),
        ("att:1/fn:w7xiZXI:1/f:webp", "f=webp dl=über"),
        ("fn:b", ""),
        ("pr:card", "w=300 h=200 fit=cover g=smart"),
        ("pr:card/w:10", "w=10 h=200 fit=cover g=smart"),
        ("pr:both", "w=300 h=200 fit=cover g=smart q=50"),
        ("pr:loop", "w=10"),
        ("pr:ours/w:10", "p=ours w=10"),
    ],
)
def test_options_in_our_words(options: str, ours: str) -> None:
    assert pairs(options) == dict(pair.split("=", 1) for pair in ours.split())


def test_a_file_name_may_be_escaped() -> None:
    assert pairs("att:1/fn:b%20c") == {"dl": "b c"}


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ("nope:1", "nope"), ("W:1", "W"), ("w:-1", "w"), ("w:1:2", "w"), ("w:x", "w"), ("rs:crop:1:1", "rs"),
        ("rs:fit:1:2:3:4:5:6:7:8:9", "rs"), ("rs:force:300", "resizing_type"), ("el:maybe", "el"), ("z:0", "z"), ("z:2", "zoom"),
        ("w:3/z:1:2", "zoom"), ("dpr:0", "dpr"), ("dpr:2/el:1", "dpr"), ("w:300/mw:400", "min-width"),
        ("rs:fill:300:200/ex:1:so/g:no", "extend"), ("ex:1:sm", "ex"), ("g:up", "g"), ("g:sm:1", "g"), ("g:fp:2:0", "g"),
        ("g:fp:1", "g"), ("g:obj:cat", "g"), ("g:obj", "g"), ("c:-1:0", "c"), ("c:300:200:sm", "crop"), ("c:300:200/rot:90", "crop"),
        ("c:300:200/t:1", "crop"), ("t:x", "t"), ("t:10:red", "t"), ("t:10::1", "t"), ("pd:", "pd"), ("pd:1:2:3:4:5", "pd"),
        ("ar:0", "ar"), ("rot:45", "rot"), ("bg:300:0:0", "bg"), ("bg:1:2", "bg"), ("bg:red", "bg"), ("br:256", "br"),
        ("co:2.1", "co"), ("co:-1", "co"), ("dt:0.5", "dt"), ("bl:-1", "bl"), ("wm:2", "wm"), ("wm:1:re:5", "wm"), ("wm:1:ch", "wm"),
        ("wm:1:xx", "wm"), ("wm:1/wmt:PGI-", "wmt"), ("wmu:!", "wmu"), ("sm:x", "sm"), ("q:101", "q"), ("fq:jpg", "fq"),
        ("fq:jpg:70:webp:60", "format_quality"), ("aq:size:100", "aq"), ("mb:-1", "mb"), ("f:heic", "format"), ("f:best", "format"),
        ("pg:-1", "pg"), ("exp:soon", "exp"), ("exp:-1", "exp"), ("fn:%zz", "fn"), ("pr:card:nobody", "pr"), ("pr:stranger", "pr"),
        ("skp:svg", "skip_processing"), ("skp:jpg/f:jpeg", "skip_processing"), ("skp:", "skp"), ("msr:1", "msr"), ("eth:1", "eth"), ("hs:md5:1", "hs"), ("jpgo:1:1", "jpgo"), ("webpo:near_lossless", "webpo"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(options: str, name: str) -> None:
    with pytest.raises(OptionError) as caught:
        pairs(options)
    assert caught.value.option == name


def test_without_a_watermark_in_the_settings_there_is_none() -> None:
    with pytest.raises(OptionError, match="imgproxy_watermark"):
        read(f"/unsafe/wm:1/{SOURCE}", Dialects(Settings()))


@pytest.mark.parametrize("row", [row for row in ROWS if row.read is None], ids=lambda row: row.names[0])
def test_what_is_not_built_is_refused_by_every_name(row: OptionRow) -> None:
    assert row.note, "a reason, or what there is instead"
    for name in row.names:
        with pytest.raises(OptionError, match="not supported"):
            read(f"/unsafe/{name}:9/{SOURCE}")


def test_the_table_has_each_name_once() -> None:
    names = [name for row in ROWS for name in row.names]
    assert len(names) == len(set(names)) == len(BY_NAME)
    assert all(row.ours or row.note or row.read for row in ROWS)


def encoded(source: str) -> str:
    return base64.urlsafe_b64encode(source.encode()).decode()


@pytest.mark.parametrize(
    ("path", "bucket", "key"),
    [
        ("plain/s3://photos/a/b.jpg@png", "photos", "a/b.jpg"),
        ("plain/s3://photos/a%2Fb%20c%25d%40e.jpg", "photos", "a/b c%d@e.jpg"),
        ("plain/s3:/photos/a.jpg", "photos", "a.jpg"),
        ("plain/local:///photos/a.jpg", "photos", "a.jpg"),
        ("plain/local:/photos/a.jpg", "photos", "a.jpg"),
        ("plain/https://cdn.example.org/m/a%2520b.jpg", "photos", "media/a b.jpg"),
        ("plain/HTTPS://CDN.example.org/m/A.jpg", "photos", "media/A.jpg"),
        ("plain/https://cdn.example.org/other/a.jpg", "rest", "other/a.jpg"),
        ("plain/https:/cdn.example.org/m/a.jpg", "photos", "media/a.jpg"),
        ("plain/a/b.jpg", "plain", "a/b.jpg"),
        (encoded("s3://photos/ü a.jpg") + ".png", "photos", "ü a.jpg"),
        (encoded("s3://photos/a.jpg").rstrip("="), "photos", "a.jpg"),
        ("/".join(encoded("https://cdn.example.org/m/long/path.jpg")[at : at + 16] for at in range(0, 64, 16)), "photos",
         "media/long/path.jpg"),
        ("w:1/plain/s3://photos//a//b", "photos", "/a//b"),
        ("plain/s3://photos/../x", "photos", "../x"),
    ],
)  # fmt: skip
def test_sources(path: str, bucket: str, key: str) -> None:
    assert read(f"/unsafe/{path}").address == ImageByKey(bucket, key.encode())


def test_the_extension_is_the_format() -> None:
    assert dict(read("/unsafe/f:png/plain/s3://photos/a.jpg@webp").pairs) == {"f": "webp"}
    assert dict(read("/unsafe/" + encoded("s3://photos/a") + ".jpg").pairs) == {"f": "jpeg"}
    assert dict(read("/unsafe/raw:1/plain/s3://photos/a.jpg@webp").pairs) == {"raw": "1"}
    auto = Dialects(Settings(dialect_auto_format=True))
    assert dict(read(f"/unsafe/w:1/{SOURCE}", auto).pairs) == {"w": "1", "f": "auto"}


@pytest.mark.parametrize(
    "path",
    [
        "/", "/unsafe", "/unsafe/", "//" + SOURCE, "/unsafe/w:300", "/unsafe/plain/", "/unsafe/plain/s3://photos",
        "/unsafe/plain/s3:///a.jpg", "/unsafe/plain/local://", "/unsafe/plain/ftp://x/y", "/unsafe/plain/http://cdn.example.org/m/a",
        "/unsafe/plain/https://cdn.example.org.evil/m/a.jpg", "/unsafe/plain/https://cdn.example.org@evil/a.jpg",
        "/unsafe/plain/s3://photos/" + "a" * 1025, "/unsafe/plain/https://cdn.example.org/m/%25ff",
    ],
)  # fmt: skip
def test_paths_that_lead_nowhere(path: str) -> None:
    with pytest.raises(AddressError):
        read(path)


@pytest.mark.parametrize(
    "path",
    [
        "/unsafe/fill/300/200/sm/0/aHR0cDovL2V4YW1w.png", "/unsafe/enc/abcd", "/unsafe/plain/s3://photos/a@png@jpg",
        "/unsafe/a.b.c", "/unsafe/!!!", "/unsafe/plain/%ff", "/unsafe/plain/s3://photos/a%", "/unsafe/plain/s3://photos/a%3Fversion",
        "/unsafe/plain/https://cdn.example.org/m/a.jpg%3Fv=1", "/unsafe/" + encoded("s3://photos/a")[:-1] + "!",
    ],
)  # fmt: skip
def test_sources_that_cannot_be_read(path: str) -> None:
    with pytest.raises(OptionError):
        read(path)


def test_a_query_of_a_source_may_be_dropped() -> None:
    dropping = Dialects(Settings(source_map={"https://cdn.example.org/": "photos"}, source_query="drop"))
    path = "/unsafe/plain/https://cdn.example.org/a.jpg%3Fv=1%23top"
    assert read(path, dropping).address == ImageByKey("photos", b"a.jpg")


def test_what_is_signed_is_the_path_behind_the_signature() -> None:
    split = DIALECTS.split("imgproxy", "/AbC-_/w:300/plain/s3:/photos/a%20b.jpg?x=1")
    assert split.signature == "AbC-_"
    assert split.signed == (b"/w:300/plain/s3://photos/a%20b.jpg",)
    assert DIALECTS.split("imgproxy", f"/insecure/{SOURCE}").signature is None
    assert read(f"/unsafe/exp:12/{SOURCE}").expires == 12


@pytest.mark.parametrize(
    "path", ["pr:card:nobody/" + SOURCE, "plain/https://elsewhere.example.com/a.jpg", "w:x/" + SOURCE]
)
def test_strangers_learn_neither_sources_nor_presets(path: str) -> None:
    with pytest.raises(LinkRefused):
        DIALECTS.target("imgproxy", "", f"/signature/{path}")
    if "w:x" in path:
        with pytest.raises(OptionError):
            DIALECTS.target("imgproxy", "", f"/unsafe/{path}")
        return
    with pytest.raises(LinkRefused):
        DIALECTS.target("imgproxy", "", f"/unsafe/{path}")


def test_the_default_preset_begins_every_url() -> None:
    dialects = Dialects(Settings(imgproxy_presets={"default": "q:50/w:100"}))
    assert dict(read(f"/unsafe/w:20/{SOURCE}", dialects).pairs) == {"w": "20", "q": "50"}


ONLY_PRESETS = Dialects(
    Settings(
        imgproxy_only_presets=True,
        imgproxy_presets={"default": "q:50", "card": "rs:fill:300:200", "soft": "bl:2", "draw": "f:svg", "fit": "w:9"},
    )
)


@pytest.mark.parametrize(
    ("path", "ours", "by_presets"),
    [
        (f"card/{SOURCE}", "w=300 h=200 fit=cover q=50", True),
        (f"card:soft/{SOURCE}@webp", "w=300 h=200 fit=cover blur=2 q=50 f=webp", True),
        # Of a resizing type's name, too: there are no others in this mode.
        (f"fit/{base64.urlsafe_b64encode(b's3://photos/a.jpg').decode()}.png", "w=9 q=50 f=png", True),
        (f"ours/{SOURCE}", "p=ours q=50", True),
        (f"draw/{SOURCE}", "q=50 f=svg", True),
        (f"card/{SOURCE}@svg", "w=300 h=200 fit=cover q=50 f=svg", False),
    ],
)
def test_where_only_presets_are_read_they_stand_alone(path: str, ours: str, by_presets: bool) -> None:
    reading = read(f"/unsafe/{path}", ONLY_PRESETS)
    assert dict(reading.pairs) == dict(pair.split("=") for pair in ours.split())
    assert (reading.address, reading.by_presets) == (ImageByKey("photos", b"a.jpg"), by_presets)
    assert reading.presets == tuple(path.partition("/")[0].split(":"))


@pytest.mark.parametrize("options", ["w:300", "card:nobody", "rs:fill:300:200", "card/w:300", "card/soft", ""])
def test_where_only_presets_are_read_nothing_else_is(options: str) -> None:
    with pytest.raises((OptionError, AddressError, LinkRefused)):
        ONLY_PRESETS.target("imgproxy", "", f"/unsafe/{options}/{SOURCE}")


@pytest.mark.parametrize(
    ("options", "by_presets"),
    [
        ("pr:card", True),
        ("preset:card/cb:1/exp:9", True),
        ("pr:ours", True),
        ("pr:card/q:50", False),
        ("pr:card:both", False),
        ("pr:card/pr:both", False),
        ("w:300", False),
    ],
)
def test_one_preset_may_say_it_all(options: str, by_presets: bool) -> None:
    assert read(f"/unsafe/{options}/{SOURCE}").by_presets is by_presets
    assert not read(f"/unsafe/{options}/{SOURCE}@webp").by_presets


def test_presets_that_cannot_work_are_told() -> None:
    wrong = Settings(imgproxy_presets={"good": "w:10", "bad": "w:x", "unknown": "nope:1"})
    assert [problem.split(":")[1].strip() for problem in preset_problems(wrong)] == ["bad", "unknown"]


_names = st.sampled_from([*BY_NAME, "x", ""])
_values = st.text(st.characters(codec="utf-8", exclude_characters="/"), max_size=12) | st.sampled_from(
    ["1", "0", "0.5", "300", "ce", "fp", "sm", "1e9", "-1", "t", "99999999999999999999", "ff0000"]
)
_options = st.builds(lambda name, values: ":".join([name, *values]), _names, st.lists(_values, max_size=5))


@given(st.lists(_options, max_size=6), st.text(max_size=40) | st.just(SOURCE), st.text(max_size=8))
def test_every_path_is_read_or_refused(options: list[str], source: str, signature: str) -> None:
    path = "/" + "/".join([signature, *options, source])
    try:
        reading = read(path)
        make_target(reading.address, reading.pairs)
    except (AddressError, OptionError) as error:
        known = translate(error)
        assert known is not None
        assert 400 <= known.status < 500
