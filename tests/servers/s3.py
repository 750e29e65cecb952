"""Servers that speak S3: where they are, with which keys, and buckets on them."""

from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from tests.servers.kept import Kept

REGION = "us-east-1"


class S3Server(Kept):
    """A store that speaks S3 over plain http on the loopback, with path-style addresses."""

    _own_client: Any = None

    @classmethod
    def read_url(cls, url: str) -> dict[str, str]:
        """From `s3://KEY:SECRET@HOST:PORT/?tls=off`, as in PIXGATE_STORE_URL without a bucket."""
        parts = urlsplit(url)
        scheme = "http" if parse_qs(parts.query).get("tls") == ["off"] else "https"
        return {
            "endpoint": f"{scheme}://{parts.netloc.rpartition('@')[2]}",
            "access_key": unquote(parts.username or ""),
            "secret_key": unquote(parts.password or ""),
        }

    @property
    def endpoint(self) -> str:
        """As `http://127.0.0.1:9000`."""
        return self.details["endpoint"]

    @property
    def port(self) -> int:
        """Of the endpoint."""
        parts = urlsplit(self.endpoint)
        return parts.port or {"http": 80, "https": 443}[parts.scheme]

    @property
    def access_key(self) -> str:
        """Of the user who may do everything."""
        return self.details["access_key"]

    @property
    def secret_key(self) -> str:
        """Of the user who may do everything."""
        return self.details["secret_key"]

    def store_url(self, bucket: str, endpoint: str = "") -> str:
        """The bucket as PIXGATE_STORE_URL names it; `endpoint` is that of a proxy in front of the server."""
        parts = urlsplit(endpoint or self.endpoint)
        tls = "off" if parts.scheme == "http" else "on"
        keys = f"{quote(self.access_key, safe='')}:{quote(self.secret_key, safe='')}"
        return f"s3://{keys}@{parts.netloc}/{bucket}?tls={tls}&style=path"

    def client(self, endpoint: str = "", **config: Any) -> Any:
        """A new boto3 client, without retries; `endpoint` as above."""
        from botocore.config import Config

        from conformance.sdk import s3_client

        settings = {"s3": {"addressing_style": "path"}, "retries": {"total_max_attempts": 1}, "proxies": {}} | config
        address = endpoint or self.endpoint
        return s3_client(address, self.access_key, self.secret_key, region=REGION, config=Config(**settings))

    def new_bucket(self, *, versioning: bool = False) -> str:
        """The name of a new, empty bucket."""
        name = f"test-{uuid.uuid4().hex[:20]}"
        client = self._own_client = self._own_client or self.client()
        client.create_bucket(Bucket=name)
        if versioning:
            client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        return name

    def close(self) -> None:
        """As with any server."""
        if self._own_client:
            self._own_client.close()
        super().close()
