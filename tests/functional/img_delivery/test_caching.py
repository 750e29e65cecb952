"""What browsers, scripts and shared caches are told, and links bound to a page or a network."""

from __future__ import annotations

import re
import time

from signing.image_link import raw_link_key, sign_link
from signing.link_bindings import parse_bindings
from tests.functional.beside import set_images
from tests.functional.imaging import CHROME, Gallery, fetch
from tests.functional.img_delivery.delivery import (
    CAT,
    PHOTO,
    bucket,
    command,
    configure,
    new_keys,
    presigned,
    sign,
)
from tests.services import Server


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
