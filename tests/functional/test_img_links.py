"""Image URLs over a real server: who may have what, in which format, and for how long."""

from __future__ import annotations

import io
import re
import time
from urllib.parse import urlsplit

import pytest
from PIL import Image

from conformance.target import Keys
from gateway.services.clock import now_ms
from tests import images
from tests.functional.beside import beside
from tests.functional.imaging import CHROME, Answer, Gallery, fetch
from tests.services import Server, pixgate

NO_SUCH_ID = "I" + "A" * 26


@pytest.fixture(scope="module")
def gallery(http_server: Server) -> Gallery:
    made = Gallery(http_server, "img-links")
    made.put("at the sea/photo 1.jpg", images.jpeg((900, 600)))
    return made


PHOTO = "/img/img-links/at the sea/photo 1.jpg"


@pytest.fixture(scope="module")
def image_id(gallery: Gallery) -> str:
    return gallery.put("by-id.jpg", images.jpeg((900, 600), seed=5))


def test_a_signed_link_shows_an_image(gallery: Gallery, image_id: str) -> None:
    for path in (PHOTO, f"/img/{image_id}"):
        answer = gallery.get(path, "w=300")
        assert answer.status == 200
        assert answer.picture.format == "JPEG"
        assert answer.picture.size == (300, 200)
        assert answer.headers["content-type"] == "image/jpeg"
        assert answer.headers["content-length"] == str(len(answer.body))
        assert re.fullmatch(r'"[0-9a-f]{32}"', answer.headers["etag"])
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"
        assert "vary" not in answer.headers
        assert "x-amz-request-id" in answer.headers


def test_the_key_of_an_s3_secret_signs_too(gallery: Gallery) -> None:
    assert fetch(gallery.server, gallery.link(PHOTO, "w=90", keys=gallery.keys)).picture.size == (90, 60)


def test_the_command_line_signs(gallery: Gallery, image_id: str) -> None:
    link = pixgate("sign", f"/img/{image_id}?w=60&f=png", "--key", gallery.links.access_key, data=gallery.server.data)
    url = urlsplit(link.stdout.strip())
    assert f"{url.scheme}://{url.netloc}" == gallery.server.url
    assert fetch(gallery.server, f"{url.path}?{url.query}").picture.format == "PNG"


def test_a_proxy_may_write_the_link_in_another_way(gallery: Gallery) -> None:
    link = gallery.link("/img/img-links/at the sea/photo 1.jpg", "w=30&f=webp")
    path, _, query = link.partition("?")
    shuffled = "&".join(reversed(query.split("&"))).replace("w=30", "%77=%330")
    other = f"{path.replace('%20', '%20').replace('photo', 'p%68oto')}?{shuffled}"
    assert fetch(gallery.server, other).picture.size == (30, 20)


def test_what_may_not_be_had_looks_the_same(gallery: Gallery, image_id: str) -> None:
    server = gallery.server
    stranger = server.keys("img-stranger")
    path = f"/img/{image_id}"
    disabled, deleted = (server.new_keys("img-links-owner") for _ in range(2))
    expired = server.new_keys("img-links-owner")
    pixgate("keys", "disable", disabled.access_key, data=server.data)
    pixgate("keys", "delete", deleted.access_key, data=server.data)
    beside(server.data, lambda services: services.keys.set_expiry(expired.access_key, now_ms()))
    refused = {
        "wrong": gallery.link(path, "w=40").replace("w=40", "w=41"),
        "cut": gallery.link(path, "w=40")[:-1],
        "unsigned half": gallery.link(path, "w=40").rpartition("&sig=")[0],
        "unknown key": gallery.link(path, "w=40", keys=Keys("NOBODYSKEY", "x" * 40)),
        "disabled key": gallery.link(path, "w=40", keys=disabled),
        "deleted key": gallery.link(path, "w=40", keys=deleted),
        "expired key": gallery.link(path, "w=40", keys=expired),
        "expired link": gallery.link(path, "w=40", expires=time.time() - 2),
        "another's": gallery.link("/img/img-links/by-id.jpg", "w=40", keys=stranger),
        "another's, nothing there": gallery.link("/img/img-links/none", "w=40", keys=stranger),
        "nobody": f"{path}?w=40",
        "nobody, no such id": f"/img/{NO_SUCH_ID}?w=40",
        "nobody, key": "/img/img-links/by-id.jpg?w=40",
        "nobody, no such key": "/img/img-links/none?w=40",
        "nobody, no such bucket": "/img/no-such-bucket/none?w=40",
        "another key of the bucket": gallery.link("/img/img-links/by-id.jpg", "w=40").replace("by-id", "by-ID"),
    }
    answers = {name: fetch(server, target) for name, target in refused.items()}
    assert {name: answer.status for name, answer in answers.items()} == dict.fromkeys(refused, 403)
    assert {answer.body for answer in answers.values()} == {answers["nobody"].body}
    shapes = {tuple(sorted(answer.headers.keys() - {"date", "x-amz-request-id"})) for answer in answers.values()}
    assert len(shapes) == 1, "nor do the headers tell them apart"
    assert answers["nobody"].code == "AccessDenied"
    # A key that is good tells by an id no more than that it shows nothing to this key, be there an image or not.
    held = [fetch(server, gallery.link(one, "w=40", keys=stranger)) for one in (path, f"/img/{NO_SUCH_ID}")]
    assert [answer.status for answer in held] == [404, 404]
    assert held[0].body == held[1].body


def test_a_key_that_is_disabled_ends_its_links_at_the_next_request(gallery: Gallery) -> None:
    server = gallery.server
    key = server.new_keys("img-links-owner")
    link = gallery.link(PHOTO, "w=50", keys=key)
    assert fetch(server, link).status == 200
    pixgate("keys", "disable", key.access_key, data=server.data)
    # Several, so that each worker is met: what is in its memory does not help.
    assert {fetch(server, link).status for _ in range(8)} == {403}
    pixgate("keys", "enable", key.access_key, data=server.data)
    assert {fetch(server, link).status for _ in range(8)} == {200}


def test_a_link_key_opens_no_other_door_and_only_its_prefix(gallery: Gallery) -> None:
    server = gallery.server
    client = server.client(gallery.links)
    with pytest.raises(client.exceptions.ClientError, match="InvalidAccessKeyId"):
        client.list_buckets()
    presigned = server.client(gallery.links, signature_version="s3v4").generate_presigned_url(
        "get_object", Params={"Bucket": "img", "Key": "img-links/by-id.jpg"}
    )
    assert fetch(server, presigned.removeprefix(server.url)).status == 403
    narrow = server.new_keys("img-links-owner", "--links", "--bucket", "img-links", "--prefix", "at the sea/")
    narrowed = Gallery.__new__(Gallery)
    narrowed.server, narrowed.links = server, narrow
    assert narrowed.get(PHOTO, "w=20").status == 200
    assert narrowed.get("/img/img-links/by-id.jpg", "w=20").status == 403
    assert narrowed.get("/img/img-links/at the sea/none", "w=20").status == 404


def test_an_open_bucket_shows_its_ladder_to_anyone(http_server: Server) -> None:
    gallery = Gallery(http_server, "img-open")
    image_id = gallery.put("a.png", images.png((400, 200)))
    assert fetch(http_server, f"/img/{image_id}?w=300").status == 403
    gallery.open()
    for path in ("/img/img-open/a.png", f"/img/{image_id}"):
        assert fetch(http_server, f"{path}?w=300").picture.size == (300, 150)
        assert fetch(http_server, f"{path}?w=150&dpr=2&f=webp").picture.format == "WEBP"
        assert fetch(http_server, f"{path}?w=301").code == "NotOnLadder"
        assert fetch(http_server, path).code == "NotOnLadder"
        assert fetch(http_server, f"{path}?w=300&blur=5").code == "NotOnLadder"
        assert fetch(http_server, f"{path}?w=300&f=png").code == "NotOnLadder"
    gallery.open("100,200")
    assert fetch(http_server, f"/img/{image_id}?w=300").code == "NotOnLadder"
    answer = fetch(http_server, f"/img/{image_id}?w=100&dpr=2&f=auto", {"Accept": CHROME})
    assert answer.picture.size == (200, 100)
    assert answer.headers["cache-control"] == "public, max-age=86400"
    assert fetch(http_server, "/img/img-open/none?w=100").status == 404
    assert fetch(http_server, "/img-open/a.png").status == 403, "images are not objects"
    pixgate("buckets", "set", "img-open", "--images", "private", data=http_server.data)
    assert {fetch(http_server, f"/img/{image_id}?w=100").status for _ in range(8)} == {403}


def test_whoever_signs_as_for_s3_may_have_what_he_may_read(gallery: Gallery) -> None:
    server = gallery.server

    def presigned(keys: Keys, query: str) -> Answer:
        client = server.client(keys, signature_version="s3v4")

        def add(request: object, **_: object) -> None:
            request.url += ("&" if "?" in request.url else "?") + query  # type: ignore[attr-defined]

        client.meta.events.register_first("before-sign.s3.GetObject", add)
        try:
            url = client.generate_presigned_url("get_object", Params={"Bucket": "img", "Key": "img-links/by-id.jpg"})
        finally:
            client.meta.events.unregister("before-sign.s3.GetObject", add)
        return fetch(server, url.removeprefix(server.url))

    answer = presigned(gallery.keys, "w=45&f=png")
    assert answer.picture.size == (45, 30)
    assert answer.headers["cache-control"] == "private, max-age=60"
    assert presigned(server.keys("img-stranger"), "w=45").status == 403
    signed = server.client(gallery.keys, signature_version="s3v4").get_object(Bucket="img", Key="img-links/by-id.jpg")
    assert signed["ContentType"] == "image/jpeg"
    assert Image.open(io.BytesIO(signed["Body"].read())).size == (900, 600)


@pytest.mark.parametrize(
    ("query", "option"),
    [("w=0", "w"), ("w=1&w=2", "w"), ("zoom=2", "zoom"), ("v=*", "v"), ("fit=squash", "fit"), ("w=9000&dpr=4", "dpr")],
)
def test_a_wrong_option_names_itself(gallery: Gallery, query: str, option: str) -> None:
    answer = gallery.get(PHOTO, query)
    assert answer.status == 400
    assert f'"option": "{option}"' in answer.body.decode()
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"


def test_what_is_missing_and_what_is_no_image(gallery: Gallery) -> None:
    assert gallery.get("/img/img-links/none.jpg").status == 404
    assert gallery.get("/img/no-such-bucket/none.jpg").status == 404
    assert gallery.get(f"/img/{NO_SUCH_ID}").status == 404
    assert fetch(gallery.server, "/img").status == 404
    assert fetch(gallery.server, "/img/").status == 404
    assert fetch(gallery.server, "/img/img-links/%zz").status == 400
    assert gallery.put("text.jpg", b"no picture at all") == ""
    answer = gallery.get("/img/img-links/text.jpg", "w=9")
    assert (answer.status, answer.code) == (415, "UnsupportedMediaType")
    gallery.put("page.svg", b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>")
    # A drawing is rendered, and nothing of what it would do is left.
    drawn = gallery.get("/img/img-links/page.svg")
    assert (drawn.status, drawn.picture.format) == (200, "PNG")
    gallery.put("broken.jpg", images.jpeg()[:9000])
    assert gallery.get("/img/img-links/broken.jpg", "w=9").code == "BrokenImage"
    for method in ("POST", "PUT", "DELETE"):
        answer = fetch(gallery.server, gallery.link(PHOTO, "w=9"), method=method)
        assert answer.status == 405
        assert answer.headers["allow"] == "GET, HEAD, OPTIONS"


def test_formats_follow_accept_only_where_asked(gallery: Gallery) -> None:
    wanted = {CHROME: "AVIF", "image/webp,*/*": "WEBP", "image/png,image/*;q=0.8": "JPEG", "": "JPEG"}
    etags = set()
    for accept, expected in wanted.items():
        answer = gallery.get(PHOTO, "w=64&f=auto", {"Accept": accept} if accept else {})
        assert answer.picture.format == expected
        assert answer.headers["vary"] == "Accept"
        etags.add(answer.headers["etag"])
    assert len(etags) == 3
    assert "vary" not in gallery.get(PHOTO, "w=64&f=webp", {"Accept": CHROME}).headers
    assert gallery.get(PHOTO, "w=64", {"Accept": CHROME}).picture.format == "JPEG"


def test_head_and_conditions(gallery: Gallery) -> None:
    head = gallery.get(PHOTO, "w=70", method="HEAD")
    got = gallery.get(PHOTO, "w=70")
    assert head.status == 200
    assert head.body == b""
    assert head.headers["content-length"] == str(len(got.body))
    assert head.headers["etag"] == got.headers["etag"]
    etag = got.headers["etag"]
    for tags in (etag, f'"other", {etag}', f"W/{etag}", "*"):
        same = gallery.get(PHOTO, "w=70", {"If-None-Match": tags})
        assert (same.status, same.body) == (304, b"")
        assert same.headers["etag"] == etag
        assert same.headers["cache-control"] == "public, max-age=60"
        assert "content-length" not in same.headers
    assert gallery.get(PHOTO, "w=70", {"If-None-Match": '"other"'}).status == 200
    assert gallery.get(PHOTO, "w=70", {"If-Match": '"other"'}).status == 412
    # 304 says nothing to those who may not see it.
    assert fetch(gallery.server, "/img/img-links/by-id.jpg?w=70", {"If-None-Match": "*"}).status == 403


def test_304_renders_nothing(gallery: Gallery) -> None:
    first = gallery.get(PHOTO, "w=71&f=auto", {"Accept": CHROME})
    before = gallery.server.metric("pixgate_renders_total")
    gallery.put("at the sea/copy.jpg", images.jpeg((900, 600), seed=9))
    probe = gallery.get("/img/img-links/at the sea/copy.jpg", "w=71", {"If-None-Match": "*"})
    assert probe.status == 304
    assert gallery.get(PHOTO, "w=71&f=auto", {"Accept": CHROME, "If-None-Match": first.headers["etag"]}).status == 304
    assert gallery.server.metric("pixgate_renders_total") == before


def test_a_link_is_kept_no_longer_than_it_holds(gallery: Gallery, image_id: str) -> None:
    answer = fetch(gallery.server, gallery.link(f"/img/{image_id}", "w=9", expires=time.time() + 100))
    match = re.fullmatch(r"public, max-age=(\d+)", answer.headers["cache-control"])
    assert match is not None
    assert 40 <= int(match[1]) <= 100
    long = fetch(gallery.server, gallery.link(f"/img/{image_id}", "w=9", expires=time.time() + 10**7))
    assert long.headers["cache-control"] == "public, max-age=86400"


def test_no_options_give_a_normalised_image(gallery: Gallery) -> None:
    gallery.put("turned.jpg", images.jpeg_oriented(6, (80, 60)))
    picture = gallery.get("/img/img-links/turned.jpg").picture
    assert (picture.format, picture.size) == ("JPEG", (80, 60))
    assert not picture.getexif()
    red, green, blue = (picture.getpixel(at) for at in ((9, 9), (70, 9), (9, 50)))
    assert [max(range(3), key=colour.__getitem__) for colour in (red, green, blue)] == [0, 1, 2]  # type: ignore[union-attr]


def test_every_format_that_comes_in(gallery: Gallery) -> None:
    for name, make in images.ORDINARY.items():
        assert gallery.put(f"in.{name}", make()), name
        answer = gallery.get(f"/img/img-links/in.{name}", "w=32&f=png")
        assert answer.status == 200, name
        assert answer.picture.size[0] == 32


def test_limits_are_checked_before_anything_is_decoded(gallery: Gallery) -> None:
    gallery.put("bomb.png", images.png_bomb((12_000, 12_000)))
    answer = gallery.get("/img/img-links/bomb.png", "w=9")
    assert (answer.status, answer.code) == (413, "ImageTooLarge")
    gallery.put("heavy.jpg", images.jpeg() + bytes(20_000_001))
    answer = gallery.get("/img/img-links/heavy.jpg", "w=9")
    assert (answer.status, answer.code) == (413, "ImageTooLarge")
    assert gallery.get(PHOTO, "w=16000&up=1").code == "ResultTooLarge"
