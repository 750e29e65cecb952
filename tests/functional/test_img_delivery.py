"""How pictures are handed out: presets, paths, versions, downloads, stored bytes, fallbacks, ranges, caches and CDNs."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Iterator
from urllib.parse import quote, urlsplit

import pytest
from click.testing import CliRunner

from conformance.target import Keys
from gateway.cli import pixgate
from signing.image_link import raw_link_key, sign_link
from signing.link_bindings import parse_bindings
from tests import images
from tests.functional.beside import set_images
from tests.functional.imaging import CHROME, Answer, Gallery, fetch
from tests.services import Server, environment_of, running, stand_on

CDN = "https://cdn.example.test"
PHOTO = images.jpeg((900, 600))
SETTINGS = {
    "PIXGATE_IMAGE_PRESETS": "tiny=w:40;small=w:60,f:png;logo=w:80,wm:branding/logo.png",
    "PIXGATE_IMAGE_FALLBACK": "branding/none.png",
    "PIXGATE_IMAGE_CACHE_TAGS": "both",
    "PIXGATE_IMAGE_SHARED_MAX_AGE": "86400",
    "PIXGATE_IMAGE_STALE_MAX_AGE": "600",
    "PIXGATE_CDN_URL": CDN,
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    data = tmp_path_factory.mktemp("delivery") / "data"
    # Commands on this folder, such as `pixgate sign`, have the same settings.
    stand_on(data, environment_of(data) | SETTINGS)
    with running(Server(data, workers=1)) as started:
        yield started


@pytest.fixture(scope="module")
def branding(server: Server) -> Gallery:
    """An account whose pictures the settings name."""
    made = bucket(server, "branding")
    made.put("logo.png", images.png((40, 20)))
    made.put("none.png", images.png((200, 100), seed=3))
    return made


@pytest.fixture(scope="module")
def gallery(server: Server, branding: Gallery) -> Gallery:
    made = bucket(server, "delivered")
    made.put("cat.jpg", PHOTO)
    made.put("a/b_c, d.jpg", images.jpeg((300, 200), seed=2))
    return made


@pytest.fixture(scope="module")
def image_id(gallery: Gallery) -> str:
    return gallery.put("by-id.jpg", images.jpeg((900, 600), seed=5))


@pytest.fixture(scope="module")
def shown(server: Server, branding: Gallery) -> Gallery:
    """A bucket that is open, with presets and an image for those that are missing."""
    made = bucket(server, "shown-to-all")
    made.put("cat.jpg", PHOTO)
    made.put("instead.png", images.png((300, 150), seed=9))
    made.put("broken.jpg", PHOTO[:9000])
    open_to_all(made, "100,200,300")
    configure(made, "--preset", "card=w:120,h:80,fit:cover", "--preset", "tiny=w:30", "--fallback", "instead.png")
    return made


def command(server: Server, *arguments: str) -> str:
    """What a command prints that runs in this process, which is quicker than starting one."""
    environment: dict[str, str | None] = dict(environment_of(server.data))
    result = CliRunner().invoke(pixgate, [*arguments, "--data", str(server.data)], env=environment)
    assert result.exit_code == 0, result.output
    return result.stdout


def new_keys(server: Server, account: str, *options: str) -> Keys:
    made = json.loads(command(server, "keys", "create", "--account", account, "--json", *options))
    return Keys(made["access_key"], made["secret_key"])


def bucket(server: Server, name: str) -> Gallery:
    """A bucket of an account of its own, as `Gallery` makes it."""
    made = Gallery.__new__(Gallery)
    made.server, made.name = server, name
    made.keys, made.links = new_keys(server, f"{name}-owner"), new_keys(server, f"{name}-owner", "--links")
    made.client = server.client(made.keys, signature_version="s3v4")
    made.client.create_bucket(Bucket=name)
    return made


def open_to_all(gallery: Gallery, ladder: str | None = None) -> None:
    configure(gallery, "--images", "public", *(() if ladder is None else ("--ladder", ladder)))


def configure(gallery: Gallery, *options: str) -> None:
    command(gallery.server, "buckets", "set", gallery.name, *options)


def raw_get(server: Server, url: str, **headers: str) -> Answer:
    """The answer to a URL that the server gave out, whatever address it begins with."""
    parts = urlsplit(url)
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return fetch(server, parts.path + (f"?{parts.query}" if parts.query else ""), given)


CAT = "/img/delivered/cat.jpg"


# --- forms of URLs


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


def sign(gallery: Gallery, path: str, pairs: list[tuple[str, str]], **more: object) -> str:
    key = raw_link_key(gallery.links.secret_key)
    expires = int(time.time()) + 600
    return sign_link(path, pairs, key_id=gallery.links.access_key, key=key, expires=expires, **more)  # type: ignore[arg-type]


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


# --- presets


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


def presigned(gallery: Gallery, path: str, query: str, **headers: str) -> Answer:
    from signing.sigv4.sign import Credentials, presign

    url = presign(
        Credentials(gallery.keys.access_key, gallery.keys.secret_key),
        method="GET", url=f"{gallery.server.url}{path}?{query}", now=time.time(), region="us-east-1", expires=60,
    )  # fmt: skip
    return raw_get(gallery.server, url, **headers)


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


# --- v=


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


# --- downloads and stored bytes


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


DRAWING = (
    b'<svg xmlns="http://www.w3.org/2000/svg" width="60" height="40" onload="alert(1)"><script>alert(2)</script>'
    b'<style>rect{fill:#0a0}</style><rect width="60" height="40"/></svg>'
)


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


# --- info and placeholder


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


# --- fallback


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


# --- watermarks


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


# --- ranges, CORS, caches


def test_ranges_of_renditions(gallery: Gallery) -> None:
    whole = gallery.get(CAT, "w=200")
    assert whole.headers["accept-ranges"] == "bytes"
    etag = whole.headers["etag"]
    part = gallery.get(CAT, "w=200", {"Range": "bytes=10-19"})
    assert (part.status, part.body, part.headers["etag"]) == (206, whole.body[10:20], etag)
    assert part.headers["content-range"] == f"bytes 10-19/{len(whole.body)}"
    assert gallery.get(CAT, "w=200", {"Range": "bytes=-5"}).body == whole.body[-5:]
    assert gallery.get(CAT, "w=200", {"Range": "bytes=10-19", "If-Range": etag}).status == 206
    for if_range in ('"other"', f"W/{etag}", "Wed, 21 Oct 2026 07:28:00 GMT"):
        assert gallery.get(CAT, "w=200", {"Range": "bytes=10-19", "If-Range": if_range}).body == whole.body
    assert gallery.get(CAT, "w=200", {"Range": "bytes=1-2,5-6"}).body == whole.body
    beyond = gallery.get(CAT, "w=200", {"Range": "bytes=99999999-"})
    assert (beyond.status, beyond.code) == (416, "InvalidRange")
    assert beyond.headers["content-range"] == f"bytes */{len(whole.body)}"
    assert beyond.headers["cache-control"] == "no-store"
    assert gallery.get(CAT, "w=200", {"Range": "bytes=0-1", "If-None-Match": etag}).status == 304


def test_scripts_of_other_origins(server: Server) -> None:
    gallery = bucket(server, "cors-bucket")
    gallery.put("x.jpg", PHOTO)
    url = gallery.link("/img/cors-bucket/x.jpg", "w=20&f=auto")
    everyone = fetch(server, url, {"Origin": "https://a.test"})
    assert everyone.headers["access-control-allow-origin"] == "*"
    assert everyone.headers["vary"] == "Accept"
    configure(gallery, "--cors", "https://a.test", "--cors", "https://b.test")
    named = fetch(server, url, {"Origin": "https://b.test"})
    assert named.headers["access-control-allow-origin"] == "https://b.test"
    assert named.headers["vary"] == "Accept, Origin"
    for headers in ({"Origin": "https://c.test"}, {}):
        other = fetch(server, url, headers)
        assert other.status == 200
        assert "access-control-allow-origin" not in other.headers
        assert other.headers["vary"] == "Accept, Origin"
    before = {fetch(server, target, {"Origin": "https://c.test", "Access-Control-Request-Method": "GET"}, method="OPTIONS")
              .headers.get("access-control-allow-methods") for target in (url, "/img/no-such/thing?zoom=1")}  # fmt: skip
    assert before == {"GET, HEAD"}
    assert fetch(server, url, method="OPTIONS").status == 204


def test_what_shared_caches_are_told(gallery: Gallery, image_id: str, shown: Gallery) -> None:
    server = gallery.server
    answer = fetch(server, "/img/shown-to-all/cat.jpg?w=100")
    assert answer.headers["cache-control"] == "public, max-age=60, s-maxage=86400, stale-while-revalidate=600"
    assert "vary" not in answer.headers
    negotiated = fetch(server, "/img/shown-to-all/cat.jpg?w=100&f=auto", {"Accept": CHROME})
    assert negotiated.headers["vary"] == "Accept"
    assert (
        fetch(server, "/img/shown-to-all/cat.jpg?w=100", {"If-None-Match": answer.headers["etag"]}).headers[
            "cache-control"
        ]
        == answer.headers["cache-control"]
    )
    # No cache shows a link longer than it holds.
    link = fetch(server, gallery.link(f"/img/{image_id}", "w=20", expires=time.time() + 100))
    ages = [int(age) for age in re.findall(r"(?:max-age|s-maxage|revalidate)=(\d+)", link.headers["cache-control"])]
    assert len(ages) >= 2
    assert max(ages) <= 100
    assert presigned(gallery, CAT, "w=20").headers["cache-control"] == "private, max-age=60"
    refused = fetch(server, f"{CAT}?w=20")
    assert refused.headers["cache-control"] == "no-store"
    assert "etag" not in refused.headers


def test_tags_name_bucket_and_object_without_telling(gallery: Gallery, image_id: str) -> None:
    by_key = gallery.get("/img/delivered/by-id.jpg", "w=20")
    by_id = gallery.get(f"/img/{image_id}", "w=30&f=webp")
    tags = by_key.headers["surrogate-key"].split(" ")
    assert by_id.headers["surrogate-key"].split(" ") == tags
    assert by_key.headers["cache-tag"].split(",") == tags
    assert [tag[0] for tag in tags] == ["b", "o"]
    other = gallery.get(CAT, "w=20").headers["surrogate-key"].split(" ")
    assert (other[0], other[1] == tags[1]) == (tags[0], False)
    marked = gallery.get(CAT, "w=20&wm=delivered/by-id.jpg").headers["surrogate-key"].split(" ")
    assert set(marked) == {*other, tags[1]}, "the watermark's object, too"
    assert "surrogate-key" not in presigned(gallery, CAT, "w=20").headers
    assert "surrogate-key" not in fetch(gallery.server, f"{CAT}?w=1").headers


def test_a_watermark_of_a_bucket_that_purges_nothing_shortens_what_cdns_keep(shown: Gallery, branding: Gallery) -> None:
    def kept(query: str) -> bool:
        return "s-maxage" in fetch(shown.server, f"/img/shown-to-all/cat.jpg?{query}").headers["cache-control"]

    assert kept("p=logo"), "nobody counts on purges"
    set_images(shown.server.data, shown.name, purge=True)
    assert kept("w=100")
    assert not kept("p=logo")
    set_images(shown.server.data, branding.name, purge=True)
    assert kept("p=logo")
    for gallery in (shown, branding):
        set_images(shown.server.data, gallery.name, purge=False)


# --- bound links and keys


def test_links_bound_to_a_page_or_a_network(gallery: Gallery) -> None:
    server = gallery.server
    page = sign(gallery, CAT, [("w", "20")], bindings=parse_bindings("shop.test,*.shop.test", None))
    good = fetch(server, page, {"Referer": "https://www.shop.test/cats?x=1"})
    assert good.status == 200
    assert good.headers["cache-control"].startswith("private, max-age=")
    assert "surrogate-key" not in good.headers
    refused = fetch(server, f"{CAT}?w=20").body
    for headers in ({}, {"Referer": "https://evil.test/"}, {"Referer": "https://evil.test/shop.test"}):
        answer = fetch(server, page, headers)
        assert (answer.status, answer.body) == (403, refused)
    here = sign(gallery, CAT, [("w", "20")], bindings=parse_bindings(None, "127.0.0.0/8,::1"))
    assert fetch(server, here).status == 200
    elsewhere = sign(gallery, CAT, [("w", "20")], bindings=parse_bindings(None, "203.0.113.0/24"))
    assert fetch(server, elsewhere, {"X-Forwarded-For": "203.0.113.5"}).body == refused, (
        "who is no proxy is not believed"
    )


def test_several_keys_are_valid_at_once(gallery: Gallery) -> None:
    server = gallery.server
    old, new = (new_keys(server, "delivered-owner", "--links") for _ in range(2))

    def link(keys: object) -> str:
        return sign_link(
            CAT, [("w", "22")], key_id=keys.access_key, key=raw_link_key(keys.secret_key), expires=int(time.time()) + 60  # type: ignore[attr-defined]
        )  # fmt: skip

    assert fetch(server, link(old)).body == fetch(server, link(new)).body
    command(server, "keys", "disable", old.access_key)
    assert fetch(server, link(old)).status == 403
    assert fetch(server, link(new)).status == 200


# --- pixgate sign, srcset, options


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
