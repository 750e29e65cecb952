"""`/img/<id>/info` and `/img/<id>/placeholder`: facts about a picture, and something small to show before it is there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from aiohttp.web import BaseRequest

from gateway.http.reply import Reply
from gateway.img.access import Granted
from gateway.img.answer import not_modified
from gateway.img.delivery import Header
from gateway.services.content_tag import content_tag
from gateway.services.derivatives import Derivatives
from transforms.errors import OptionError

_PLACEHOLDER = ("width", "height", "dominant_color", "blurhash", "thumbhash", "lqip")
_FORMS = ("json", "lqip", "blur", "blurhash", "thumbhash", "color")
_SMOOTH = 40
"""The blur of a placeholder: a fortieth of its longer side."""


async def info(
    derivatives: Derivatives,
    request: BaseRequest,
    granted: Granted,
    headers: list[Header],
    pairs: Sequence[tuple[str, str]],
) -> Reply:
    """Everything that `transforms.info.describe` finds, as JSON, with the content's tag as `v`.

    The EXIF, places included, is for who may read the object by rights of his own, and for all where the bucket says so.
    Raises OptionError for any parameter, and what `Derivatives` raises.
    """
    for name, _ in pairs:
        raise OptionError(name, "no parameters", "is not available here")
    told = granted.reader or granted.bucket.images.exif
    derivative = derivatives.info(granted.version)
    etag = f"{derivative.etag}-{'exif' if told else 'info'}"
    headers = [("ETag", f'"{etag}"'), *headers]
    if not_modified(request, etag):
        return Reply(304, headers)
    facts = await _facts(derivatives, granted)
    del facts["lqip"]
    if not told:
        del facts["exif"]
    facts["v"] = content_tag(derivative.content.uid)
    return _json(headers, facts)


async def placeholder(
    derivatives: Derivatives,
    request: BaseRequest,
    granted: Granted,
    headers: list[Header],
    pairs: Sequence[tuple[str, str]],
) -> Reply:
    """What a page shows first, as JSON; or with `as=lqip`, `blur`, `blurhash`, `thumbhash` or `color` that alone, as text.

    `lqip` is a data URI of a tiny picture, `blur` one of a drawing that shows it blurred in the picture's ratio. Raises
    OptionError, and what `Derivatives` raises.
    """
    form = _form(pairs)
    etag = f"{derivatives.info(granted.version).etag}-{form}"
    headers = [("ETag", f'"{etag}"'), *headers]
    if not_modified(request, etag):
        return Reply(304, headers)
    facts = await _facts(derivatives, granted)
    blurred = _blurred(facts["lqip"], facts["width"], facts["height"])
    if form == "json":
        return _json(headers, {**{name: facts[name] for name in _PLACEHOLDER}, "blur": blurred})
    text = {"blur": blurred, "color": facts["dominant_color"] or ""}.get(form) or facts.get(form, "")
    return Reply(200, [*headers, ("Content-Type", "text/plain; charset=utf-8")], str(text).encode())


def _form(pairs: Sequence[tuple[str, str]]) -> str:
    form = None
    for name, value in pairs:
        if name != "as":
            raise OptionError(name, "no other parameter than `as`", "is not available here")
        if form is not None:
            raise OptionError(name, "each parameter at most once", "is repeated")
        if value not in _FORMS:
            raise OptionError(name, f"one of {', '.join(_FORMS)}")
        form = value
    return form or "json"


async def _facts(derivatives: Derivatives, granted: Granted) -> dict[str, Any]:
    derivative = derivatives.info(granted.version)
    found = derivatives.cached(derivative) or await derivatives.render(derivative)
    facts: dict[str, Any] = json.loads(found.data)
    return facts


def _json(headers: list[Header], document: dict[str, Any]) -> Reply:
    return Reply(200, [*headers, ("Content-Type", "application/json")], json.dumps(document).encode() + b"\n")


def _blurred(lqip: str, width: int, height: int) -> str:
    """A drawing of the picture's size that shows its tiny copy through a blur; its edges stay opaque."""
    sigma = max(width, height) / _SMOOTH
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">'
        f'<filter id="b" color-interpolation-filters="sRGB"><feGaussianBlur stdDeviation="{sigma:.3g}"/>'
        '<feComponentTransfer><feFuncA type="discrete" tableValues="1 1"/></feComponentTransfer></filter>'
        f'<image preserveAspectRatio="none" filter="url(#b)" width="100%" height="100%" href="{lqip}"/></svg>'
    )
    return "data:image/svg+xml," + quote(svg, safe=" =:/;,+'()!*")
