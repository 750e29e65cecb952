"""What a bucket says of its images: kept as JSON, and read as the names of views."""

from __future__ import annotations

import json
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.metadata import bucket_images
from gateway.model.buckets import BucketImages
from gateway.services.bucket_images import view_readings

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@given(
    st.builds(
        BucketImages,
        presets=st.dictionaries(TEXT, TEXT, max_size=3),
        only_presets=st.booleans(),
        max_width=st.none() | st.integers(1, 16384),
        fallback=st.none() | TEXT,
        renditions=st.lists(TEXT, max_size=3).map(tuple),
        exif=st.booleans(),
        raw=st.booleans(),
        cors=st.lists(TEXT, max_size=3).map(tuple),
        purge=st.booleans(),
    )
)
def test_what_is_stored_comes_back(images: BucketImages) -> None:
    assert bucket_images.load(bucket_images.dump(images)) == images


def test_only_what_is_unusual_is_stored() -> None:
    assert bucket_images.dump(BucketImages()) is None
    assert json.loads(bucket_images.dump(BucketImages(cors=(), purge=True)) or "") == {"cors": [], "purge": True}
    assert bucket_images.load('{"purge":true,"of a later version":5}') == BucketImages(purge=True)
    assert {field.name for field in fields(BucketImages)} == set(bucket_images._NAMES)


@pytest.mark.parametrize(
    ("images", "bits"),
    [
        (BucketImages(presets={"a": "w:1"}, exif=True), 0),
        (BucketImages(renditions=("w:1",)), bucket_images.RENDITIONS),
        (BucketImages(purge=True), bucket_images.PURGES),
        (BucketImages(renditions=("w:1",), purge=True), bucket_images.RENDITIONS | bucket_images.PURGES),
    ],
)
def test_what_a_bucket_watches(images: BucketImages, bits: int) -> None:
    assert bucket_images.watched(images) == bits


@pytest.mark.parametrize(
    ("name", "readings"),
    [
        ("photos", []),
        ("photos-card", []),
        ("photos--card", [("photos", "card")]),
        ("a--b--c", [("a--b", "c"), ("a", "b--c")]),
        ("photos---card", [("photos-", "card"), ("photos", "-card")]),
        ("--card", []),
        ("photos--", []),
    ],
)
def test_names_of_views(name: str, readings: list[tuple[str, str]]) -> None:
    assert view_readings(name) == readings
