"""A server that hands out pictures, with a CDN, presets and a picture for errors; buckets signed for and open."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import images
from tests.functional.imaging import Gallery
from tests.functional.img_delivery.delivery import (
    PHOTO,
    SETTINGS,
    bucket,
    configure,
    open_to_all,
)
from tests.services import Server, environment_of, running, stand_on


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    data = tmp_path_factory.mktemp("delivery") / "data"
    # Commands on this folder, such as `pixgate sign`, have the same settings.
    stand_on(data, environment_of(data) | SETTINGS)
    with running(Server(data, workers=1)) as started:
        yield started


@pytest.fixture(scope="module")
def branding(server: Server) -> Gallery:
    """An account whose pictures the settings name."""
    made = bucket(server, "branding")
    made.put("logo.png", images.png((40, 20)))
    made.put("none.png", images.png((200, 100), seed=3))
    return made


@pytest.fixture(scope="module")
def gallery(server: Server, branding: Gallery) -> Gallery:
    made = bucket(server, "delivered")
    made.put("cat.jpg", PHOTO)
    made.put("a/b_c, d.jpg", images.jpeg((300, 200), seed=2))
    return made


@pytest.fixture(scope="module")
def image_id(gallery: Gallery) -> str:
    return gallery.put("by-id.jpg", images.jpeg((900, 600), seed=5))


@pytest.fixture(scope="module")
def shown(server: Server, branding: Gallery) -> Gallery:
    """A bucket that is open, with presets and an image for those that are missing."""
    made = bucket(server, "shown-to-all")
    made.put("cat.jpg", PHOTO)
    made.put("instead.png", images.png((300, 150), seed=9))
    made.put("broken.jpg", PHOTO[:9000])
    open_to_all(made, "100,200,300")
    configure(made, "--preset", "card=w:120,h:80,fit:cover", "--preset", "tiny=w:30", "--fallback", "instead.png")
    return made
