"""To whom the reading of a URL is told, and what of it."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

import pytest

from gateway.img.access import Access
from gateway.img.asker import NOBODY, Asker
from gateway.img.dialects.explain import Explainer
from gateway.img.errors import ImageError
from gateway.model.accounts import AccessKey
from gateway.policy.principal import Principal
from gateway.services.presets import Presets
from gateway.settings.settings import Settings
from signing.dialect_signatures import imgproxy_signature
from signing.image_link import s3_link_key, sign_link
from tests.unit.img.conftest import Gallery

NOW = 1_800_000_000
PRIVATE_PRESET = "w:30,text:anna's secret"


@dataclass(frozen=True, slots=True)
class Desk:
    """Where URLs are explained; `ann` owns the buckets, `bob` is a stranger with a key."""

    explainer: Explainer
    ann: AccessKey
    bob: AccessKey

    async def told(self, url: str, key: AccessKey | None) -> dict[str, Any]:
        return await self.explainer.explain(url, NOBODY if key is None else Asker(Principal(key)), NOW)

    async def said(self, url: str, key: AccessKey | None) -> str:
        """All that somebody sees, an explanation or a refusal of one."""
        try:
            return json.dumps(await self.told(url, key))
        except ImageError as error:
            return error.document().decode()

    def link(self, path: str, *pairs: tuple[str, str]) -> str:
        return sign_link(path, pairs, key_id=self.ann.access_key, key=s3_link_key(self.ann.secret), expires=NOW + 60)


@pytest.fixture
async def desk(gallery: Gallery) -> Desk:
    services = gallery.services
    for bucket in (gallery.hidden, gallery.shown):
        await services.buckets.change_images(bucket, lambda before: replace(before, presets={"card": PRIVATE_PRESET}))
    settings = Settings(dialects=["imgproxy"], source_map={"https://origin.example.com/": "hidden"})
    presets = Presets({})
    access = Access(services.directory, services.objects, region="us-east-1", presets=presets)
    ann, bob = await services.keys.create("ann"), await services.keys.create("bob")
    await services.directory.refresh()
    return Desk(Explainer(settings, services.directory, access, presets), ann, bob)


async def test_a_key_without_rights_learns_neither_buckets_nor_presets_nor_sources(
    desk: Desk, gallery: Gallery
) -> None:
    urls = (
        "/img/hidden/cat.jpg?p=card",
        "/img/hidden/cat.jpg?p=nope",
        "/img/hidden/none.jpg?w=30",
        "/img/no-such-bucket/cat.jpg?p=card",
        f"/img/{gallery.hidden_id}?p=card",
        "/img/IAAAAAAAAAAAAAAAAAAAAAAAAAA?p=card",
        "/imgproxy/unsafe/w:10/plain/https://origin.example.com/cat.jpg",
        "/imgproxy/unsafe/w:10/plain/s3://hidden/cat.jpg",
        "/imgproxy/guess/w:10/plain/https://origin.example.com/cat.jpg",
        "/imgproxy/guess/w:10/plain/https://elsewhere.example.com/cat.jpg",
        "/imgproxy/guess/pr:card/plain/https://origin.example.com/cat.jpg",
    )
    said = {url: await desk.said(url, desk.bob) for url in urls}
    assert set(said.values()) == {ImageError("AccessDenied").document().decode()}, said


async def test_of_an_open_bucket_a_stranger_does_not_learn_what_a_preset_says(desk: Desk) -> None:
    for url in ("/img/shown/cat.jpg?p=card", "/img/shown/cat.jpg?p=nope"):
        for key in (desk.bob, None):
            assert "anna" not in await desk.said(url, key)


async def test_a_link_tells_its_holder_that_it_holds_but_not_what_its_preset_says(desk: Desk) -> None:
    link = desk.link("/img/hidden/cat.jpg", ("p", "card"))
    for key in (None, desk.bob):
        told = await desk.told(link, key)
        assert (told["signature"], told["refused"]) == ("holds", None)
        assert "canonical" not in told
    assert (await desk.told(desk.link("/img/hidden/cat.jpg", ("w", "30")), None))["canonical"] == "w:30"


async def test_who_may_read_the_image_is_told_everything(desk: Desk, gallery: Gallery) -> None:
    for url in ("/img/hidden/cat.jpg?p=card", f"/img/{gallery.hidden_id}?p=card"):
        told = await desk.told(url, desk.ann)
        assert "anna" in told["canonical"]
        assert told["refused"]["code"] == "AccessDenied", "it is not signed"
    unknown = await desk.told(desk.link("/img/hidden/cat.jpg", ("p", "nope")), desk.ann)
    assert unknown["refused"]["option"] == "p"
    foreign = await desk.told("/imgproxy/guess/w:10/plain/https://origin.example.com/cat.jpg", desk.ann)
    assert (foreign["bucket"], foreign["key"], foreign["signature"]) == ("hidden", "cat.jpg", "does not hold")


async def test_a_url_that_cannot_be_read_is_explained_to_anybody(desk: Desk) -> None:
    for key in (None, desk.bob, desk.ann):
        assert (await desk.told("/img/hidden/cat.jpg?w=wide", key))["refused"]["option"] == "w"


async def test_the_presets_of_a_url_and_what_they_come_to_are_told(gallery: Gallery) -> None:
    services = gallery.services
    key = await services.keys.create("ann")
    settings = Settings(
        dialects=["imgproxy"],
        imgproxy_only_presets=True,
        imgproxy_presets={"tile": "rs:fill:30:20"},
        imgproxy_keys=[f"{b'key'.hex()}:{b'salt'.hex()}:{key.access_key}"],
    )
    access = Access(services.directory, services.objects, region="us-east-1")
    explainer = Explainer(settings, services.directory, access, Presets({}))
    await services.directory.refresh()
    told = await explainer.explain_to_operator("/imgproxy/unsafe/tile/plain/s3://shown/cat.jpg@webp", NOW)
    assert (told["presets"], told["canonical"], told["refused"]) == ("tile", "f:webp,fit:cover,h:20,w:30", None)
    other = await explainer.explain_to_operator("/imgproxy/unsafe/w:30/plain/s3://shown/cat.jpg", NOW)
    assert other["refused"]["option"] == "preset"
    # Of a link its holder learns that it holds, and not what the preset says.
    path = "/tile/plain/s3://hidden/cat.jpg"
    link = f"/imgproxy/{imgproxy_signature(b'key', b'salt', path.encode())}{path}"
    held = await explainer.explain(link, NOBODY, NOW)
    assert (held["presets"], held["signature"], held["refused"]) == ("tile", "holds", None)
    assert held.keys().isdisjoint({"options", "canonical"})
    assert (await explainer.explain(link, Asker(Principal(key)), NOW))["canonical"] == "fit:cover,h:20,w:30"
