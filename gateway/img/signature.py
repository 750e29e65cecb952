"""What signs an image URL: links of our own here; dialects have theirs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from gateway.img.asker import Asker, Circumstances
from gateway.model.accounts import AccessKey, KeyKind
from gateway.policy.principal import Principal
from gateway.services.directory import Directory
from signing.image_link import LinkClaims, raw_link_key, s3_link_key, sign_link, verify_link


class Signature(Protocol):
    """A signature in a URL, well-formed but not verified."""

    async def verify(self, directory: Directory, circumstances: Circumstances) -> Asker:
        """Whom it speaks for. Raises LinkRefused, which for every reason takes as long and looks the same."""
        ...

    def with_version(self, asker: Asker, tag: str) -> str | None:
        """Path and query of the same URL with `v=tag`, signed again; None where it cannot be. `asker` is verified."""
        ...


@dataclass(frozen=True, slots=True)
class LinkSignature:
    """`exp`, `kid` and `sig`, and what binds the link."""

    claims: LinkClaims

    async def verify(self, directory: Directory, circumstances: Circumstances) -> Asker:
        claims = self.claims
        key = await directory.access_key(claims.key_id)
        if key is not None and not key.usable(int(circumstances.now * 1000)):
            key = None
        verify_link(
            claims,
            None if key is None else link_key(key),
            circumstances.now,
            referer=circumstances.referer,
            address=circumstances.address,
        )
        return Asker(Principal(key), claims.expires, by_link=True, bound=bool(claims.bindings))

    def with_version(self, asker: Asker, tag: str) -> str | None:
        claims = self.claims
        pairs = [(name, tag if name == "v" else value) for name, value in claims.parameters]
        return signed_by(asker.principal, claims, claims.path, pairs)


def link_key(key: AccessKey) -> bytes:
    """What an access key signs links with."""
    return raw_link_key(key.secret) if key.kind is KeyKind.LINK else s3_link_key(key.secret)


def signed_by(principal: Principal, claims: LinkClaims, path: str, pairs: list[tuple[str, str]]) -> str | None:
    """Another link by the key of a verified one, as long and as bound; None without a key."""
    key = principal.access_key
    if key is None:
        return None
    return sign_link(
        path,
        pairs,
        key_id=key.access_key,
        key=link_key(key),
        expires=claims.expires,
        bindings=claims.bindings,
        in_path=claims.in_path,
    )
