"""Variants on real servers: made at once, kept whatever caches forget, the same for all workers, gone with their object."""

from __future__ import annotations

import asyncio
import io
import json
import os
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import pytest
from PIL import Image

from gateway.app import metrics, rendering_services
from gateway.cache.folder import FolderObjects
from gateway.cache.pinned import PinnedRenditions
from gateway.config import load
from gateway.errors import DiskFull, NotFound
from gateway.metadata import pins
from gateway.model.objects import ObjectVersion
from gateway.render.client import RenderClient
from gateway.services import Services
from gateway.services.variants import Variants, VariantSet
from tests import images
from tests.functional.beside import beside, set_images
from tests.functional.imaging import Answer, Gallery, fetch
from tests.services import Server, environment_of, running
from transforms.errors import TransformError
from transforms.variants import MADE_AT_ONCE, VARIANTS

FORGETFUL = {"PIXGATE_IMAGE_WORKER_CACHE_BYTES": "0", "PIXGATE_IMAGE_MEMORY_CACHE_BYTES": "0"}
"""No memory on the node."""

T = TypeVar("T")


def with_variants(server: Server, work: Callable[[Services, Variants], Awaitable[T]]) -> T:
    """What a job does beside a running server, with its decoders."""
    environment = {**environment_of(server.data), "PIXGATE_DATA": str(server.data)}
    settings = load(environ=environment, env_file=Path(os.devnull))

    async def run(services: Services) -> T:
        render = RenderClient(settings.render_socket, hot_bytes=0, connect_seconds=30)
        _, variants = rendering_services(settings, services, render, metrics(1))
        try:
            return await work(services, variants)
        finally:
            await variants.close()
            await render.close()

    return beside(server.data, run)


def process(server: Server, image_id: str, *, note: bool = True) -> VariantSet:
    """What the job of an image does."""

    async def work(services: Services, variants: Variants) -> VariantSet:
        _, version = await services.objects.get_by_image_id(image_id)
        made = await variants.make_all(version)
        if note:
            assert await services.database.write(lambda tx: pins.note(tx, made.pins))
        return made

    return with_variants(server, work)


def version_of(server: Server, image_id: str, work: Callable[[Variants, ObjectVersion], Awaitable[T]]) -> T:
    async def run(services: Services, variants: Variants) -> T:
        _, version = await services.objects.get_by_image_id(image_id)
        return await work(variants, version)

    return with_variants(server, run)


def told(answer: Answer) -> str:
    """The memory that Server-Timing names."""
    assert answer.status == 200, answer.body
    return answer.headers["server-timing"].split('"')[1]


def kept(server: Server, keys: list[bytes]) -> list[bool]:
    """Whether the bytes lie where variants are kept."""

    async def work(services: Services, _: Variants) -> list[bool]:
        assert services.pinned is not None
        return [await services.pinned.get(key) is not None for key in keys]

    return with_variants(server, work)


def lose(server: Server, keys: list[bytes]) -> None:
    async def work(services: Services, _: Variants) -> None:
        assert services.pinned is not None
        await services.pinned.remove(keys)

    with_variants(server, work)


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def gallery(http_server: Server) -> Gallery:
    return Gallery(http_server, "varied")


@pytest.fixture(scope="module")
def forgetful(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gallery]:
    """A bucket on a server whose only memory is where variants are kept."""
    with running(Server(tmp_path_factory.mktemp("forgetful") / "data", environment=FORGETFUL)) as server:
        yield Gallery(server, "forgetful")


def link(gallery: Gallery, image_id: str, name: str) -> str:
    return gallery.link(f"/img/{image_id}", f"variant={name}")


def test_a_variant_by_its_url(gallery: Gallery) -> None:
    image = gallery.put("a.jpg", images.jpeg((1600, 1100)))
    for name, variant in VARIANTS.items():
        answer = fetch(gallery.server, link(gallery, image, name))
        assert answer.status == 200
        assert max(answer.picture.size) == min(variant.side, 1600)
        assert answer.headers["content-type"] == f"image/{variant.format or 'jpeg'}"
    assert fetch(gallery.server, gallery.link(f"/img/{image}", "variant=medium&w=100")).status == 400
    assert fetch(gallery.server, gallery.link(f"/img/{image}", "variant=huge")).status == 400
    named = fetch(gallery.server, gallery.link("/img/varied/a.jpg", "variant=medium&dl=me.jpg"))
    assert named.headers["content-disposition"].startswith('attachment; filename="me.jpg.webp"')


def test_the_job_and_the_url_make_the_same_bytes(gallery: Gallery) -> None:
    photo = images.jpeg_oriented(6, (1500, 1000))
    image = gallery.put("same.jpg", photo)
    by_url = {name: fetch(gallery.server, link(gallery, image, name)) for name in MADE_AT_ONCE}
    other = gallery.put("again.jpg", photo)
    made = process(gallery.server, other)
    assert set(made.items) == set(MADE_AT_ONCE)
    for name, pin in made.items.items():
        answer = fetch(gallery.server, link(gallery, other, name))
        assert told(answer) == "variants"
        assert answer.body == by_url[name].body
        assert answer.headers["etag"] != by_url[name].headers["etag"], "they are of different contents"
        assert (pin.size, pin.media_type) == (len(answer.body), answer.headers["content-type"])
        assert (pin.width, pin.height) == answer.picture.size
    assert (made.facts.width, made.facts.height) == (1500, 1000)
    assert (len(made.facts.phash), len(made.facts.dhash)) == (8, 8)
    assert made.facts.dominant_color is not None
    assert not made.facts.animated


def test_unsigned_links_of_an_open_bucket(gallery: Gallery) -> None:
    image = gallery.put("open.jpg", images.jpeg((1600, 1100)))
    assert fetch(gallery.server, f"/img/{image}?variant=medium").status in (403, 404)
    set_images(gallery.server.data, "varied", public=True)
    try:
        until(lambda: fetch(gallery.server, f"/img/{image}?variant=medium").status == 200)
        for name in MADE_AT_ONCE:
            assert fetch(gallery.server, f"/img/varied/open.jpg?variant={name}").status == 200
        assert fetch(gallery.server, f"/img/{image}?variant=original").status in (403, 404)
    finally:
        set_images(gallery.server.data, "varied", public=False)


def test_nothing_is_announced_before_it_is_noted(gallery: Gallery) -> None:
    image = gallery.put("quiet.jpg", images.jpeg((700, 500)))
    made = process(gallery.server, image, note=False)
    assert all(kept(gallery.server, [pin.key for pin in made.pins]))

    async def ready(variants: Variants, version: ObjectVersion) -> tuple[bool, Mapping[str, Any]]:
        return await variants.ready(version, "medium"), await variants.pinned(version)

    assert version_of(gallery.server, image, ready) == (False, {})
    process(gallery.server, image)
    announced, pinned = version_of(gallery.server, image, ready)
    assert announced
    assert set(pinned) == set(MADE_AT_ONCE)
    # What is looked up was made of these very bytes, and not of others.
    other = gallery.put("quiet.jpg", images.jpeg((700, 500), 9))
    assert version_of(gallery.server, other, ready) == (False, {})


def test_no_memory_and_no_restart_costs_a_render(forgetful: Gallery) -> None:
    server = forgetful.server
    image = forgetful.put("kept.jpg", images.jpeg((1300, 900)))
    process(server, image)
    before = {name: fetch(server, link(forgetful, image, name)) for name in MADE_AT_ONCE}
    assert {told(answer) for answer in before.values()} == {"variants"}
    assert told(fetch(server, forgetful.link(f"/img/{image}", "w=150"))) == "miss"
    # Each connection may meet another worker.
    assert {told(fetch(server, link(forgetful, image, "medium"))) for _ in range(10)} == {"variants"}
    server.stop()
    server.start()
    # It has another port now.
    forgetful.client = server.client(forgetful.keys, signature_version="s3v4")
    for name in MADE_AT_ONCE:
        answer = fetch(server, link(forgetful, image, name))
        assert told(answer) == "variants"
        assert (answer.body, answer.headers["etag"]) == (before[name].body, before[name].headers["etag"])


def test_what_is_lost_is_made_anew_and_kept_again(forgetful: Gallery) -> None:
    server = forgetful.server
    image = forgetful.put("lost.jpg", images.jpeg((900, 700)))
    made = process(server, image)
    key = made.items["medium"].key
    before = fetch(server, link(forgetful, image, "medium"))
    lose(server, [key])
    answer = fetch(server, link(forgetful, image, "medium"))
    assert (told(answer), answer.body) == ("miss", before.body)
    until(lambda: kept(server, [key]) == [True])
    assert told(fetch(server, link(forgetful, image, "medium"))) == "variants"


def test_the_original_is_kept_from_its_first_request_on(forgetful: Gallery) -> None:
    server = forgetful.server

    async def pinned(variants: Variants, version: ObjectVersion) -> bool:
        return await variants.ready(version, "original")

    # Of an image that nothing is kept of, nothing is kept because somebody asks.
    image = forgetful.put("unprocessed.jpg", images.jpeg((900, 700), 1))
    assert told(fetch(server, link(forgetful, image, "original"))) == "miss"
    assert not version_of(server, image, pinned)
    image = forgetful.put("first.jpg", images.jpeg((900, 700), 2))
    process(server, image)
    assert told(fetch(server, link(forgetful, image, "original"))) == "miss"
    until(lambda: version_of(server, image, pinned))
    assert told(fetch(server, link(forgetful, image, "original"))) == "variants"


def test_they_go_with_the_last_version(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    # What a busy machine delays is not what this is about.
    monkeypatch.setattr("gateway.services.variants.REMOVE_BUDGET", 60)
    server, client = gallery.server, gallery.client
    image = gallery.put("going.jpg", images.jpeg((800, 600)))
    made = process(server, image)
    keys = [pin.key for pin in made.pins]
    content = made.pins[0].content_id
    client.copy_object(Bucket="varied", Key="copied.jpg", CopySource={"Bucket": "varied", "Key": "going.jpg"})
    client.delete_object(Bucket="varied", Key="going.jpg")

    async def removed(_: Services, variants: Variants) -> None:
        await variants.removed(content)

    with_variants(server, removed)
    assert all(kept(server, keys)), "the copy has them"
    client.delete_object(Bucket="varied", Key="copied.jpg")
    with_variants(server, removed)
    assert not any(kept(server, keys))

    async def rows(services: Services, _: Variants) -> int:
        return len(await pins.of_content(services.database, content))

    assert with_variants(server, rows) == 0


def test_the_sweep_takes_what_s3_deleted(gallery: Gallery) -> None:
    server = gallery.server
    made = process(server, gallery.put("swept.jpg", images.jpeg((800, 600))))
    stays = process(server, gallery.put("stays.jpg", images.jpeg((800, 600), 4)))
    keys, others = ([pin.key for pin in each.pins] for each in (made, stays))
    gallery.client.delete_object(Bucket="varied", Key="swept.jpg")

    async def sweep(services: Services, variants: Variants) -> int:
        await services.sweep.run_once()
        return await variants.sweep()

    def swept() -> bool:
        with_variants(server, sweep)
        return not any(kept(server, keys))

    # The server's own round may be at it.
    until(swept)
    assert all(kept(server, others))


def test_what_was_never_announced_goes_a_day_later(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    server = gallery.server
    made = process(server, gallery.put("never.jpg", images.jpeg((300, 200))), note=False)
    noted = process(server, gallery.put("noted.jpg", images.jpeg((300, 200), 3)))
    keys, others = ([pin.key for pin in each.pins] for each in (made, noted))

    async def sweep(_: Services, variants: Variants) -> int:
        return await variants.sweep_unnoted()

    with_variants(server, sweep)
    assert all(kept(server, keys))
    monkeypatch.setattr("gateway.services.variants.UNNOTED_MS", -60_000)
    with_variants(server, sweep)
    assert not any(kept(server, keys))
    assert all(kept(server, others))


@pytest.mark.parametrize("data", [images.jpeg((1400, 900))[:20_000], images.png_bomb()], ids=["cut", "bomb"])
def test_what_cannot_be_shown_has_no_variants(gallery: Gallery, data: bytes) -> None:
    image = gallery.put("hostile", data)
    with pytest.raises(TransformError):
        process(gallery.server, image)
    assert fetch(gallery.server, link(gallery, image, "medium")).status >= 400


def test_nothing_of_the_metadata_leaves(gallery: Gallery) -> None:
    exif = Image.Exif()
    exif[0x0112] = 8
    exif[0x010F] = "SecretMaker"
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.0), 3: "E", 4: (13.0, 24.0, 18.0)})
    data = images.encoded(images.corners((1600, 1200)), "JPEG", exif=exif.tobytes(), comment=b"SecretComment")
    image = gallery.put("exif.jpg", data)
    process(gallery.server, image)
    assert gallery.client.get_object(Bucket="varied", Key="exif.jpg")["Body"].read() == data
    for name in VARIANTS:
        answer = fetch(gallery.server, link(gallery, image, name))
        assert b"Secret" not in answer.body
        assert not Image.open(io.BytesIO(answer.body)).getexif()
        assert answer.picture.height > answer.picture.width


def test_health_knows_the_place(gallery: Gallery) -> None:
    # A try may take a busy machine longer than who asks waits.
    until(lambda: json.loads(gallery.server.fetch("/health")[1])["variants"]["status"] == "healthy")


def test_a_full_disk_is_told_and_nothing_is_announced(gallery: Gallery, tmp_path: Path) -> None:
    image = gallery.put("full.jpg", images.jpeg((300, 200), 8))

    async def work(services: Services, variants: Variants) -> None:
        _, version = await services.objects.get_by_image_id(image)
        assert services.pinned is not None
        place = PinnedRenditions(FolderObjects(tmp_path / "full", min_free=1 << 60), services.pinned._sealer)
        variants._derivatives.pinned = place
        try:
            with pytest.raises(DiskFull):
                await variants.make_all(version)
            assert not await variants.ready(version, "medium")
        finally:
            await place.close()

    with_variants(gallery.server, work)


def test_a_deleted_image_is_announced_by_nobody(gallery: Gallery) -> None:
    server = gallery.server
    image = gallery.put("late.jpg", images.jpeg((300, 200), 12))

    async def work(services: Services, variants: Variants) -> bool:
        _, version = await services.objects.get_by_image_id(image)
        made = await variants.make_all(version)
        await asyncio.to_thread(gallery.client.delete_object, Bucket="varied", Key="late.jpg")
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            await services.sweep.run_once()
            row = await services.database.one("SELECT 1 FROM contents WHERE id = ?", (made.pins[0].content_id,))
            if row is None:
                break
        with pytest.raises(NotFound):
            await services.objects.get_by_image_id(image)
        return await services.database.write(lambda tx: pins.note(tx, made.pins))

    assert with_variants(server, work) is False
