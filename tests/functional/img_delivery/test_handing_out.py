"""Addresses that are handed out: `pixgate sign`, srcset, the table of options; and `x-img`."""

from __future__ import annotations

import json
import re
import time
from urllib.parse import quote

from tests import images
from tests.functional.imaging import Answer, Gallery, fetch
from tests.functional.img_delivery.delivery import (
    CAT,
    CDN,
    command,
    presigned,
    raw_get,
)


def test_the_command_line_signs_every_form(gallery: Gallery, image_id: str) -> None:
    server = gallery.server

    def signed(*arguments: str) -> str:
        url = command(server, "sign", *arguments, "--key", gallery.links.access_key).strip()
        assert url.startswith(f"{CDN}/img/")
        return url

    in_path = signed(f"/img/{image_id}.webp?w=24", "--in-path")
    assert "?" not in in_path
    assert raw_get(server, in_path).picture.format == "WEBP"
    assert raw_get(server, signed(f"/img/w_24,f_png/{image_id}")).picture.format == "PNG"
    bound = signed(f"/img/{image_id}?w=24", "--referer", "a.test", "--referer", "b.test")
    assert raw_get(server, bound).status == 403
    assert raw_get(server, bound, Referer="http://b.test/").status == 200
    assert raw_get(server, signed(f"/img/{image_id}?w=24", "--ip", "127.0.0.1")).status == 200
    assert raw_get(server, signed(f"/img/{image_id}?w=24", "--ip", "10.0.0.0/8")).status == 403
    assert raw_get(server, signed(f"/img/{image_id}?p=tiny")).picture.size == (40, 27)
    pinned = signed(f"/img/{image_id}?w=24", "--pin")
    assert "immutable" in raw_get(server, pinned).headers["cache-control"]


def test_srcset_names_what_browsers_would_not_ask_for_by_its_id(gallery: Gallery) -> None:
    for key in ("../up.png", "a/./b.png"):
        image_id = gallery.put(key, images.png((40, 20)))
        found = json.loads(gallery.get(f"/img/-/srcset/{gallery.name}/{key}", "widths=20&v=1").body)
        assert f"/img/{image_id}?" in found["src"]
        answer = raw_get(gallery.server, found["src"])
        assert answer.picture.size == (20, 10)
        assert "immutable" in answer.headers["cache-control"]


def test_srcset_of_an_open_bucket(shown: Gallery) -> None:
    server = shown.server
    answer = fetch(server, "/img/-/srcset/shown-to-all/cat.jpg?alt=A%20%22cat%22&sizes=50vw")
    assert answer.headers["content-type"] == "application/json"
    found = json.loads(answer.body)
    assert found["widths"] == [100, 200, 300]
    pieces = [piece.split(" ") for piece in found["srcset"].split(", ")]
    assert [size for _, size in pieces] == ["100w", "200w", "300w"]
    for (url, size), width in zip(pieces, (100, 200, 300), strict=True):
        assert url.startswith(f"{CDN}/img/shown-to-all/cat.jpg?w=")
        assert "sig=" not in url
        assert raw_get(server, url).picture.size[0] == width == int(size[:-1])
    assert [source["type"] for source in found["sources"]] == ["image/avif", "image/webp"]
    assert raw_get(server, found["sources"][1]["srcset"].split(" ")[0]).picture.format == "WEBP"
    assert found["picture"].startswith('<picture><source type="image/avif" srcset="')
    assert 'alt="A &quot;cat&quot;"' in found["img"]
    assert 'sizes="50vw"' in found["img"]
    pinned = json.loads(fetch(server, "/img/-/srcset/shown-to-all/cat.jpg?widths=200&v=1").body)["src"]
    assert "immutable" in raw_get(server, pinned).headers["cache-control"]
    assert fetch(server, "/img/-/srcset/shown-to-all/cat.jpg?widths=150").code == "NotOnLadder"
    for query in ("widths=", "widths=0", "widths=a", "w=5", "widths=1&widths=2", "zoom=1", "raw=1"):
        assert fetch(server, f"/img/-/srcset/shown-to-all/cat.jpg?{query}").code == "InvalidOption"


def test_srcset_is_signed_for_who_may_sign(gallery: Gallery, image_id: str) -> None:
    server = gallery.server
    assert fetch(server, f"/img/{image_id}/srcset").code == "AccessDenied"
    link = gallery.link(f"/img/{image_id}/srcset", "widths=50,70&ar=1:1&f=webp", expires=time.time() + 500)
    found = json.loads(fetch(server, link).body)
    assert found["sources"] == []
    for piece, width in zip(found["srcset"].split(", "), (50, 70), strict=True):
        url = piece.split(" ")[0]
        assert re.search(r"exp=(\d+)", url)[1] == re.search(r"exp=(\d+)", link)[1]  # type: ignore[index]
        assert raw_get(server, url).picture.size == (width, width)
    by_s3 = presigned(gallery, f"/img/{image_id}/srcset", "widths=44")
    assert by_s3.headers["cache-control"] == "no-store"
    assert raw_get(server, json.loads(by_s3.body)["src"]).picture.size[0] == 44


def test_the_table_of_options(gallery: Gallery) -> None:
    answer = fetch(gallery.server, "/img/-/options")
    table = json.loads(answer.body)
    names = {row["name"] for row in table["options"]}
    assert {"w", "wm", "f", "p", "v", "dl", "raw"} <= names
    assert {row["group"] for row in table["options"]} == set(table["groups"])
    assert answer.headers["cache-control"] == "public, max-age=3600"
    assert fetch(gallery.server, "/img/-/nothing").status == 404


def test_x_img_takes_presets(gallery: Gallery) -> None:
    def get(options: str) -> Answer:
        return presigned(gallery, "/delivered/cat.jpg", f"x-img={quote(options, safe='')}")

    assert get("p:small").picture.size == (60, 40)
    assert get("p:small,f:jpeg").picture.format == "JPEG"
    gallery.put("mark.png", images.png((30, 10)))
    marked = get("w:80,f:png,wm:delivered/mark.png")
    assert marked.body == gallery.get(CAT, "w=80&f=png&wm=delivered/mark.png").body
    for options in ("wm:branding/logo.png", "p:none", "raw:1", "v:1", "dl:x"):
        assert get(f"w:80,{options}" if not options.startswith("raw") else options).status == 400, options


def test_x_img_has_ranges_as_any_object(gallery: Gallery) -> None:
    def get(**headers: str) -> Answer:
        return presigned(gallery, "/delivered/cat.jpg", "x-img=w%3A200", **headers)

    whole = get()
    part = get(Range="bytes=10-19")
    assert (part.status, part.body) == (206, whole.body[10:20])
    beyond = get(Range="bytes=99999999-")
    assert beyond.status == 416
    assert b"<Code>InvalidRange</Code>" in beyond.body
    assert beyond.headers["content-range"] == f"bytes */{len(whole.body)}"
