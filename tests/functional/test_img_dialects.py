"""URLs of imgproxy, thumbor and imagor over a real server: the same bytes as our own URLs, under their own signatures."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from click.testing import CliRunner

from conformance.target import Keys
from gateway.cli import pixgate
from tests import images
from tests.functional.imaging import CHROME, Answer, Gallery, fetch
from tests.services import Server, environment_of, running, stand_on

KEY, SALT = bytes(range(32)), b"some salt"
OLD_KEY, OLD_SALT = b"an old key", b"and its salt"
SECRET = "a secret: with a colon"
BUCKET = "dialects"
IMGPROXY, THUMBOR, IMAGOR = "img.example.org", "thumbs.example.org", "imagor.example.org"


def imgproxy(path: str, key: bytes = KEY, salt: bytes = SALT) -> str:
    """An imgproxy URL, signed as its documentation says and not by our code."""
    digest = hmac.new(key, salt + path.encode(), hashlib.sha256).digest()
    return "/" + base64.urlsafe_b64encode(digest).decode().rstrip("=") + path


def thumbor(path: str, secret: str = SECRET) -> str:
    """A thumbor URL, likewise."""
    digest = hmac.new(secret.encode(), path.encode(), hashlib.sha1).digest()
    return "/" + base64.urlsafe_b64encode(digest).decode() + "/" + path


def command(data: Path, *arguments: str, code: int = 0) -> str:
    """What a command prints that runs in this process, which is quicker than starting one."""
    environment: dict[str, str | None] = dict(environment_of(data))
    result = CliRunner().invoke(pixgate, [*arguments, "--data", str(data)], env=environment)
    assert result.exit_code == code, result.output
    return result.stdout


def new_keys(data: Path, *options: str) -> Keys:
    made = json.loads(command(data, "keys", "create", "--account", f"{BUCKET}-owner", "--json", *options))
    return Keys(made["access_key"], made["secret_key"])


@dataclass(frozen=True, slots=True)
class Site:
    gallery: Gallery
    dialect_key: Keys

    def ask(self, host: str, target: str, headers: dict[str, str] | None = None) -> Answer:
        return fetch(self.gallery.server, target, {"Host": host, **(headers or {})})

    def native(self, query: str, key: str = "at sea/a+b 1.jpg", headers: dict[str, str] | None = None) -> Answer:
        return self.gallery.get(f"/img/{BUCKET}/{key}", query, headers)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    data = tmp_path_factory.mktemp("dialects") / "data"
    data.mkdir()
    owner, key = new_keys(data), new_keys(data, "--links")
    old = new_keys(data, "--links", "--bucket", BUCKET, "--prefix", "at sea/")
    environment = {
        "PIXGATE_DIALECTS": "imgproxy,thumbor",
        "PIXGATE_DIALECT_HOSTS": f"{IMGPROXY}=imgproxy;{THUMBOR}=thumbor;{IMAGOR}=imagor",
        "PIXGATE_IMGPROXY_KEYS": f"{OLD_KEY.hex()}:{OLD_SALT.hex()}:{old.access_key},{KEY.hex()}:{SALT.hex()}:{key.access_key}",
        "PIXGATE_THUMBOR_KEYS": f"{SECRET}:{key.access_key}",
        "PIXGATE_SOURCE_MAP": f"https://origin.example.com/media/={BUCKET}/at sea;={BUCKET}",
        "PIXGATE_IMGPROXY_PRESETS": "card=rs:fill:120:80:1/q:60",
        "PIXGATE_IMGPROXY_WATERMARK": f"{BUCKET}/mark.png",
    }
    # Commands on this folder have the same settings.
    stand_on(data, environment_of(data) | environment)
    with running(Server(data, workers=1)) as server:
        gallery = Gallery.__new__(Gallery)
        gallery.server, gallery.name, gallery.keys, gallery.links = server, BUCKET, owner, key
        gallery.client = server.client(owner, signature_version="s3v4")
        gallery.client.create_bucket(Bucket=BUCKET)
        gallery.put("at sea/a+b 1.jpg", images.jpeg((900, 600)))
        gallery.put("other.jpg", images.jpeg((90, 60), seed=3))
        gallery.put("mark.png", images.png((40, 20)))
        yield Site(gallery, key)


SOURCE = f"s3://{BUCKET}/at%20sea/a+b%201.jpg"
BASE64 = base64.urlsafe_b64encode(f"s3://{BUCKET}/at sea/a+b 1.jpg".encode()).decode()

SAME_BYTES = {
    f"/rs:fill:300:300:1/g:no/plain/{SOURCE}@webp": "w=300&h=300&fit=cover&up=1&g=n&f=webp",
    f"/w:300/plain/{SOURCE}": "w=300",
    f"/s:200:100/plain/local:///{BUCKET}/at%20sea/a+b%201.jpg@png": "w=200&h=100&f=png",
    "/w:150/dpr:2/plain/https://origin.example.com/media/a+b%25201.jpg": "w=300",
    f"/w:100/bl:2/q:55/{BASE64}.jpg": "w=100&blur=2&q=55&f=jpeg",
    f"/w:100/{BASE64[:7]}/{BASE64[7:30]}/{BASE64[30:].rstrip('=')}": "w=100",
    f"/pr:card/plain/{SOURCE}": "w=120&h=80&fit=cover&up=1&q=60",
    f"/c:0.5:0.5:soea/rot:90/pd:5/bg:ff0000/w:90/plain/{SOURCE}": "crop=0.5:0.0:0.5:0.5&rotate=90&pad=5&bg=ff0000&w=90",
    f"/rs:auto:200:100/c:400:300:soea:10:10/plain/{SOURCE}": "crop=se:10:10:400:300&w=200&h=100&fit=auto",
    f"/w:200/wm:0.5:soea:5:5:0.25/plain/{SOURCE}": f"w=200&wm={BUCKET}/mark.png&wm-g=se:5:5&wm-scale=0.25&wm-opacity=0.5",
}


@pytest.mark.parametrize("path", SAME_BYTES)
def test_imgproxy_gives_the_bytes_of_our_own_url(site: Site, path: str) -> None:
    theirs, ours = site.ask(IMGPROXY, imgproxy(path)), site.native(SAME_BYTES[path])
    assert theirs.status == ours.status == 200, (theirs.body, ours.body)
    assert theirs.headers["etag"] == ours.headers["etag"]
    assert theirs.body == ours.body


THUMBOR_SAME = {
    "300x200/at%20sea/a+b%201.jpg": "w=300&h=200&fit=cover&up=1",
    "fit-in/300x300/filters:format(webp):quality(50)/at%20sea/a+b%201.jpg": "w=300&h=300&f=webp&q=50",
    "10x20:410x320/-200x0/https://origin.example.com/media/a+b%25201.jpg": "crop=10:20:400:300&w=200&flip=h&up=1",
    "adaptive-fit-in/100x200/at%20sea/a+b%201.jpg": "w=100&h=200&fit=adaptive",
    "100x100/filters:focal(800x100:900x200)/at%20sea/a+b%201.jpg": "w=100&h=100&fit=cover&up=1&g=fp:850:150",
    "200x100/left/top/filters:grayscale():brightness(20)/at%20sea/a+b%201.jpg": (
        "w=200&h=100&fit=cover&up=1&g=nw&gray=1&brightness=20"
    ),
}


@pytest.mark.parametrize("path", THUMBOR_SAME)
def test_thumbor_gives_the_bytes_of_our_own_url(site: Site, path: str) -> None:
    theirs, ours = site.ask(THUMBOR, thumbor(path)), site.native(THUMBOR_SAME[path])
    assert theirs.status == ours.status == 200, (theirs.body, ours.body)
    assert theirs.body == ours.body


def test_imagor_at_its_host(site: Site) -> None:
    path = "fit-in/200x200/filters:fill(navy):watermark(mark.png,right,bottom,50):blur(4)/at%20sea/a+b%201.jpg"
    theirs = site.ask(IMAGOR, thumbor(path) + "?v=7")
    ours = site.native(f"w=200&h=200&extend=1&bg=000080&wm={BUCKET}/mark.png&wm-g=se&wm-opacity=0.5&blur=2")
    assert theirs.status == ours.status == 200, (theirs.body, ours.body)
    assert theirs.body == ours.body


def test_dialects_below_their_prefixes(site: Site) -> None:
    path = f"/w:100/plain/{SOURCE}"
    answer = fetch(site.gallery.server, "/imgproxy" + imgproxy(path))
    assert answer.status == 200, answer.body
    assert answer.body == site.native("w=100").body
    assert fetch(site.gallery.server, "/thumbor" + thumbor("100x0/at%20sea/a+b%201.jpg")).status == 200


def test_the_host_of_a_target_in_absolute_form_says_the_dialect(site: Site) -> None:
    path = imgproxy(f"/w:100/plain/{SOURCE}")
    assert site.ask("other.example", f"http://{IMGPROXY}{path}").body == site.ask(IMGPROXY, path).body
    assert site.ask(IMGPROXY, f"http://{THUMBOR}" + thumbor("100x0/at%20sea/a+b%201.jpg")).status == 200


def test_what_is_too_long_below_a_prefix_is_refused_as_images_are(site: Site) -> None:
    answer = fetch(site.gallery.server, "/imgproxy" + imgproxy("/w:100/plain/" + "a" * 17_000))
    assert (answer.status, answer.code) == (414, "UriTooLong")


def test_a_proxy_may_make_two_slashes_one(site: Site) -> None:
    signed = imgproxy(f"/w:100/plain/{SOURCE}").replace("s3://", "s3:/")
    assert site.ask(IMGPROXY, signed).status == 200


def test_the_format_follows_accept_only_where_that_is_set(site: Site) -> None:
    answer = site.ask(IMGPROXY, imgproxy(f"/w:100/plain/{SOURCE}"), {"Accept": CHROME})
    assert answer.headers["content-type"] == "image/jpeg"
    assert "vary" not in answer.headers


def test_what_does_not_hold_looks_the_same(site: Site) -> None:
    path = f"/w:100/plain/{SOURCE}"
    past = int(time.time()) - 5
    refused = {
        "another path": imgproxy(path).replace("w:100", "w:101"),
        "cut": imgproxy(path)[:20] + path,
        "another salt": imgproxy(path, salt=b"pepper"),
        "unsigned": "/unsafe" + path,
        "unsigned, no such key": f"/unsafe/w:100/plain/s3://{BUCKET}/none",
        "unsigned, no such bucket": "/unsafe/w:100/plain/s3://no-such-bucket/none",
        "expired": imgproxy(f"/w:100/exp:{past}/plain/{SOURCE}"),
        "beyond the prefix": imgproxy(f"/w:10/plain/s3://{BUCKET}/other.jpg", OLD_KEY, OLD_SALT),
        "text for a signature": "/%00%ff" + path,
    }
    answers = {name: site.ask(IMGPROXY, target) for name, target in refused.items()}
    answers["thumbor"] = site.ask(THUMBOR, thumbor("100x100/at%20sea/a+b%201.jpg", "wrong"))
    answers["thumbor, unsigned"] = site.ask(THUMBOR, "/unsafe/100x100/at%20sea/a+b%201.jpg")
    assert {name: answer.status for name, answer in answers.items()} == dict.fromkeys(answers, 403)
    assert len({answer.body for answer in answers.values()}) == 1
    assert site.ask(IMGPROXY, imgproxy(path, OLD_KEY, OLD_SALT)).status == 200, "several keys hold at once"
    assert site.ask(IMGPROXY, imgproxy(f"/w:100/exp:{past + 600}/plain/{SOURCE}")).status == 200


def test_unsigned_urls_have_the_ladder_of_an_open_bucket(site: Site) -> None:
    client = site.gallery.client
    client.create_bucket(Bucket="dialects-open")
    client.put_object(Bucket="dialects-open", Key="a.jpg", Body=images.jpeg((900, 600)))
    command(site.gallery.server.data, "buckets", "set", "dialects-open", "--images", "public", "--ladder", "100,200")
    source = "plain/s3://dialects-open/a.jpg"
    assert site.ask(IMGPROXY, f"/insecure/w:100/dpr:2/{source}@webp").picture.size == (200, 133)
    assert site.ask(IMGPROXY, f"/unsafe/w:101/{source}").code == "NotOnLadder"
    assert site.ask(IMGPROXY, f"/unsafe/w:100/bl:2/{source}").code == "NotOnLadder"
    assert site.ask(IMGPROXY, f"/unsafe/w:100/exp:1/{source}").code == "AccessDenied"


def test_what_is_not_supported_is_named(site: Site) -> None:
    for host, target, name in (
        (IMGPROXY, f"/unsafe/w:100/nope:1/plain/{SOURCE}", "nope"),
        (IMGPROXY, f"/unsafe/gradient:1/plain/{SOURCE}", "gradient"),
        (IMGPROXY, f"/unsafe/w:100/plain/{SOURCE}@psd", "format"),
        (THUMBOR, "/unsafe/100x100/filters:rgb(1,2,3)/a.jpg", "rgb"),
        (THUMBOR, "/unsafe/meta/100x100/a.jpg", "meta"),
    ):
        answer = site.ask(host, target)
        assert answer.status == 400, target
        assert json.loads(answer.body)["error"]["option"] == name
    elsewhere = "/w:100/plain/https://elsewhere.example.com/a.jpg"
    assert site.ask(IMGPROXY, imgproxy(elsewhere)).status == 404
    assert site.ask(IMGPROXY, "/unsafe" + elsewhere).status == 403, "strangers do not learn which sources there are"


def test_a_name_to_save_as(site: Site) -> None:
    answer = site.ask(IMGPROXY, imgproxy(f"/w:100/att:1/fn:{quote('at sea')}/plain/{SOURCE}@webp"))
    assert answer.status == 200, answer.body
    assert answer.headers["content-disposition"].startswith("attachment")
    assert (
        "at sea.webp" in answer.headers["content-disposition"]
        or "at%20sea.webp" in answer.headers["content-disposition"]
    )


def test_a_key_that_is_switched_off_ends_its_urls_at_the_next_request(site: Site) -> None:
    target = imgproxy(f"/w:60/plain/{SOURCE}")
    assert site.ask(IMGPROXY, target).status == 200
    command(site.gallery.server.data, "keys", "disable", site.dialect_key.access_key)
    try:
        assert site.ask(IMGPROXY, target).status == 403
    finally:
        command(site.gallery.server.data, "keys", "enable", site.dialect_key.access_key)
    assert site.ask(IMGPROXY, target).status == 200


def test_probes_are_answered_at_every_host(site: Site) -> None:
    assert site.ask(IMGPROXY, "/livez").status == 200
    assert site.ask(IMGPROXY, "/").status == 404
    assert site.ask(IMGPROXY + ":8080", imgproxy(f"/w:100/plain/{SOURCE}")).status == 200


def test_no_secret_reaches_the_log(site: Site) -> None:
    site.ask(IMGPROXY, imgproxy(f"/w:100/plain/{SOURCE}"))
    log = site.gallery.server.log.read_text()
    assert SECRET not in log
    assert KEY.hex() not in log
    assert imgproxy(f"/w:100/plain/{SOURCE}").split("/")[1] not in log


def explained(site: Site, url: str) -> Answer:
    return fetch(site.gallery.server, "/img/-/explain?url=" + quote(url, safe=""))


def test_explain_tells_those_whose_url_holds_how_it_was_read(site: Site) -> None:
    answer = explained(site, f"https://{IMGPROXY}" + imgproxy(f"/w:150/dpr:2/plain/{SOURCE}@webp"))
    assert answer.status == 200, answer.body
    assert json.loads(answer.body) == {
        "dialect": "imgproxy",
        "source": f"s3://{BUCKET}/at sea/a+b 1.jpg",
        "bucket": BUCKET,
        "key": "at sea/a+b 1.jpg",
        "options": {"w": "300", "f": "webp"},
        "signature": "holds",
        "canonical": "f:webp,w:300",
        "refused": None,
    }
    native = explained(site, site.gallery.link(f"/img/{BUCKET}/other.jpg", "width=30"))
    assert json.loads(native.body)["canonical"] == "w:30"
    gone = json.loads(explained(site, "/thumbor" + thumbor("100x100/none.jpg")).body)
    assert gone["refused"]["code"] == "NotFound"


def test_explain_is_no_oracle(site: Site) -> None:
    urls = {
        "unsigned": f"https://{IMGPROXY}/unsafe/w:100/plain/{SOURCE}",
        "wrong": f"https://{IMGPROXY}" + imgproxy(f"/w:100/plain/{SOURCE}", b"guess"),
        "no such bucket": f"https://{IMGPROXY}/unsafe/w:100/plain/s3://no-such-bucket/a",
        "native": f"/img/{BUCKET}/other.jpg?w=30",
        "thumbor": "/thumbor" + thumbor("100x100/none.jpg", "guess"),
    }
    answers = {name: explained(site, url) for name, url in urls.items()}
    assert {name: answer.status for name, answer in answers.items()} == dict.fromkeys(urls, 403)
    assert len({answer.body for answer in answers.values()}) == 1
    # What anybody learns from a GET of it.
    told = json.loads(explained(site, f"https://{IMGPROXY}/unsafe/nope:1/plain/{SOURCE}").body)
    assert told["refused"]["option"] == "nope"
    assert "bucket" not in told
    assert fetch(site.gallery.server, "/img/-/explain").status == 400


def test_explain_answers_whoever_signs_the_request(site: Site) -> None:
    path = "/img/-/explain?url=" + quote(f"https://{IMGPROXY}/unsafe/w:100/plain/{SOURCE}", safe="")
    request = AWSRequest("GET", site.gallery.server.url + path)
    keys = site.gallery.keys
    S3SigV4Auth(Credentials(keys.access_key, keys.secret_key), "s3", "us-east-1").add_auth(request)
    answer = fetch(site.gallery.server, path, dict(request.headers.items()))
    assert answer.status == 200, answer.body
    told = json.loads(answer.body)
    assert told["signature"] == "none"
    assert told["refused"]["code"] == "AccessDenied"


def test_the_command_line_explains_why_a_signature_does_not_hold(site: Site) -> None:
    url = f"https://{IMGPROXY}" + imgproxy(f"/w:100/plain/{SOURCE}", b"guess")
    told = json.loads(command(site.gallery.server.data, "explain", url, "--json", code=1))
    assert told["key"] == "at sea/a+b 1.jpg"
    assert told["signature"] == "made with none of the keys in the settings, or over another path"
    assert told["bucket_state"] == f"of the account {BUCKET}-owner, private"
    assert told["refused"]["code"] == "AccessDenied"


def test_strange_bytes_in_the_path_are_answered(site: Site) -> None:
    parts = urlsplit(site.gallery.server.url)
    for host in (IMGPROXY, THUMBOR, IMAGOR):
        for target in ("/unsafe/%", "/unsafe/plain/%ff", "//", "/unsafe//", "/unsafe/" + "a/" * 2000, "/unsafe/:::/x"):
            connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
            try:
                connection.request("GET", target, headers={"Host": host})
                response = connection.getresponse()
                response.read()
                assert 400 <= response.status < 500, (host, target, response.status)
            finally:
                connection.close()


def test_what_is_no_http_is_refused_in_the_words_of_the_host(site: Site) -> None:
    where = urlsplit(site.gallery.server.url)
    for lines, kind in (
        (f"GET /api/v1/images HTTP/1.1\r\nHost: {IMGPROXY}\r\nContent-Length: -1", "json"),
        (f"GET /signature/plain/a HTTP/1.1\r\nHost: {THUMBOR}:80\r\nX-Large: {'x' * 17_000}", "json"),
        # Where the host cannot be read, the path alone tells.
        (f"GET /signature/plain/a HTTP/1.1\r\nX-Large: {'x' * 17_000}\r\nHost: {THUMBOR}", "xml"),
        ("GET /imgproxy/signature/plain/a HTTP/1.1\r\nContent-Length: -1", "json"),
    ):
        with socket.create_connection((where.hostname or "", where.port or 0), timeout=60) as line:
            line.sendall(lines.encode() + b"\r\n\r\n")
            answer = b""
            while piece := line.recv(65536):
                answer += piece
        assert answer.startswith(b"HTTP/1.1 4"), answer
        assert f"Content-Type: application/{kind}".encode() in answer, answer
        assert (b'{"error": {"code": "' in answer) == (kind == "json")
