"""How a picture is asked for: parameters in the path, presets, versions."""

from __future__ import annotations

import re

import pytest

from signing.link_bindings import parse_bindings
from tests import images
from tests.functional.imaging import Gallery, fetch
from tests.functional.img_delivery.delivery import (
    CAT,
    CDN,
    PHOTO,
    bucket,
    configure,
    open_to_all,
    presigned,
    raw_get,
    sign,
)
from tests.services import Server


def test_parameters_in_the_path_are_the_same_picture(gallery: Gallery, image_id: str) -> None:
    server = gallery.server
    for path in (CAT, f"/img/{image_id}", "/img/delivered/a/b_c, d.jpg"):
        plain = gallery.get(path, "w=90&h=50&fit=cover&f=webp")
        assert plain.picture.size == (90, 50)
        pairs = [("w", "90"), ("h", "50"), ("fit", "cover"), ("f", "webp")]
        link = sign(gallery, path, pairs, in_path=True)
        assert link.startswith("/img/w_90,h_50,fit_cover,f_webp,exp_")
        assert "?" not in link
        same = fetch(server, link)
        assert (same.status, same.body, same.headers["etag"]) == (200, plain.body, plain.headers["etag"])
        # A proxy that escapes the commas changes nothing, and parameters may be moved to the query one by one.
        assert fetch(server, link.replace(",", "%2C")).body == plain.body
        moved = re.sub(r"h_50,", "", link) + "?h=50"
        assert fetch(server, moved).body == plain.body
        for changed in (link.replace("w_90", "w_91"), link.replace("h_50,", "")):
            assert fetch(server, changed).status == 403


def test_an_extension_behind_an_id_is_a_format(gallery: Gallery, image_id: str) -> None:
    for extension, form in (("webp", "WEBP"), ("png", "PNG"), ("jpg", "JPEG"), ("avif", "AVIF")):
        answer = fetch(gallery.server, sign(gallery, f"/img/{image_id}.{extension}", [("w", "33")], in_path=True))
        assert answer.picture.format == form
        assert answer.picture.size == (33, 22)
    assert gallery.get(f"/img/{image_id}.webp", "w=33&f=png").code == "InvalidOption"
    assert gallery.get(f"/img/{image_id}.exe", "w=33").status == 404


@pytest.mark.parametrize(
    "path", ["/img/w_300/", "/img/w_1,h/x/y", "/img/text_a%2Fdelivered/cat.jpg", "/img/text_%25FF/x/y"]
)
def test_malformed_segments(gallery: Gallery, path: str) -> None:
    assert fetch(gallery.server, path).status in (400, 404)


def test_an_open_bucket_takes_both_forms(shown: Gallery) -> None:
    server = shown.server
    plain = fetch(server, "/img/shown-to-all/cat.jpg?w=200&f=webp")
    assert fetch(server, "/img/w_200,f_webp/shown-to-all/cat.jpg").body == plain.body
    assert fetch(server, "/img/w_201/shown-to-all/cat.jpg").code == "NotOnLadder"


def test_presets_of_bucket_and_server(gallery: Gallery, shown: Gallery) -> None:
    server = shown.server
    assert fetch(server, "/img/shown-to-all/cat.jpg?p=card").picture.size == (120, 80)
    assert fetch(server, "/img/p_card/shown-to-all/cat.jpg").picture.size == (120, 80)
    small = fetch(server, "/img/shown-to-all/cat.jpg?preset=small")
    assert (small.picture.size, small.picture.format) == ((60, 40), "PNG")
    assert fetch(server, "/img/shown-to-all/cat.jpg?p=tiny").picture.size == (30, 20), "the bucket's own wins"
    assert gallery.get(CAT, "p=tiny").picture.size == (40, 27), "the server's, where the bucket has none"
    assert gallery.get(CAT, "p=small&f=jpeg&q=30").picture.format == "JPEG", "what stands beside it wins"
    assert gallery.get(CAT, "p=card").code == "InvalidOption"
    assert fetch(server, "/img/shown-to-all/cat.jpg?p=none").code == "InvalidOption"
    # To somebody without rights no preset exists or does not.
    refused = {fetch(server, f"{CAT}?p={name}").body for name in ("tiny", "card", "none")}
    assert refused == {fetch(server, f"{CAT}?w=5").body}


def test_unsigned_links_take_presets_alone(shown: Gallery) -> None:
    for query in ("p=card&w=100", "p=card&f=webp", "p=card&dpr=2"):
        assert fetch(shown.server, f"/img/shown-to-all/cat.jpg?{query}").code == "NotOnLadder"
    assert shown.get("/img/shown-to-all/cat.jpg", "p=card&w=77&h=77").picture.size == (77, 77)


def test_a_changed_preset_shows_at_once(server: Server) -> None:
    gallery = bucket(server, "preset-changes")
    gallery.put("x.jpg", PHOTO)
    open_to_all(gallery)
    configure(gallery, "--preset", "card=w:50")
    url = "/img/preset-changes/x.jpg?p=card"
    assert fetch(server, url).picture.size == (50, 33)
    configure(gallery, "--preset", "card=w:70")
    assert fetch(server, url).picture.size == (70, 47)


def test_only_presets(server: Server) -> None:
    gallery = bucket(server, "presets-only")
    gallery.put("x.jpg", PHOTO)
    open_to_all(gallery)
    configure(gallery, "--preset", "card=w:50", "--only-presets")
    path = "/img/presets-only/x.jpg"
    assert fetch(server, f"{path}?w=300").code == "PresetNeeded"
    assert gallery.get(path, "w=300").code == "PresetNeeded"
    assert gallery.get(path, "p=card&q=5").code == "PresetNeeded"
    for answer in (fetch(server, f"{path}?p=card"), gallery.get(path, "p=card&dl=x")):
        assert answer.picture.size == (50, 33)
    # Who may read the object by a signature of S3 is not bound by it.
    assert presigned(gallery, path, "w=30").picture.size == (30, 20)
    assert fetch(server, f"/img/-/srcset{path.removeprefix('/img')}").code == "PresetNeeded"


def test_a_widest_picture_for_strangers(server: Server) -> None:
    gallery = bucket(server, "not-wider")
    gallery.put("x.jpg", PHOTO)
    open_to_all(gallery, "100,400")
    configure(gallery, "--max-width", "300", "--preset", "big=w:350", "--preset", "fits=w:250")
    path = "/img/not-wider/x.jpg"
    assert [fetch(server, f"{path}?{query}").status for query in ("w=100", "w=400", "p=fits", "p=big")] == [
        200,
        403,
        200,
        403,
    ]
    assert gallery.get(path, "w=400").status == 200


def test_a_picture_that_is_too_high_for_strangers_is_shown_smaller(server: Server) -> None:
    gallery = bucket(server, "not-higher")
    gallery.put("tall.png", images.png((100, 1500)))
    open_to_all(gallery, "100,300")
    presets = {"wide": "w:300", "turned": "w:300,h:300,rotate:30,bg:white", "padded": "w:200,h:200,pad:200"}
    configure(gallery, "--max-width", "300", *(f"--preset={name}={text}" for name, text in presets.items()))
    path = "/img/not-higher/tall.png"
    for query in ("w=100", "w=300", "w=100&dpr=3", "p=wide"):
        assert fetch(server, f"{path}?{query}").picture.size == (20, 300)
    assert max(fetch(server, f"{path}?p=turned").picture.size) <= 300
    assert fetch(server, f"{path}?p=padded").code == "NotOnLadder"
    assert gallery.get(path, "w=100").picture.size == (100, 1500)


def test_the_right_version_is_kept_for_ever_and_a_wrong_one_never(gallery: Gallery) -> None:
    gallery.put("versioned.jpg", images.jpeg((300, 200), seed=6))
    path = "/img/delivered/versioned.jpg"
    wrong = gallery.get(path, "w=40&v=0123456789abcdef")
    assert wrong.status == 302
    assert wrong.body == b""
    assert wrong.headers["cache-control"] == "no-store"
    location = wrong.headers["location"]
    assert location.startswith(f"{CDN}/img/delivered/versioned.jpg?w=40&v=")
    right = raw_get(gallery.server, location)
    assert right.status == 200
    assert re.fullmatch(r"public, max-age=\d+, immutable", right.headers["cache-control"])
    assert right.body == gallery.get(path, "w=40").body
    tag = re.search(r"v=([0-9a-f]{16})", location)
    assert tag is not None
    gallery.put("versioned.jpg", images.jpeg((300, 200), seed=7))
    again = raw_get(gallery.server, location)
    assert again.status == 302
    assert tag[1] not in again.headers["location"]
    assert raw_get(gallery.server, again.headers["location"]).body == gallery.get(path, "w=40").body


def test_the_redirect_of_a_link_holds_as_long_and_no_further(gallery: Gallery) -> None:
    pairs = [("w", "41"), ("v", "x")]
    bound = sign(gallery, CAT, pairs, bindings=parse_bindings("a.test", None))
    answer = fetch(gallery.server, bound, {"Referer": "https://a.test/"})
    assert answer.status == 302
    location = answer.headers["location"]
    assert raw_get(gallery.server, location).status == 403, "bound to the page still"
    held = raw_get(gallery.server, location, Referer="https://a.test/")
    assert held.status == 200
    assert held.headers["cache-control"].startswith("private, max-age=")
    expiry = re.compile(r"exp=(\d+)")
    assert expiry.search(location)[1] == expiry.search(bound)[1]  # type: ignore[index]
    in_path = fetch(gallery.server, sign(gallery, CAT, pairs, in_path=True)).headers["location"]
    assert in_path.startswith(f"{CDN}/img/w_41,v_")
    assert raw_get(gallery.server, in_path).status == 200
    assert fetch(gallery.server, sign(gallery, CAT, pairs).replace("v=x", "v=y")).status == 403


def test_versions_without_a_signature(shown: Gallery) -> None:
    server = shown.server
    answer = fetch(server, "/img/shown-to-all/cat.jpg?w=100&v=1")
    assert (answer.status, answer.headers["cache-control"]) == (302, "no-store")
    right = raw_get(server, answer.headers["location"])
    assert right.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert right.picture.size == (100, 67)
    path = fetch(server, "/img/w_100,v_1/shown-to-all/cat.jpg").headers["location"]
    assert (
        path == answer.headers["location"].replace("/img/", "/img/w_100,v_", 1).replace("v_shown", "v_shown")[:0] + path
    )
    assert raw_get(server, path).body == right.body


def test_who_signs_each_request_gets_the_picture_unkept(gallery: Gallery) -> None:
    answer = presigned(gallery, CAT, "w=42&v=1")
    assert answer.picture.size == (42, 28)
    assert answer.headers["cache-control"] == "no-store"


def test_a_version_of_a_preset_ends_with_the_preset(server: Server) -> None:
    gallery = bucket(server, "preset-pinned")
    gallery.put("x.jpg", PHOTO)
    open_to_all(gallery)
    configure(gallery, "--preset", "card=w:50")
    location = fetch(server, "/img/preset-pinned/x.jpg?p=card&v=1").headers["location"]
    assert raw_get(server, location).picture.size == (50, 33)
    configure(gallery, "--preset", "card=w:70")
    moved = raw_get(server, location)
    assert moved.status == 302
    assert raw_get(server, moved.headers["location"]).picture.size == (70, 47)


def test_a_version_knows_the_focal_point(gallery: Gallery) -> None:
    def put(**metadata: str) -> None:
        gallery.client.put_object(Bucket="delivered", Key="focus.jpg", Body=PHOTO, Metadata=metadata)

    put()
    plain = gallery.get("/img/delivered/focus.jpg", "w=50&h=50&fit=cover&v=1").headers["location"]
    gallery.client.copy_object(
        Bucket="delivered", Key="focus.jpg", CopySource="delivered/focus.jpg", MetadataDirective="REPLACE",
        Metadata={"focal-point": "0.1,0.1"},
    )  # fmt: skip
    assert raw_get(gallery.server, plain).status == 302, "the same content, but another picture"
