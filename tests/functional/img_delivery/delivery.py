"""What the tests of how pictures are handed out share: settings, buckets, and commands beside the server."""

from __future__ import annotations

import json
import time
from urllib.parse import urlsplit

from click.testing import CliRunner

from conformance.target import Keys
from gateway.cli import pixgate
from signing.image_link import raw_link_key, sign_link
from tests import images
from tests.functional.imaging import Answer, Gallery, fetch
from tests.services import Server, environment_of

CDN = "https://cdn.example.test"
PHOTO = images.jpeg((900, 600))
SETTINGS = {
    "PIXGATE_IMAGE_PRESETS": "tiny=w:40;small=w:60,f:png;logo=w:80,wm:branding/logo.png",
    "PIXGATE_IMAGE_FALLBACK": "branding/none.png",
    "PIXGATE_IMAGE_CACHE_TAGS": "both",
    "PIXGATE_IMAGE_SHARED_MAX_AGE": "86400",
    "PIXGATE_IMAGE_STALE_MAX_AGE": "600",
    "PIXGATE_CDN_URL": CDN,
}
CAT = "/img/delivered/cat.jpg"


def command(server: Server, *arguments: str) -> str:
    """What a command prints that runs in this process, which is quicker than starting one."""
    environment: dict[str, str | None] = dict(environment_of(server.data))
    result = CliRunner().invoke(pixgate, [*arguments, "--data", str(server.data)], env=environment)
    assert result.exit_code == 0, result.output
    return result.stdout


def new_keys(server: Server, account: str, *options: str) -> Keys:
    made = json.loads(command(server, "keys", "create", "--account", account, "--json", *options))
    return Keys(made["access_key"], made["secret_key"])


def bucket(server: Server, name: str) -> Gallery:
    """A bucket of an account of its own, as `Gallery` makes it."""
    made = Gallery.__new__(Gallery)
    made.server, made.name = server, name
    made.keys, made.links = new_keys(server, f"{name}-owner"), new_keys(server, f"{name}-owner", "--links")
    made.client = server.client(made.keys, signature_version="s3v4")
    made.client.create_bucket(Bucket=name)
    return made


def open_to_all(gallery: Gallery, ladder: str | None = None) -> None:
    configure(gallery, "--images", "public", *(() if ladder is None else ("--ladder", ladder)))


def configure(gallery: Gallery, *options: str) -> None:
    command(gallery.server, "buckets", "set", gallery.name, *options)


def raw_get(server: Server, url: str, **headers: str) -> Answer:
    """The answer to a URL that the server gave out, whatever address it begins with."""
    parts = urlsplit(url)
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return fetch(server, parts.path + (f"?{parts.query}" if parts.query else ""), given)


def sign(gallery: Gallery, path: str, pairs: list[tuple[str, str]], **more: object) -> str:
    key = raw_link_key(gallery.links.secret_key)
    expires = int(time.time()) + 600
    return sign_link(path, pairs, key_id=gallery.links.access_key, key=key, expires=expires, **more)  # type: ignore[arg-type]


def presigned(gallery: Gallery, path: str, query: str, **headers: str) -> Answer:
    from signing.sigv4.sign import Credentials, presign

    url = presign(
        Credentials(gallery.keys.access_key, gallery.keys.secret_key),
        method="GET", url=f"{gallery.server.url}{path}?{query}", now=time.time(), region="us-east-1", expires=60,
    )  # fmt: skip
    return raw_get(gallery.server, url, **headers)


DRAWING = (
    b'<svg xmlns="http://www.w3.org/2000/svg" width="60" height="40" onload="alert(1)"><script>alert(2)</script>'
    b'<style>rect{fill:#0a0}</style><rect width="60" height="40"/></svg>'
)
