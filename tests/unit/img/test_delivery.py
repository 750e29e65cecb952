"""Headers that do not depend on pixels."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from gateway.img.delivery import CachePolicy, TagHeaders, cors
from gateway.model.accounts import Account
from gateway.model.buckets import Bucket, BucketImages, Versioning
from gateway.services.cache_tags import CacheTags

POLICY = CachePolicy(id_age=86_400, key_age=60)
SHARED = CachePolicy(id_age=86_400, key_age=60, shared_age=604_800, stale_age=3_600)


@pytest.mark.parametrize(
    ("policy", "by_id", "public", "pinned", "left", "value"),
    [
        (POLICY, True, True, False, None, "public, max-age=86400"),
        (POLICY, False, True, False, None, "public, max-age=60"),
        (POLICY, False, False, False, None, "private, max-age=60"),
        (POLICY, True, True, False, 100, "public, max-age=100"),
        (POLICY, True, True, False, -5, "public, max-age=0"),
        (POLICY, False, True, True, None, "public, max-age=31536000, immutable"),
        (POLICY, False, True, True, 100, "public, max-age=100, immutable"),
        (POLICY, False, False, True, None, "private, max-age=31536000, immutable"),
        (SHARED, False, True, False, None, "public, max-age=60, s-maxage=604800, stale-while-revalidate=3600"),
        (SHARED, True, True, False, 1000, "public, max-age=1000, s-maxage=1000"),
        (SHARED, False, True, False, 604_900, "public, max-age=60, s-maxage=604800, stale-while-revalidate=100"),
        (SHARED, True, True, False, 100_000, "public, max-age=86400, s-maxage=100000"),
        (SHARED, False, False, False, None, "private, max-age=60"),
        (CachePolicy(10, 5, stale_age=7), True, True, False, 12, "public, max-age=10, stale-while-revalidate=2"),
        (CachePolicy(10, 5, shared_age=0), True, True, False, None, "public, max-age=10, s-maxage=0"),
    ],
)
def test_cache_control(
    policy: CachePolicy, by_id: bool, public: bool, pinned: bool, left: int | None, value: str
) -> None:
    assert policy.header(by_id=by_id, public=public, pinned=pinned, left=left) == value


def test_shared_caches_keep_no_longer_what_they_are_not_told_of() -> None:
    assert SHARED.header(by_id=False, public=True, told=False) == "public, max-age=60, stale-while-revalidate=3600"
    assert SHARED.header(by_id=False, public=True, pinned=True, told=False) == "public, max-age=31536000, immutable"


def bucket(**images: object) -> Bucket:
    owner = Account(1, "ann", "c", enabled=True, created_ms=0)
    made = Bucket(7, "photos", owner, "us-east-1", Versioning.UNVERSIONED, 0)
    return replace(made, images=BucketImages(**images))  # type: ignore[arg-type]


def test_origins() -> None:
    headers, varies = cors(bucket(), "https://a.test")
    assert dict(headers)["Access-Control-Allow-Origin"] == "*"
    assert not varies
    assert cors(bucket(), None) == (headers, False), "the same for everybody, so that caches need not ask who"
    named = bucket(cors=("https://a.test",))
    headers, varies = cors(named, "https://a.test")
    assert dict(headers)["Access-Control-Allow-Origin"] == "https://a.test"
    assert varies
    assert cors(named, "https://A.test") == cors(named, "null") == cors(named, None) == ((), True)
    assert cors(bucket(cors=()), "https://a.test") == ((), False)


def test_tags() -> None:
    tags, other = CacheTags(b"s" * 32), CacheTags(b"t" * 32)
    assert re.fullmatch(r"b[\w-]{16}", tags.of_bucket(7))
    assert re.fullmatch(r"o[\w-]{16}", tags.of_object(7, b"cat.jpg"))
    distinct = {tags.of_object(1, b"2 x"), tags.of_object(12, b"x"), tags.of_object(1, b"x"), other.of_object(1, b"x")}
    assert len(distinct) == 4
    assert tags.of_bucket(7) != other.of_bucket(7)
    names = {mode: [name for name, _ in TagHeaders(tags, mode).of((7, b"x"))] for mode in MODES}
    assert names == MODES
    assert not TagHeaders(tags, "off")
    both = dict(TagHeaders(tags, "both").of((7, b"x"), (7, b"y"), (7, b"x")))
    wanted = [tags.of_bucket(7), tags.of_object(7, b"x"), tags.of_object(7, b"y")]
    assert both == {"Surrogate-Key": " ".join(wanted), "Cache-Tag": ",".join(wanted)}


MODES = {
    "off": [],
    "surrogate-key": ["Surrogate-Key"],
    "cache-tag": ["Cache-Tag"],
    "both": ["Surrogate-Key", "Cache-Tag"],
}
