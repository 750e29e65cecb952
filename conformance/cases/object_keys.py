"""Keys that are hard on clients and servers, through PutObject, GetObject, listings and DeleteObject."""

from __future__ import annotations

from conformance.case import GUIDE, case
from conformance.probe import Probe
from conformance.sigv4 import encode
from conformance.verdict import equal

_KEYS = GUIDE + "object-keys.html"

HARD_KEYS = (
    "with space",
    " leading and trailing ",
    "plus+plus",
    "per%cent",
    "per%20cent",
    "%2F",
    "a//b",
    "/leading",
    "//",
    "a/../b",
    "..",
    "../up",
    "./here",
    ".",
    "trailing/",
    "question?mark",
    "hash#hash",
    "amper&sand=equals",
    "semi;colon,comma:@$!*'()",
    "quote\"and'<less>&more;",
    "back\\slash",
    "[brackets]{braces}|^`~",
    "caf\u00e9",
    "cafe\u0301",
    "日本語/写真",
    "\U0001f600\U0001f468\u200d\U0001f469",
    "tab\there",
    "api",
    "api/v1",
    "img/x",
    "ui/",
    "livez",
    "?versioning",
    "uploads",
)


@case("PutObject", _KEYS)
def every_key_comes_back(probe: Probe) -> None:
    """Spaces, `+`, `%`, `//`, `..`, control characters and any Unicode are parts of a key like all others."""
    bucket = probe.bucket()
    for key in HARD_KEYS:
        probe.send("PUT", bucket, key, body=key.encode()).succeeded()
    for key in HARD_KEYS:
        equal(probe.send("GET", bucket, key).succeeded().body, key.encode(), f"body of {key!r}")
        probe.send("HEAD", bucket, key).succeeded()
    equal(probe.keys(bucket), sorted(HARD_KEYS, key=str.encode), "keys in order of their bytes")
    for key in HARD_KEYS:
        probe.send("DELETE", bucket, key).succeeded(204)
    equal(probe.keys(bucket), [], "keys left")


@case("PutObject", _KEYS)
def beside_its_own_prefix(probe: Probe) -> None:
    """`a`, `a/` and `a/b` are three objects."""
    bucket = probe.bucket()
    for key in ("a", "a/", "a/b", "a/b/c"):
        probe.put(bucket, key, key.encode())
    for key in ("a", "a/", "a/b", "a/b/c"):
        equal(probe.body(bucket, key), key.encode(), f"body of {key}")
    probe.s3.delete_object(Bucket=bucket, Key="a/")
    equal(probe.keys(bucket), ["a", "a/b", "a/b/c"], "keys")


@case("PutObject", _KEYS)
def encoding_of_the_path_does_not_matter(probe: Probe) -> None:
    """A key may be sent with more characters escaped than needed: `%61` is `a`, `%2F` is `/`, `+` is itself."""
    bucket = probe.bucket()
    probe.put(bucket, "a/b+c", b"one key")
    canonical = probe.path(bucket, "a/b+c")
    signed = probe.signed_headers("GET", canonical)
    for raw in (f"/{bucket}/%61/b%2Bc", f"/{bucket}/a/b%2bc"):
        equal(probe.exchange("GET", raw, [], signed).succeeded().body, b"one key", f"body of {raw}")


@case("GetObject", _KEYS)
def keys_in_the_query_style_of_plus(probe: Probe) -> None:
    """`+` in a path is a plus sign, never a space."""
    bucket = probe.bucket()
    probe.put(bucket, "a+b", b"plus")
    probe.put(bucket, "a b", b"space")
    equal(probe.send("GET", raw_path=f"/{bucket}/a{encode('+')}b").body, b"plus", "body of a%2Bb")
    equal(probe.send("GET", raw_path=f"/{bucket}/a%20b").body, b"space", "body of a%20b")
