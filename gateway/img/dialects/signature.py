"""Whose rights a foreign signature gives: those of the access key that the setting names beside its key.

So a dialect's key is made, narrowed to a bucket or a prefix, switched off and deleted as any link key, and what it opens
ends at the next request. Of root it opens root's own buckets only.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from gateway.img.asker import Asker, Circumstances
from gateway.model.accounts import AccessKey
from gateway.policy.principal import ANONYMOUS, Principal
from gateway.services.directory import Directory
from gateway.settings.dialects import ImgproxyKey, ThumborKey
from signing.dialect_signatures import Algorithm, imgproxy_holds, thumbor_holds
from signing.errors import LinkRefused


@dataclass(frozen=True, slots=True)
class ImgproxyKeys:
    """Keys and salts that are valid at once, and how many bytes of a signature count."""

    keys: tuple[ImgproxyKey, ...]
    size: int

    def access_key(self, signature: str, signed: tuple[bytes, ...]) -> str | None:
        """The access key behind a signature; None where it does not hold."""
        found = None
        for key in self.keys:
            if any(imgproxy_holds(signature, key.key, key.salt, path, self.size) for path in signed):
                found = key.access_key
        return found


@dataclass(frozen=True, slots=True)
class ThumborKeys:
    """Security keys that are valid at once, the digest, and how many characters of a signature count (0: all)."""

    keys: tuple[ThumborKey, ...]
    algorithm: Algorithm
    length: int

    def access_key(self, signature: str, signed: tuple[bytes, ...]) -> str | None:
        """The access key behind a signature; None where it does not hold."""
        found = None
        for key in self.keys:
            if thumbor_holds(signature, key.key, signed, self.algorithm, self.length):
                found = key.access_key
        return found


Keys = ImgproxyKeys | ThumborKeys


@dataclass(frozen=True, slots=True)
class DialectSignature:
    """A signature of imgproxy, thumbor or imagor, compared with the keys of the settings already.

    `access_key` is the one behind it, None where it does not hold; `expires` is in Unix seconds.
    """

    access_key: str | None
    expires: int | None

    async def verify(self, directory: Directory, circumstances: Circumstances) -> Asker:
        """Whom it speaks for. Raises LinkRefused."""
        name = self.access_key
        key = None if name is None else await directory.access_key(name)
        if key is None or not key.usable(int(circumstances.now * 1000)) or _over(self.expires, circumstances):
            raise LinkRefused
        return Asker(Principal(owners_alone(key)), self.expires, by_link=True)

    def with_version(self, asker: Asker, tag: str) -> str | None:  # noqa: ARG002 -- no foreign URL has a version
        return None


@dataclass(frozen=True, slots=True)
class UnsignedUntil:
    """No signature, but a time after which the URL opens nothing, in Unix seconds."""

    expires: int

    async def verify(self, directory: Directory, circumstances: Circumstances) -> Asker:  # noqa: ARG002 -- the port
        """Anybody. Raises LinkRefused."""
        if _over(self.expires, circumstances):
            raise LinkRefused
        return Asker(ANONYMOUS, self.expires)

    def with_version(self, asker: Asker, tag: str) -> str | None:  # noqa: ARG002 -- no foreign URL has a version
        return None


def owners_alone(key: AccessKey) -> AccessKey:
    """The key without root's rights in other accounts' buckets: a dialect's key signs for one account."""
    if not key.account.is_root:
        return key
    return replace(key, account=replace(key.account, is_root=False))


def _over(expires: int | None, circumstances: Circumstances) -> bool:
    return expires is not None and circumstances.now > expires
