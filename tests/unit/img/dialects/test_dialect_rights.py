"""Whose rights a foreign signature gives."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.errors import ObjectNotFound
from gateway.img.access import Access
from gateway.img.asker import NOBODY, Circumstances
from gateway.img.dialects.signature import DialectSignature, ImgproxyKeys, Keys, ThumborKeys, UnsignedUntil
from gateway.img.errors import ImageError
from gateway.img.overlays import Overlays
from gateway.img.signature import Signature
from gateway.img.target import ImageByKey, make_target
from gateway.model.accounts import KeyKind
from gateway.services import Services
from gateway.services.presets import Presets
from gateway.settings.dialects import ImgproxyKey, ThumborKey
from signing.dialect_signatures import imgproxy_signature, thumbor_signature
from signing.errors import LinkRefused
from tests.unit.img.conftest import Gallery
from transforms.errors import OptionError

KEY, SALT, PATH = b"key", b"salt", b"/w:100/plain/s3://hidden/cat.jpg"
NOW = 1_800_000_000.0


def signed(access_key: str, expires: int | None = None) -> DialectSignature:
    return DialectSignature(access_key, expires)


async def shown(services: Services, bucket: str, signature: Signature, key: bytes = b"cat.jpg") -> str:
    """The bucket of the image that a signature opens."""
    access = Access(services.directory, services.objects, region="us-east-1")
    target = make_target(ImageByKey(bucket, key), (("w", "50"),), signature)
    asker = await access.identify(target, method="GET", authorization=None, headers={}, now=NOW)
    return (await access.find(asker, target)).bucket.name


async def test_a_signature_opens_what_its_access_key_may_read(gallery: Gallery) -> None:
    services = gallery.services
    ann = await services.keys.create("ann", kind=KeyKind.LINK)
    narrow = await services.keys.create("ann", kind=KeyKind.LINK, bucket="hidden", prefix="dog")
    bob = await services.keys.create("bob", kind=KeyKind.LINK)
    await services.directory.refresh()
    assert await shown(services, "hidden", signed(ann.access_key)) == "hidden"
    assert await shown(services, "hidden", signed(ann.access_key, int(NOW) + 1)) == "hidden"
    with pytest.raises(ObjectNotFound):
        await shown(services, "hidden", signed(ann.access_key), b"none")
    for key in (narrow, bob):
        with pytest.raises(ImageError, match="Access denied"):
            await shown(services, "hidden", signed(key.access_key))


async def test_of_root_it_opens_roots_own_buckets_only(gallery: Gallery) -> None:
    services = gallery.services
    root = await services.keys.create("root", kind=KeyKind.LINK)
    await services.buckets.create("roots-own", root.account)
    await services.directory.refresh()
    assert root.account.is_root
    with pytest.raises(ImageError, match="Access denied"):
        await shown(services, "hidden", signed(root.access_key))
    with pytest.raises(ObjectNotFound):
        await shown(services, "roots-own", signed(root.access_key))


async def test_what_does_not_hold_is_refused_for_every_reason_alike(gallery: Gallery) -> None:
    services = gallery.services
    key = await services.keys.create("ann", kind=KeyKind.LINK)
    off = await services.keys.create("ann", kind=KeyKind.LINK)
    await services.keys.set_enabled(off.access_key, False)
    await services.directory.refresh()
    wrong: list[Signature] = [
        signed("NOBODY"),
        signed(off.access_key),
        signed(key.access_key, int(NOW) - 1),
        DialectSignature(None, None),
        UnsignedUntil(int(NOW) - 1),
    ]
    for signature in wrong:
        with pytest.raises(LinkRefused):
            await signature.verify(services.directory, Circumstances(NOW))


def test_only_a_whole_signature_over_the_path_holds() -> None:
    keys = ImgproxyKeys((ImgproxyKey(b"other", SALT, "OTHER"), ImgproxyKey(KEY, SALT, "MINE")), 32)
    good = imgproxy_signature(KEY, SALT, PATH)
    assert keys.access_key(good, (PATH,)) == "MINE"
    assert keys.access_key(imgproxy_signature(b"other", SALT, PATH), (PATH,)) == "OTHER"
    for signature, path in ((good[:-1], PATH), (good, PATH + b"x"), ("", PATH), (good + "A", PATH)):
        assert keys.access_key(signature, (path,)) is None
    assert ImgproxyKeys((), 32).access_key(good, (PATH,)) is None


async def test_where_only_presets_are_shown_those_of_the_settings_are_some(gallery: Gallery) -> None:
    services = gallery.services
    key = await services.keys.create("ann", kind=KeyKind.LINK)
    for bucket in (gallery.hidden, gallery.shown):
        await services.buckets.change_images(bucket, lambda before: replace(before, only_presets=True, max_width=400))
    await services.directory.refresh()
    access = Access(services.directory, services.objects, region="us-east-1")
    links: list[tuple[str, Signature | None]] = [("hidden", signed(key.access_key)), ("shown", None)]

    async def answer(bucket: str, signature: Signature | None, *pairs: tuple[str, str], by_presets: bool = True) -> str:
        target = make_target(ImageByKey(bucket, b"cat.jpg"), pairs, signature, by_presets=by_presets)
        asker = await access.identify(target, method="GET", authorization=None, headers={}, now=NOW)
        try:
            return (await access.find(asker, target)).request.options.canonical()
        except ImageError as error:
            return error.code

    for bucket, signature in links:
        assert await answer(bucket, signature, ("w", "30"), ("h", "20"), ("blur", "2")) == "blur:2,h:20,w:30"
        assert await answer(bucket, signature, ("w", "30"), by_presets=False) == "PresetNeeded"
    hidden, shown = links
    assert await answer(*hidden, ("w", "500"), ("h", "20")) == "h:20,w:500"
    assert await answer(*shown, ("w", "500"), ("h", "20")) == "NotOnLadder", "strangers have the bucket's bound"
    assert await answer(*shown, ("raw", "1")) == "NotOnLadder"
    assert await answer(*shown) == "NotOnLadder", "of the original's size"


async def test_a_watermark_of_the_settings_presets_is_there_for_everybody(gallery: Gallery) -> None:
    services = gallery.services
    overlays = Overlays(services.watermarks, Presets({}))
    asked = make_target(ImageByKey("shown", b"cat.jpg"), (("wm", "hidden/cat.jpg"),)).request(lambda _: None)
    with pytest.raises(OptionError):
        await overlays.of(gallery.shown, asked, {"wm"}, NOBODY)
    found = await overlays.of(gallery.shown, asked, {"wm"}, NOBODY, by_settings=True)
    assert [one.bucket.name for one in found] == ["hidden"]


async def test_an_unsigned_url_may_end(gallery: Gallery) -> None:
    asker = await UnsignedUntil(int(NOW) + 5).verify(gallery.services.directory, Circumstances(NOW))
    assert asker.principal == NOBODY.principal
    assert asker.expires == int(NOW) + 5
    assert not asker.by_link


@pytest.mark.parametrize(("algorithm", "length"), [("sha1", 0), ("sha256", 40), ("sha512", 0)])
def test_each_of_thumbors_keys_is_tried(algorithm: str, length: int) -> None:
    keys: Keys = ThumborKeys((ThumborKey(b"old", "OLD"), ThumborKey(b"new", "NEW")), algorithm, length)  # type: ignore[arg-type]
    for secret, name in ((b"old", "OLD"), (b"new", "NEW"), (b"none", None)):
        signature = thumbor_signature(secret, b"300x200/a.jpg", algorithm, length)  # type: ignore[arg-type]
        assert keys.access_key(signature, (b"x", b"300x200/a.jpg")) == name
