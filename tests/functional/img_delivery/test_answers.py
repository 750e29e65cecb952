"""What is handed out: downloads, stored bytes, facts, other pictures for errors, watermarks."""

from __future__ import annotations

import hashlib
import json
import time

from signing.image_link import raw_link_key, sign_link
from tests import images
from tests.functional.imaging import Answer, Gallery, fetch
from tests.functional.img_delivery.delivery import (
    CAT,
    DRAWING,
    PHOTO,
    configure,
    new_keys,
    presigned,
    raw_get,
    sign,
)


def test_downloads_have_a_name(gallery: Gallery) -> None:
    answer = gallery.get(CAT, "w=20&dl=holiday.jpg")
    assert answer.headers["content-disposition"] == 'attachment; filename="holiday.jpg"'
    assert answer.picture.size == (20, 13)
    assert gallery.get(CAT, "w=20").body == answer.body
    assert gallery.get(CAT, "w=20&f=webp&dl=run.exe").headers["content-disposition"] == (
        'attachment; filename="run.exe.webp"'
    )
    link = sign(gallery, CAT, [("w", "20"), ("dl", 'Grüße "/..\\x.jpg')])
    assert fetch(gallery.server, link).headers["content-disposition"] == (
        "attachment; filename=\"Gr__e __.._x.jpg\"; filename*=UTF-8''Gr%C3%BC%C3%9Fe%20__.._x.jpg"
    )


def test_stored_bytes(gallery: Gallery, image_id: str) -> None:
    answer = gallery.get(CAT, "raw=1")
    assert answer.status == 200
    assert answer.body == PHOTO
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert hashlib.md5(PHOTO, usedforsecurity=False).hexdigest() not in answer.headers["etag"]
    part = gallery.get(CAT, "raw=1", {"Range": "bytes=100-299"})
    assert (part.status, part.body) == (206, PHOTO[100:300])
    assert part.headers["content-range"] == f"bytes 100-299/{len(PHOTO)}"
    assert gallery.get(CAT, "raw=1", {"If-None-Match": answer.headers["etag"]}).status == 304
    assert gallery.get(CAT, "raw=1", {"Range": "bytes=9999999-"}).code == "InvalidRange"
    head = gallery.get(CAT, "raw=1", method="HEAD")
    assert (head.body, head.headers["content-length"]) == (b"", str(len(PHOTO)))
    assert gallery.get(CAT, "raw=1&w=5").code == "InvalidOption"
    assert (
        gallery.get(f"/img/{image_id}", "raw=1&dl=x").headers["content-disposition"] == 'attachment; filename="x.jpg"'
    )
    gallery.put("secret.txt", b"not a picture")
    assert gallery.get("/img/delivered/secret.txt", "raw=1").status == 415, "a link is for images"


def test_stored_bytes_need_the_right(gallery: Gallery, shown: Gallery) -> None:
    server = shown.server
    assert fetch(server, "/img/shown-to-all/cat.jpg?raw=1").code == "NotOnLadder"
    configure(shown, "--no-raw")
    assert shown.get("/img/shown-to-all/cat.jpg", "raw=1").code == "RawNotAllowed"
    assert presigned(shown, "/img/shown-to-all/cat.jpg", "raw=1").body == PHOTO
    configure(shown, "--raw")
    assert shown.get("/img/shown-to-all/cat.jpg", "raw=1").body == PHOTO
    stranger = new_keys(server, "delivery-stranger", "--links")
    link = sign_link(
        CAT,
        [("raw", "1")],
        key_id=stranger.access_key,
        key=raw_link_key(stranger.secret_key),
        expires=int(time.time()) + 60,
    )
    assert fetch(server, link).body == fetch(server, CAT).body


def test_large_stored_bytes_in_pieces(gallery: Gallery) -> None:
    body = PHOTO + bytes(range(256)) * 9000
    gallery.put("large.jpg", body)
    assert gallery.get("/img/delivered/large.jpg", "raw=1").body == body
    assert gallery.get("/img/delivered/large.jpg", "raw=1", {"Range": "bytes=-70000"}).body == body[-70000:]


def test_drawings_are_rendered_or_made_harmless_or_saved(gallery: Gallery) -> None:
    image_id = gallery.put("drawing.svg", DRAWING)
    path = f"/img/{image_id}"
    assert gallery.get(path, "w=30").picture.size == (30, 20)
    shown = gallery.get(path, "f=svg")
    assert shown.headers["content-type"] == "image/svg+xml"
    assert b"<rect" in shown.body
    assert b"alert" not in shown.body
    policy = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    assert shown.headers["content-security-policy"] == policy
    assert gallery.get(f"{path}.svg").body == shown.body
    again = gallery.get(path, "f=svg", {"If-None-Match": shown.headers["etag"]})
    assert (again.status, again.headers["content-security-policy"]) == (304, policy)
    stored = gallery.get(path, "raw=1")
    assert stored.body == DRAWING
    assert stored.headers["content-disposition"] == "attachment"
    assert stored.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert gallery.get(CAT, "f=svg").status == 400


def test_info_and_placeholder_are_for_those_who_may_see_the_picture(
    gallery: Gallery, shown: Gallery, image_id: str
) -> None:
    server = gallery.server
    for verb in ("info", "placeholder"):
        for path in (f"/img/{image_id}/{verb}", f"/img/-/{verb}/delivered/by-id.jpg", f"/img/-/{verb}/{image_id}"):
            answer = gallery.get(path)
            assert answer.headers["content-type"] == "application/json"
            assert (json.loads(answer.body)["width"], json.loads(answer.body)["height"]) == (900, 600)
            assert gallery.get(path, headers={"If-None-Match": answer.headers["etag"]}).status == 304
            assert fetch(server, path).body == fetch(server, f"{CAT}?w=5").body
        assert fetch(server, f"/img/-/{verb}/shown-to-all/cat.jpg").status == 200
    assert gallery.get(f"/img/{image_id}/info", "w=5").code == "InvalidOption"
    assert gallery.get("/img/-/info/delivered/none.jpg").code == "NotFound"
    # The tag that info tells is what v= wants.
    tag = json.loads(gallery.get(f"/img/{image_id}/info").body)["v"]
    assert "immutable" in gallery.get(f"/img/{image_id}", f"w=30&v={tag}").headers["cache-control"]
    # A key may end like a verb.
    gallery.put("a/info", images.jpeg((30, 20)))
    assert gallery.get("/img/delivered/a/info", "w=15").picture.size == (15, 10)


def test_another_picture_with_the_status_of_the_error(shown: Gallery, gallery: Gallery) -> None:
    server = shown.server
    for key, status, code in (("none.jpg", 404, "NotFound"), ("broken.jpg", 422, "BrokenImage")):
        answer = fetch(server, f"/img/shown-to-all/{key}?w=100")
        assert (answer.status, answer.headers["x-pixgate-error"]) == (status, code)
        assert answer.picture.size == (100, 50)
        assert answer.headers["cache-control"] == "public, max-age=30"
        assert "etag" not in answer.headers
        assert "surrogate-key" not in answer.headers
    missing = "/img/shown-to-all/none.jpg?w=100"
    assert fetch(server, missing, {"If-None-Match": "*"}).status == 404
    assert fetch(server, missing, {"Range": "bytes=0-5"}).status == 404
    head = fetch(server, missing, method="HEAD")
    assert (head.status, head.body) == (404, b"")
    # The server's own where the bucket has none; nothing for those who may not know.
    other = gallery.get("/img/delivered/none.jpg", "w=20")
    assert (other.status, other.picture.size) == (404, (20, 10))
    assert other.headers["cache-control"] == "public, max-age=30"
    assert fetch(server, "/img/delivered/none.jpg?w=20").headers["content-type"] == "application/json"
    assert gallery.get("/img/delivered/none.jpg", "w=0").code == "InvalidOption"
    assert fetch(server, "/img/shown-to-all/none.jpg?w=101").code == "NotOnLadder"
    # A watermark is for the pictures themselves.
    marked = gallery.get("/img/delivered/none.jpg", "w=20&wm=delivered/cat.jpg&wm-g=repeat")
    assert (marked.status, marked.body) == (404, other.body)


def test_watermarks_follow_rights(gallery: Gallery, shown: Gallery, branding: Gallery) -> None:
    server = gallery.server
    gallery.put("mark.png", images.png((30, 10)))
    own = gallery.get(CAT, "w=80&wm=delivered/mark.png&f=png")
    assert own.status == 200
    assert own.body != gallery.get(CAT, "w=80&f=png").body
    foreign = gallery.get(CAT, "w=80&wm=branding/logo.png")
    missing = gallery.get(CAT, "w=80&wm=branding/nothing.png")
    nowhere = gallery.get(CAT, "w=80&wm=nowhere/nothing.png")
    assert foreign.status == missing.status == nowhere.status == 400
    assert foreign.body == missing.body == nowhere.body, "whether it exists is not told"
    # The server's preset may name what the administrator likes; whoever may see the picture sees it so.
    by_preset = fetch(server, "/img/shown-to-all/cat.jpg?p=logo")
    assert by_preset.picture.size == (80, 53)
    assert by_preset.body != shown.get("/img/shown-to-all/cat.jpg", "w=80").body
    assert fetch(server, "/img/shown-to-all/cat.jpg?w=100&wm=branding/logo.png").code == "NotOnLadder"
    # A bucket's preset may name what its owner may read.
    configure(
        shown, "--preset", "theirs=w:80,wm:branding/logo.png", "--preset", "ours=w:80,wm:shown-to-all/instead.png"
    )
    assert fetch(server, "/img/shown-to-all/cat.jpg?p=theirs").code == "InvalidOption"
    assert fetch(server, "/img/shown-to-all/cat.jpg?p=ours").picture.size == (80, 53)
    narrow = new_keys(server, "delivered-owner", "--links", "--bucket", "delivered", "--prefix", "cat")
    link = sign_link(
        CAT, [("w", "80"), ("wm", "delivered/mark.png")], key_id=narrow.access_key,
        key=raw_link_key(narrow.secret_key), expires=int(time.time()) + 60,
    )  # fmt: skip
    assert fetch(server, link).body == foreign.body


def test_an_overwritten_watermark_shows_at_once(gallery: Gallery) -> None:
    gallery.put("mark-2.png", images.png((30, 10)))
    before = gallery.get(CAT, "w=81&wm=delivered/mark-2.png&f=png")
    gallery.put("mark-2.png", images.png((30, 10), seed=4))
    after = gallery.get(CAT, "w=81&wm=delivered/mark-2.png&f=png")
    assert before.headers["etag"] != after.headers["etag"]
    assert before.body != after.body


def test_what_a_watermark_may_change_is_kept_as_short_as_what_a_key_means(gallery: Gallery, image_id: str) -> None:
    mark_id = gallery.put("mark-3.png", images.png((30, 10)))

    def answer(query: str) -> Answer:
        return fetch(gallery.server, gallery.link(f"/img/{image_id}", query, expires=time.time() + 900_000))

    def age(query: str) -> str:
        return answer(query).headers["cache-control"].partition(", s-maxage")[0]

    assert age("w=82") == age(f"w=82&wm={mark_id}") == "public, max-age=86400"
    assert age("w=82&wm=delivered/mark-3.png") == "public, max-age=60"
    # A URL that says which watermark it means may be kept, and leads to another one when that is overwritten.
    pinned = answer("w=82&wm=delivered/mark-3.png&v=0").headers["location"]
    assert "immutable" in raw_get(gallery.server, pinned).headers["cache-control"]
    gallery.put("mark-3.png", images.png((30, 10), seed=5))
    moved = raw_get(gallery.server, pinned)
    assert (moved.status, moved.headers["cache-control"]) == (302, "no-store")
    assert "immutable" in raw_get(gallery.server, moved.headers["location"]).headers["cache-control"]
