"""What the tests of image URLs share: an account with a bucket, its links, and answers with their headers."""

from __future__ import annotations

import http.client
import io
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from PIL import Image

from conformance.target import Keys
from signing.image_link import raw_link_key, s3_link_key, sign_link
from tests.services import Server, pixgate

CHROME = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"


@dataclass(frozen=True, slots=True)
class Answer:
    """A response; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """The error code in its JSON body."""
        return str(json.loads(self.body)["error"]["code"])

    @property
    def picture(self) -> Image.Image:
        """The body, decoded."""
        image = Image.open(io.BytesIO(self.body))
        image.load()
        return image


def fetch(
    server: Server, target: str, headers: Mapping[str, str] | None = None, *, method: str = "GET", timeout: float = 60
) -> Answer:
    """Send a request for `target` as it is written, on a connection of its own."""
    parts = urlsplit(server.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout)
    try:
        connection.request(method, target, headers=dict(headers or {}))
        response = connection.getresponse()
        body = response.read()
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, body)
    finally:
        connection.close()


class Gallery:
    """An account of its own on a server, with a bucket and a link key."""

    def __init__(self, server: Server, name: str) -> None:
        self.server = server
        self.name = name
        self.keys = server.new_keys(f"{name}-owner")
        self.links = server.new_keys(f"{name}-owner", "--links")
        self.client: Any = server.client(self.keys, signature_version="s3v4")
        self.client.create_bucket(Bucket=name)

    def put(self, key: str, data: bytes) -> str:
        """Store an object; gives its image id, empty where it has none."""
        answer = self.client.put_object(Bucket=self.name, Key=key, Body=data)
        return str(answer["ResponseMetadata"]["HTTPHeaders"].get("x-pixgate-image-id", ""))

    def link(self, path: str, query: str = "", *, keys: Keys | None = None, expires: float | None = None) -> str:
        """A signed link to `path`, decoded, with the options of `query`; by the link key unless `keys` are S3's."""
        key = raw_link_key(self.links.secret_key) if keys is None else s3_link_key(keys.secret_key)
        pairs = [(name, value) for name, _, value in (item.partition("=") for item in query.split("&") if item)]
        moment = int(time.time() + 600 if expires is None else expires)
        return sign_link(path, pairs, key_id=(keys or self.links).access_key, key=key, expires=moment)

    def get(
        self, path: str, query: str = "", headers: Mapping[str, str] | None = None, *, method: str = "GET"
    ) -> Answer:
        """The answer to a signed link."""
        return fetch(self.server, self.link(path, query), headers, method=method)

    def open(self, ladder: str | None = None) -> None:
        """Open the bucket for unsigned links."""
        widths = () if ladder is None else ("--ladder", ladder)
        pixgate("buckets", "set", self.name, "--images", "public", *widths, data=self.server.data)
