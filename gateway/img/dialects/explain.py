"""How an image URL was read, ours or a foreign one: for `pixgate explain` and `/img/-/explain?url=...`.

Over HTTP it is told to whoever signs the request with an access key that may read the image, and to anybody for a URL
whose own signature holds. Else a reading would tell strangers which buckets and presets stand behind the names in a URL.
What a preset says is for those who may read the image, since a link shows no more than what it makes of a picture. Nobody
learns whether something would be refused but by what a GET of the same URL would answer.
"""

from __future__ import annotations

from typing import Any

from gateway.img.access import Access, reads
from gateway.img.asker import NOBODY, Asker
from gateway.img.dialects.doors import Dialects, bare_host
from gateway.img.dialects.reading import Reading
from gateway.img.dialects.signature import DialectSignature, UnsignedUntil
from gateway.img.errors import ImageError, access_denied, translate
from gateway.img.signature import LinkSignature
from gateway.img.target import PREFIX, AddressError, ImageById, ImageByKey, Target, make_target, parse_target
from gateway.model.accounts import AccessKey
from gateway.model.buckets import Bucket
from gateway.services.directory import Directory
from gateway.services.presets import Presets
from gateway.settings.dialects import DialectName
from gateway.settings.settings import Settings
from signing.canonical import Query
from signing.errors import LinkRefused
from transforms.options import ImageRequest

Answer = dict[str, Any]
NATIVE = "pixgate"
_PRESETS = "presets"


class Explainer:
    """Explains URLs, with what settings, directory and objects say at the moment."""

    def __init__(self, settings: Settings, directory: Directory, access: Access, presets: Presets) -> None:
        self._dialects = Dialects(settings)
        self._directory = directory
        self._access = access
        self._presets = presets

    async def explain(self, url: str, asker: Asker, now: float) -> Answer:
        """How `url`, absolute or beginning with its path, was read. Raises ImageError AccessDenied."""
        read = await self._read_for(asker, url)
        reader = read is not None
        answer, target = read or self._read(url, strict=True)
        if target is None:
            return answer
        speaker, refusal = await self._identify(target, now)
        answer["signature"] = _signature_state(target, refusal)
        if not reader and (speaker is None or speaker.principal.anonymous):
            raise access_denied()
        answer |= await self._outcome(target, speaker, refusal, reader=reader)
        if not reader and _PRESETS in answer:
            for name in ("options", "canonical"):
                answer.pop(name, None)
        return answer

    async def explain_to_operator(self, url: str, now: float) -> Answer:
        """The same for somebody at the machine: also why a signature does not hold."""
        answer, target = self._read(url, strict=False)
        if target is None:
            return answer
        speaker, refusal = await self._identify(target, now)
        answer["signature"] = await self._signature_detail(target, refusal, now)
        if not isinstance(target.address, ImageById):
            answer["bucket_state"] = _bucket_state(await self._directory.bucket(target.address.bucket))
        return answer | await self._outcome(target, speaker, refusal, reader=True)

    async def _read_for(self, asker: Asker, url: str) -> tuple[Answer, Target] | None:
        """What the URL says, whether its signature holds or not; None for an asker who may not read what it names."""
        if asker.principal.anonymous:
            return None
        answer, target = self._read(url, strict=False)
        if target is None:
            return None
        await self._directory.refresh()
        where = await self._access.located(target)
        return (answer, target) if where is not None and reads(asker.principal, *where) else None

    def _read(self, url: str, *, strict: bool) -> tuple[Answer, Target | None]:
        """What the URL says, and its target; None where it cannot be read, as anybody is told who asks for it.

        `strict`: only what a request for the URL would tell. Raises ImageError AccessDenied then.
        """
        answer: Answer = {}
        try:
            dialect, prefix, text = self._speaks(url)
            answer["dialect"] = dialect or NATIVE
            if dialect is None:
                target = parse_target(text, signed_header=False)
                return answer | _described(target, None), target
            if strict:
                self._dialects.target(dialect, prefix, text)
            split = self._dialects.split(dialect, text.removeprefix(prefix))
            reading = self._dialects.read(dialect, split.rest)
            target = self._dialects.target_of(reading, split, self._dialects.holder(dialect, split), text)
            return answer | _described(target, reading), target
        except Exception as error:
            known = translate(error)
            if known is None:
                raise
            if strict and isinstance(error, LinkRefused):
                raise access_denied() from None
            return answer | {"refused": _refused(known)}, None

    def _speaks(self, url: str) -> tuple[DialectName | None, str, str]:
        """The dialect of a URL (None: ours), the prefix before it, and path and query."""
        text, host = url.partition("#")[0], ""
        if not text.startswith("/"):
            host, _, path = text.partition("://")[2].partition("/")
            text = "/" + path
        dialect = self._dialects.hosts.get(bare_host(host))
        if dialect is not None:
            return dialect, "", text
        name = text[1:].partition("?")[0].partition("/")[0]
        dialect = self._dialects.prefixes.get(name)
        if dialect is not None:
            return dialect, "/" + name, text
        if not text.startswith(PREFIX):
            raise AddressError("This is no URL of an image: neither its host nor its path is one of this server's.")
        return None, "", text

    async def _identify(self, target: Target, now: float) -> tuple[Asker | None, ImageError | None]:
        """Whom the URL speaks for, or why for nobody."""
        await self._directory.refresh()
        try:
            return await self._access.identify(target, method="GET", authorization=None, headers={}, now=now), None
        except Exception as error:  # noqa: BLE001 -- what is not foreseen is raised again
            return None, _known(error)

    async def _outcome(
        self, target: Target, speaker: Asker | None, refusal: ImageError | None, *, reader: bool
    ) -> Answer:
        """What would be rendered, and what would refuse it; `reader`: it is told to somebody who may know the presets."""
        request: ImageRequest | None = target.fixed
        if refusal is None:
            try:
                request = (await self._access.find(speaker or NOBODY, target)).request
            except Exception as error:  # noqa: BLE001 -- what is not foreseen is raised again
                refusal = _known(error)
        if request is None and reader:
            try:
                request = await self._with_preset(target)
            except Exception as error:  # noqa: BLE001 -- what is not foreseen is raised again
                refusal = refusal or _known(error)
        answer: Answer = {}
        if request is not None and (reader or target.fixed is not None):
            answer["canonical"] = request.options.canonical()
        return answer | {"refused": None if refusal is None else _refused(refusal)}

    async def _with_preset(self, target: Target) -> ImageRequest | None:
        where = await self._access.located(target)
        return None if where is None else target.request(self._presets.find(where[0]))

    async def _signature_detail(self, target: Target, refusal: ImageError | None, now: float) -> str:
        signature = target.signature
        if isinstance(signature, DialectSignature):
            name = signature.access_key
            if name is None:
                return "made with none of the keys in the settings, or over another path"
            return _state(name, await self._directory.access_key(name), signature.expires, now)
        if isinstance(signature, LinkSignature) and refusal is not None:
            claims = signature.claims
            state = _state(claims.key_id, await self._directory.access_key(claims.key_id), claims.expires, now)
            return (
                "made with another secret, over another URL, or bound elsewhere" if state.startswith("holds") else state
            )
        return _signature_state(target, refusal)


def asked_about(path: bytes, query: Query) -> Target:
    """What a request for an explanation authenticates: a target that names no image."""
    return make_target(
        ImageByKey("", b""), (), raw_path=path, query=query, presigned="X-Amz-Signature" in dict(query.pairs)
    )


def _known(error: Exception) -> ImageError:
    """What a GET would answer. Raises an error that is none of ours."""
    known = translate(error)
    if known is None:
        raise error
    return known


def _described(target: Target, reading: Reading | None) -> Answer:
    address = target.address
    answer: Answer = {} if reading is None else {"source": reading.source}
    if reading is not None and reading.presets:
        answer[_PRESETS] = ", ".join(reading.presets)
    if isinstance(address, ImageById):
        answer["image_id"] = address.image_id
    else:
        answer |= {"bucket": address.bucket, "key": address.key.decode("utf-8", "replace")}
    if reading is None:
        answer["asks_for"] = target.verb
    answer["options"] = dict(target.pairs)
    expires = target.signature.claims.expires if isinstance(target.signature, LinkSignature) else None
    if isinstance(target.signature, (DialectSignature, UnsignedUntil)):
        expires = target.signature.expires
    if expires is not None:
        answer["expires"] = expires
    return answer


def _bucket_state(bucket: Bucket | None) -> str:
    if bucket is None:
        return "does not exist"
    return f"of the account {bucket.owner.name}, " + ("open for images" if bucket.images_public else "private")


def _signature_state(target: Target, refusal: ImageError | None) -> str:
    if (target.signature is None or isinstance(target.signature, UnsignedUntil)) and not target.presigned:
        return "none"
    return "holds" if refusal is None else "does not hold"


def _state(name: str, key: AccessKey | None, expires: int | None, now: float) -> str:
    if key is None:
        return f"of the access key {name}, which does not exist"
    if not key.usable(int(now * 1000)):
        return f"of the access key {name}, which is switched off or has expired"
    if expires is not None and now > expires:
        return f"of the access key {name}, but its time is over"
    return f"holds, by the access key {name} of {key.account.name}"


def _refused(error: ImageError) -> Answer:
    answer: Answer = {"status": error.status, "code": error.code, "message": str(error)}
    return answer if error.option is None else answer | {"option": error.option}
