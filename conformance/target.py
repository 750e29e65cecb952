"""What is checked: an address, a region and keys; and the two ways of talking to it (boto3 and a bare socket)."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from botocore.config import Config

from conformance.sdk import s3_client

CONNECT_SECONDS = 10
READ_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Keys:
    """An access key and its secret."""

    access_key: str
    secret_key: str


@dataclass(frozen=True, slots=True)
class Target:
    """An S3 endpoint. `other` are keys of a second account; `domain` is the one of virtual-host style requests."""

    endpoint: str
    keys: Keys
    region: str = "us-east-1"
    other: Keys | None = None
    domain: str | None = None
    ca_file: str | None = None
    server: str = ""

    @property
    def tls(self) -> bool:
        """Whether the endpoint is spoken to over https."""
        return urlsplit(self.endpoint).scheme == "https"

    @property
    def host(self) -> str:
        """The host name without the port."""
        return urlsplit(self.endpoint).hostname or ""

    @property
    def port(self) -> int:
        """The TCP port, the scheme's own where the URL names none."""
        return urlsplit(self.endpoint).port or (443 if self.tls else 80)

    @property
    def authority(self) -> str:
        """What a client writes in `Host`: the port only where it is not the scheme's own."""
        return self.host if self.port == (443 if self.tls else 80) else f"{self.host}:{self.port}"

    def ssl_context(self) -> ssl.SSLContext:
        """A context that verifies the endpoint's certificate."""
        return ssl.create_default_context(cafile=self.ca_file)

    def client(self, keys: Keys | None = None, **config: Any) -> Any:
        """A boto3 client that never retries, so that every answer is seen; settings otherwise as they come."""
        keys = keys or self.keys
        settings: dict[str, Any] = {
            "retries": {"total_max_attempts": 1},
            "connect_timeout": CONNECT_SECONDS,
            "read_timeout": READ_SECONDS,
            "max_pool_connections": 32,
            "s3": {"addressing_style": "path"},
        }
        return s3_client(
            self.endpoint,
            keys.access_key,
            keys.secret_key,
            region=self.region,
            config=Config(**(settings | config)),
            verify=self.ca_file if self.tls else None,
        )
