"""Who may have an image: links, S3's signatures, and anyone on the ladder of an open bucket."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from gateway.auth.errors import AuthenticationError
from gateway.errors import BucketNotFound, ObjectNotFound
from gateway.img.access import Access, Granted
from gateway.img.asker import NOBODY, Asker
from gateway.img.errors import ImageError
from gateway.img.target import parse_target
from gateway.model.accounts import AccessKey, KeyKind
from gateway.model.buckets import BucketImages, Versioning
from signing.canonical import header_map
from signing.errors import LinkRefused, SignatureDoesNotMatch
from signing.image_link import raw_link_key, s3_link_key, sign_link
from signing.sigv4.sign import Credentials, presign
from tests import images
from tests.data_folder import put
from tests.unit.img.conftest import Gallery

NOW = 1_800_000_000
NO_SUCH_ID = "I" + "A" * 26
REGION = "us-east-1"


@pytest.fixture
def access(gallery: Gallery) -> Access:
    services = gallery.services
    return Access(services.directory, services.objects, region=REGION)


def link(key: AccessKey, path: str, *pairs: tuple[str, str], expires: int = NOW + 60) -> str:
    secret = raw_link_key(key.secret) if key.kind is KeyKind.LINK else s3_link_key(key.secret)
    return sign_link(path, pairs, key_id=key.access_key, key=secret, expires=expires)


async def identify(access: Access, url: str, *, now: float = NOW) -> Asker:
    target = parse_target(url, signed_header=False)
    return await access.identify(target, method="GET", authorization=None, headers=header_map([("host", "h")]), now=now)


async def ask(access: Access, url: str) -> Granted:
    return await access.find(await identify(access, url), parse_target(url, signed_header=False))


async def denied(access: Access, url: str) -> str:
    """The body of the refusal."""
    with pytest.raises((ImageError, LinkRefused)) as caught:
        await ask(access, url)
    if isinstance(caught.value, ImageError):
        assert caught.value.code == "AccessDenied"
        return caught.value.document().decode()
    return ImageError("AccessDenied").document().decode()


@dataclass(frozen=True, slots=True)
class Keys:
    ann: AccessKey
    bob: AccessKey
    links: AccessKey


@pytest.fixture
async def keys(gallery: Gallery) -> Keys:
    make = gallery.services.keys.create
    made = Keys(await make("ann"), await make("bob"), await make("ann", kind=KeyKind.LINK))
    await gallery.services.directory.refresh()
    return made


async def test_a_link_of_either_kind_opens_what_its_account_may_read(
    access: Access, keys: Keys, gallery: Gallery
) -> None:
    for key in (keys.ann, keys.links):
        for path in (f"/img/{gallery.hidden_id}", "/img/hidden/cat.jpg"):
            granted = await ask(access, link(key, path, ("w", "77"), ("h", "5")))
            assert granted.bucket.name == "hidden"
            assert granted.version.image_id == gallery.hidden_id
            assert granted.public, "who has the URL has the right"


async def test_another_accounts_link_opens_nothing(access: Access, keys: Keys, gallery: Gallery) -> None:
    for path in ("/img/hidden/cat.jpg", "/img/hidden/no-such.jpg"):
        await denied(access, link(keys.bob, path))
    narrow = await gallery.services.keys.create("ann", kind=KeyKind.LINK, bucket="shown")
    await gallery.services.directory.refresh()
    for key in (keys.bob, narrow):
        for image_id in (gallery.hidden_id, NO_SUCH_ID):
            for pair in (("w", "5"), ("p", "none")):
                # By his answer nobody tells an image that is there from one that never was, or was deleted.
                with pytest.raises(ObjectNotFound):
                    await ask(access, link(key, f"/img/{image_id}", pair))


@pytest.mark.parametrize(
    "path", ["/img/hidden/cat.jpg", "/img/none/cat.jpg", "/img/hidden/none", "/img/{}", f"/img/{NO_SUCH_ID}"]
)
async def test_without_a_signature_nothing_is_told(access: Access, gallery: Gallery, path: str) -> None:
    path = path.format(gallery.hidden_id)
    assert await denied(access, path) == ImageError("AccessDenied").document().decode()


async def test_bad_links_look_alike(access: Access, keys: Keys, gallery: Gallery) -> None:
    services = gallery.services
    path = f"/img/{gallery.hidden_id}"
    good = link(keys.links, path)
    await ask(access, good)
    unknown = good.replace(keys.links.access_key, "LINKNOSUCHKEY")
    wrong = link(keys.links, path, ("w", "5")).replace("w=5", "w=6")
    for url in (unknown, wrong):
        with pytest.raises(LinkRefused):
            await identify(access, url)
    with pytest.raises(LinkRefused):
        await identify(access, good, now=NOW + 61)
    await identify(access, good, now=NOW + 60)
    await services.keys.set_enabled(keys.links.access_key, enabled=False)
    await services.directory.refresh()
    with pytest.raises(LinkRefused):
        await identify(access, good)
    await services.keys.set_enabled(keys.links.access_key, enabled=True)
    await services.directory.refresh()
    await identify(access, good)
    await services.keys.delete(keys.links.access_key)
    await services.directory.refresh()
    with pytest.raises(LinkRefused):
        await identify(access, good)


async def test_an_expired_key_and_a_disabled_account_end_their_links(
    access: Access, keys: Keys, gallery: Gallery
) -> None:
    services = gallery.services
    key = await services.keys.create("ann", kind=KeyKind.LINK, expires_ms=(NOW + 10) * 1000)
    await services.directory.refresh()
    url = link(key, "/img/hidden/cat.jpg")
    await identify(access, url, now=NOW + 9)
    with pytest.raises(LinkRefused):
        await identify(access, url, now=NOW + 10)
    other = link(keys.links, "/img/hidden/cat.jpg")
    await identify(access, other)
    await services.accounts.set_enabled("ann", enabled=False)
    await services.directory.refresh()
    with pytest.raises(LinkRefused):
        await identify(access, other)


async def test_an_object_of_an_open_bucket_goes_on_under_its_id_until_the_version_is_deleted(
    access: Access, gallery: Gallery
) -> None:
    services = gallery.services
    await services.buckets.set_versioning(gallery.shown, Versioning.ENABLED)
    newer = await put(services, gallery.shown, b"cat.jpg", images.jpeg((80, 60)))
    await services.directory.refresh()
    assert (await ask(access, f"/img/{gallery.shown_id}?w=100")).version.image_id == gallery.shown_id
    assert (await ask(access, "/img/shown/cat.jpg?w=100")).version.image_id == newer.image_id
    await services.objects.delete(gallery.shown, b"cat.jpg", "null")
    await denied(access, f"/img/{gallery.shown_id}?w=100")


async def test_a_link_key_can_be_narrowed(access: Access, gallery: Gallery) -> None:
    services = gallery.services
    make = services.keys.create
    to_bucket = await make("ann", kind=KeyKind.LINK, bucket="hidden")
    to_prefix = await make("ann", kind=KeyKind.LINK, bucket="hidden", prefix="cats/")
    elsewhere = await make("ann", kind=KeyKind.LINK, bucket="shown")
    await services.directory.refresh()
    await ask(access, link(to_bucket, f"/img/{gallery.hidden_id}"))
    await ask(access, link(to_bucket, "/img/hidden/cat.jpg"))
    await denied(access, link(to_prefix, "/img/hidden/cat.jpg"))
    await denied(access, link(elsewhere, "/img/hidden/cat.jpg"))
    with pytest.raises(ObjectNotFound):
        await ask(access, link(to_prefix, "/img/hidden/cats/none.jpg"))
    await denied(access, link(to_bucket, "/img/none/cat.jpg"))


async def test_a_link_key_opens_no_other_door(access: Access, keys: Keys) -> None:
    signed = presign(
        Credentials(keys.links.access_key, keys.links.secret),
        method="GET", url="http://h/img/hidden/cat.jpg", now=NOW, region=REGION, expires=60,
    )  # fmt: skip
    with pytest.raises(AuthenticationError):
        await identify(access, signed.removeprefix("http://h"))


async def test_whoever_may_read_over_s3_may_have_the_image(access: Access, keys: Keys, gallery: Gallery) -> None:
    def url(key: AccessKey, path: str) -> str:
        credentials = Credentials(key.access_key, key.secret)
        target = presign(credentials, method="GET", url=f"http://h{path}?w=33", now=NOW, region=REGION, expires=60)
        return target.removeprefix("http://h")

    for path in ("/img/hidden/cat.jpg", f"/img/{gallery.hidden_id}"):
        granted = await ask(access, url(keys.ann, path))
        assert granted.bucket.name == "hidden"
        assert not granted.public, "shared caches do not ask who may"
    await denied(access, url(keys.bob, "/img/hidden/cat.jpg"))
    with pytest.raises(SignatureDoesNotMatch):
        await identify(access, url(keys.ann, "/img/hidden/cat.jpg").replace("w=33", "w=34"))


async def test_missing_is_missing_for_those_who_may_read(access: Access, keys: Keys) -> None:
    with pytest.raises(ObjectNotFound):
        await ask(access, link(keys.links, "/img/hidden/none.jpg"))
    with pytest.raises(ObjectNotFound):
        await ask(access, link(keys.links, f"/img/{NO_SUCH_ID}"))
    with pytest.raises(BucketNotFound):
        await ask(access, link(keys.links, "/img/no-such-bucket/none.jpg"))


async def test_an_open_bucket_shows_its_ladder_to_anyone(access: Access, keys: Keys, gallery: Gallery) -> None:
    for path in ("/img/shown/cat.jpg", f"/img/{gallery.shown_id}"):
        for query in ("w=100", "w=200&f=auto", "w=100&dpr=2"):
            granted = await ask(access, f"{path}?{query}")
            assert granted.public
        for query in ("", "w=150", "w=100&h=100", "w=200&dpr=2"):
            with pytest.raises(ImageError, match="100, 200") as caught:
                await ask(access, f"{path}?{query}")
            assert caught.value.code == "NotOnLadder"
    with pytest.raises(ObjectNotFound):
        await ask(access, "/img/shown/none.jpg?w=100")
    # Those who may read it are not bound to the ladder, and a stranger with a key is anyone.
    await ask(access, link(keys.links, "/img/shown/cat.jpg", ("w", "150")))
    assert (await ask(access, link(keys.bob, "/img/shown/cat.jpg", ("w", "100")))).public
    with pytest.raises(ImageError, match="100, 200"):
        await ask(access, link(keys.bob, "/img/shown/cat.jpg", ("w", "150")))


async def test_a_bound_holds_for_both_sides_of_what_strangers_get(access: Access, keys: Keys, gallery: Gallery) -> None:
    images_of = BucketImages(max_width=150, presets={"tall": "w:50", "padded": "w:50,pad:60"})
    await gallery.services.buckets.change_images(gallery.shown, lambda _: images_of)
    await gallery.services.directory.refresh()
    path = "/img/shown/cat.jpg"
    for query, canonical in (("w=100", "h:150,w:100"), ("p=tall", "h:150,w:50")):
        assert (await ask(access, f"{path}?{query}")).request.options.canonical() == canonical
    with pytest.raises(ImageError, match="at most 150 x 150 pixels") as caught:
        await ask(access, f"{path}?p=padded")
    assert caught.value.code == "NotOnLadder"
    signed = await ask(access, link(keys.links, path, ("p", "tall")))
    assert signed.request.options.canonical() == "w:50"


async def test_closing_a_bucket_closes_it(access: Access, gallery: Gallery) -> None:
    url = f"/img/{gallery.shown_id}?w=100"
    await ask(access, url)
    await gallery.services.accounts.set_enabled("ann", enabled=False)
    await gallery.services.directory.refresh()
    await denied(access, url)
    await gallery.services.accounts.set_enabled("ann", enabled=True)
    await gallery.services.directory.refresh()
    await ask(access, url)
    await gallery.services.buckets.set_images(gallery.shown, public=False)
    await gallery.services.directory.refresh()
    await denied(access, url)


async def test_an_image_id_names_its_version_and_a_key_the_current_one(
    access: Access, keys: Keys, gallery: Gallery
) -> None:
    before = await ask(access, link(keys.links, f"/img/{gallery.hidden_id}"))
    new = await put(gallery.services, gallery.hidden, b"cat.jpg", images.jpeg((64, 48), seed=2))
    after = await ask(access, link(keys.links, "/img/hidden/cat.jpg"))
    assert after.version.image_id == new.image_id != before.version.image_id
    with pytest.raises(ObjectNotFound):
        await ask(access, link(keys.links, f"/img/{gallery.hidden_id}"))


def test_nobody_is_nobody() -> None:
    assert NOBODY.principal.anonymous
    assert not NOBODY.by_link
