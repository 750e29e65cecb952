"""What a derivative is called, before anything is rendered."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.errors import DiskFull
from gateway.model.buckets import Bucket
from gateway.model.contents import Content, Encryption
from gateway.model.objects import ObjectVersion
from gateway.render.client import RenderClient
from gateway.render.errors import BrokerUnavailable
from gateway.services import Services
from gateway.services.derivatives import Derivatives, _Source
from tests import images
from tests.data_folder import open_services, put
from transforms.errors import NotAnImage, OptionError, TooLarge
from transforms.limits import Limits
from transforms.options import parse_compact
from transforms.rendering import Rendering

AVIF = "image/avif,image/webp,*/*"


class Counts:
    """What was counted, in order."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def render(self, result: str) -> None:
        self.seen.append(result)

    def render_cache_hit(self, tier: str) -> None:
        self.seen.append(tier)


@pytest.fixture
def counts() -> Counts:
    return Counts()


@pytest.fixture
async def derivatives(services: Services, counts: Counts, tmp_path: Path) -> Derivatives:
    render = RenderClient(tmp_path / "none.sock", connect_seconds=0.05)
    return Derivatives(services.objects, services.stores, render, Limits(source_bytes=100_000), counts)


@pytest.fixture
async def version(services: Services, bucket: Bucket) -> ObjectVersion:
    await put(services, bucket, b"cat.jpg", images.jpeg((64, 48)))
    return await services.objects.get(bucket, b"cat.jpg")


def etag(derivatives: Derivatives, version: ObjectVersion, options: str, accept: str | None = None) -> str:
    return derivatives.plan(version, parse_compact(options), accept).etag


async def test_one_etag_for_one_picture(derivatives: Derivatives, version: ObjectVersion) -> None:
    name = etag(derivatives, version, "w:100,dpr:2")
    assert len(name) == 32
    assert name == etag(derivatives, version, "width:200") == etag(derivatives, version, "w:200,fit:cover")
    others = [etag(derivatives, version, options) for options in ("", "w:201", "w:200,f:webp", "w:200,q:5")]
    assert len({name, *others}) == 5


async def test_accept_counts_only_where_it_is_asked(derivatives: Derivatives, version: ObjectVersion) -> None:
    assert etag(derivatives, version, "w:9", AVIF) == etag(derivatives, version, "w:9")
    automatic = [etag(derivatives, version, "w:9,f:auto", accept) for accept in (AVIF, "image/webp", "*/*", None)]
    assert len(set(automatic)) == 3
    assert automatic[2] == automatic[3]
    assert automatic[0] == etag(derivatives, version, "w:9,f:auto", "text/html, image/avif;q=0.9, image/webp;q=0.8")


async def test_overwritten_and_copied(
    derivatives: Derivatives, services: Services, bucket: Bucket, version: ObjectVersion
) -> None:
    before = etag(derivatives, version, "w:9")
    await put(services, bucket, b"cat.jpg", images.jpeg((64, 48), seed=2))
    assert etag(derivatives, await services.objects.get(bucket, b"cat.jpg"), "w:9") != before
    # The very bytes of before, but another content: names are of contents, not of digests.
    await put(services, bucket, b"cat.jpg", images.jpeg((64, 48)))
    assert etag(derivatives, await services.objects.get(bucket, b"cat.jpg"), "w:9") != before


async def test_what_is_no_image_is_never_sent_to_be_rendered(
    derivatives: Derivatives, services: Services, bucket: Bucket
) -> None:
    for data in (b"", b"hello", b"<html><body>hello</body></html>"):
        await put(services, bucket, b"x", data, headers=(("content-type", "image/jpeg"),))
        with pytest.raises(NotAnImage):
            etag(derivatives, await services.objects.get(bucket, b"x"), "w:9")


async def test_too_many_bytes_are_refused_unread(derivatives: Derivatives, services: Services, bucket: Bucket) -> None:
    await put(services, bucket, b"x", images.jpeg((64, 48)) + bytes(100_000))
    with pytest.raises(TooLarge, match="source_bytes"):
        etag(derivatives, await services.objects.get(bucket, b"x"), "w:9")


async def test_what_only_its_owner_can_decrypt_is_never_rendered(
    derivatives: Derivatives, version: ObjectVersion
) -> None:
    assert version.content is not None
    sealed = replace(version, content=replace(version.content, encryption=Encryption.SSE_C))
    with pytest.raises(NotAnImage):
        derivatives.plan(sealed, parse_compact("w:9"), None)
    kept = replace(version, content=replace(version.content, encryption=Encryption.SSE_S3))
    assert derivatives.plan(kept, parse_compact("w:9"), None).etag == etag(derivatives, version, "w:9")


async def test_a_disk_that_is_nearly_full_stops_renders(
    services: Services, folder: Path, version: ObjectVersion, derivatives: Derivatives
) -> None:
    derivative = derivatives.plan(version, parse_compact("w:9"), None)
    async with open_services(folder, worker=False, min_free=1 << 53) as full:
        render = RenderClient(folder / "none.sock")
        source = _Source(Derivatives(full.objects, full.stores, render, Limits(), Counts()), derivative)
        with pytest.raises(DiskFull):
            await source.open()
        assert not source.opened
    source = _Source(derivatives, derivative)
    (segment,) = (await source.open()).segments
    assert source.opened
    assert isinstance(segment.file, int)
    os.close(segment.file)


async def test_without_a_broker_a_render_fails(
    derivatives: Derivatives, version: ObjectVersion, counts: Counts
) -> None:
    derivative = derivatives.plan(version, parse_compact("w:9"), None)
    assert derivatives.cached(derivative) is None
    with pytest.raises(BrokerUnavailable):
        await derivatives.render(derivative)
    assert counts.seen == ["failed"]


async def test_settings_of_rendering_are_part_of_the_name(
    derivatives: Derivatives, services: Services, version: ObjectVersion, tmp_path: Path
) -> None:
    render = RenderClient(tmp_path / "none.sock")

    def other(rendering: Rendering) -> Derivatives:
        return Derivatives(services.objects, services.stores, render, Limits(), Counts(), rendering=rendering)

    name = etag(derivatives, version, "w:9")
    assert etag(other(Rendering()), version, "w:9") == name
    changed = [Rendering({"jpeg": 50}), Rendering(mezzanines=(320,)), Rendering(mezzanine_pixels=1)]
    assert len({name, *(etag(other(rendering), version, "w:9") for rendering in changed)}) == 4


async def test_what_is_laid_over_is_named_by_its_content(
    derivatives: Derivatives, services: Services, bucket: Bucket, version: ObjectVersion
) -> None:
    await put(services, bucket, b"logo.png", images.png((20, 20)))
    logo = (await services.objects.get(bucket, b"logo.png")).content
    assert logo is not None
    assert version.content is not None

    def name(options: str, *overlays: Content) -> str:
        return derivatives.plan(version, parse_compact(options), None, overlays).etag

    marked = name("w:99,wm:pictures/logo.png", logo)
    assert marked == name("w:99,wm:elsewhere/the-same.png", logo)
    assert len({marked, name("w:99"), name("w:99,wm:pictures/logo.png", version.content)}) == 3
    for options, overlays in (("w:99,wm:pictures/logo.png", ()), ("w:99", (logo,))):
        with pytest.raises(OptionError, match="wm"):
            name(options, *overlays)
    with pytest.raises(NotAnImage):
        name("w:99,wm:a/b", replace(logo, encryption=Encryption.SSE_C))
    with pytest.raises(TooLarge):
        name("w:99,wm:a/b", replace(logo, size=100_001))
    opened = await derivatives.open(derivatives.plan(version, parse_compact("w:99,wm:a/b"), None, (logo,)))
    try:
        assert [sum(segment.length for segment in image) for image in opened.overlays] == [logo.size]
    finally:
        for segment in opened.all_segments:
            assert isinstance(segment.file, int)
            os.close(segment.file)


@pytest.mark.parametrize(
    ("options", "applies"),
    [
        ("w:40,h:40,fit:cover", True), ("ar:1:1,w:40", True), ("ar:1:1", True), ("w:40", False), ("w:40,h:40", False),
        ("w:40,h:40,fit:contain", False), ("w:40,h:40,fit:cover,g:ne", False), ("w:40,h:40,fit:cover,g:smart", False),
    ],
)  # fmt: skip
async def test_a_stored_focal_point_is_where_cuts_look(
    derivatives: Derivatives, version: ObjectVersion, options: str, *, applies: bool
) -> None:
    focused = replace(version, headers=(("content-type", "image/jpeg"), ("x-amz-meta-focal-point", " 0.5 , 0.25 ")))
    plain = derivatives.plan(version, parse_compact(options), None)
    found = derivatives.plan(focused, parse_compact(options), None)
    assert (found.canonical != plain.canonical) == applies
    if applies:
        assert found.canonical == parse_compact(f"{options},g:fp:0.5:0.25").canonical()


@pytest.mark.parametrize(
    "value", ["", "0.5", "0.5,1.1", "-0.1,0.5", "0.5,0.5,0.5", "a,b", "nan,0", "1e-1,0", "0.5;0.5"]
)
async def test_a_focal_point_that_makes_no_sense_is_passed_over(
    derivatives: Derivatives, version: ObjectVersion, value: str
) -> None:
    odd = replace(version, headers=(("x-amz-meta-focal-point", value),))
    options = "w:40,h:40,fit:cover"
    assert etag(derivatives, odd, options) == etag(derivatives, version, options)


async def test_facts_have_a_name_of_their_own(derivatives: Derivatives, version: ObjectVersion) -> None:
    facts = derivatives.info(version)
    assert facts.kind == "info"
    assert facts == derivatives.info(version)
    assert facts.etag not in {etag(derivatives, version, ""), etag(derivatives, version, facts.canonical)}
    assert version.content is not None
    with pytest.raises(NotAnImage):
        derivatives.info(replace(version, image_id=None))
