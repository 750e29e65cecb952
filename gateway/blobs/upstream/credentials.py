"""The keys that requests are signed with: written down, in files that may change, or found as AWS's tools find them."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Protocol

from gateway.blobs.upstream.errors import UpstreamError
from gateway.blobs.upstream.signer import KeyPair
from gateway.settings.stores import S3Store

FILE_SECONDS = 10.0
"""Files are read again after so long."""
CHAIN_SECONDS = 60.0
"""Keys of the chain are asked for again after so long; botocore refreshes those that expire 10 to 15 minutes before."""
RETRY_SECONDS = 5.0


class Credentials(Protocol):
    def current(self) -> KeyPair | None:
        """The keys, where they are at hand and fresh."""

    async def load(self) -> KeyPair:
        """Fetch them where need be. Raises UpstreamError."""


class WrittenDown:
    def __init__(self, pair: KeyPair) -> None:
        self._pair = pair

    def current(self) -> KeyPair:
        return self._pair

    async def load(self) -> KeyPair:
        return self._pair


class _Refreshed(ABC):
    """Keys that are fetched in a thread and kept for a while. While a refresh fails the old ones are used on."""

    def __init__(self, keep_seconds: float) -> None:
        self._keep_seconds = keep_seconds
        self._pair: KeyPair | None = None
        self._until = 0.0
        self._lock = asyncio.Lock()

    def current(self) -> KeyPair | None:
        return self._pair if time.monotonic() < self._until else None

    async def load(self) -> KeyPair:
        async with self._lock:
            if (pair := self.current()) is not None:
                return pair
            try:
                self._pair = await asyncio.to_thread(self._fetch)
                self._until = time.monotonic() + self._keep_seconds
            except UpstreamError:
                if self._pair is None:
                    raise
                self._until = time.monotonic() + RETRY_SECONDS
            return self._pair

    @abstractmethod
    def _fetch(self) -> KeyPair:
        """Read the keys from where they are; blocks. Raises UpstreamError."""


class FromFiles(_Refreshed):
    """Each key is written down or in a file whose only line it is, so that they can be exchanged without a restart."""

    def __init__(self, access_key: str | Path, secret_key: str | Path) -> None:
        super().__init__(FILE_SECONDS)
        self._access_key = access_key
        self._secret_key = secret_key

    def _fetch(self) -> KeyPair:
        return KeyPair(_text(self._access_key), _text(self._secret_key))


def _text(value: str | Path) -> str:
    if isinstance(value, str):
        return value
    try:
        text = value.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UpstreamError(f"the key in {value} cannot be read: {error}") from error
    if not text:
        raise UpstreamError(f"{value} is empty")
    return text


class Chain(_Refreshed):
    """Variables, profile, web identity, container and machine roles: botocore looks them up, in a thread.

    botocore is imported here only: it costs a tenth of a second and 20 MB.
    """

    def __init__(self) -> None:
        super().__init__(CHAIN_SECONDS)
        self._found: Any = None

    def _fetch(self) -> KeyPair:
        import botocore.exceptions
        import botocore.session

        try:
            if self._found is None:
                self._found = botocore.session.Session().get_credentials()
            if self._found is None:
                raise UpstreamError("AWS's chain found no credentials")
            frozen = self._found.get_frozen_credentials()
        except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError, OSError) as error:
            self._found = None
            raise UpstreamError(f"AWS's chain found no credentials: {error}") from error
        return KeyPair(frozen.access_key, frozen.secret_key, frozen.token or None)


def credentials_of(settings: S3Store) -> Credentials:
    if settings.credentials == "chain":
        return Chain()
    access = settings.access_key or settings.access_key_file
    secret = settings.secret_key or settings.secret_key_file
    assert access is not None
    assert secret is not None
    if isinstance(access, str) and isinstance(secret, str):
        return WrittenDown(KeyPair(access, secret))
    return FromFiles(access, secret)
