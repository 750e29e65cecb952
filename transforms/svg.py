"""SVG made harmless: what draws is kept, everything else is left out.

    clean = sanitised(data)      # raises DecodeFailed, TooLarge

An allow-list of elements and attributes, applied to the events of a parser that expands nothing: a drawing that declares
entities is refused, so nothing can be multiplied or read in. What is left has no scripts, no event handlers, no animation,
no foreign content, and no reference but to its own parts and to raster images that it carries itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from transforms.errors import DecodeFailed, TooLarge
from transforms.headers.svg import sides

MAX_BYTES = 5_000_000
MAX_ELEMENTS = 50_000
MAX_DEPTH = 100
MAX_USES = 10_000
"""Elements that all references together may multiply the drawing to, counted before anything is drawn."""

_SVG = "http://www.w3.org/2000/svg"
_XLINK = "http://www.w3.org/1999/xlink"
_XML = "http://www.w3.org/XML/1998/namespace"

_ELEMENT_NAMES = """
    svg g defs symbol use switch title desc path rect circle ellipse line polyline polygon text tspan textPath image style
    linearGradient radialGradient stop clipPath mask pattern marker filter
    feBlend feColorMatrix feComponentTransfer feComposite feConvolveMatrix feDiffuseLighting feDisplacementMap feDistantLight
    feDropShadow feFlood feFuncA feFuncB feFuncG feFuncR feGaussianBlur feMerge feMergeNode feMorphology feOffset
    fePointLight feSpecularLighting feSpotLight feTile feTurbulence
"""
_ELEMENTS = frozenset(_ELEMENT_NAMES.split())
_RENAMED = {"a": "g"}
"""A link draws what is in it."""
_ATTRIBUTE_NAMES = """
    id class style transform x y x1 y1 x2 y2 cx cy r rx ry fx fy fr dx dy d width height viewBox preserveAspectRatio version
    points pathLength rotate textLength lengthAdjust startOffset method spacing side offset gradientUnits gradientTransform
    spreadMethod clipPathUnits maskUnits maskContentUnits patternUnits patternContentUnits patternTransform markerUnits
    markerWidth markerHeight refX refY orient filterUnits primitiveUnits in in2 result mode type values tableValues slope
    intercept amplitude exponent operator k1 k2 k3 k4 order kernelMatrix divisor bias targetX targetY edgeMode preserveAlpha
    surfaceScale diffuseConstant specularConstant specularExponent kernelUnitLength limitingConeAngle scale
    xChannelSelector yChannelSelector stdDeviation radius baseFrequency numOctaves seed stitchTiles azimuth elevation z
    pointsAtX pointsAtY pointsAtZ systemLanguage requiredFeatures media
    alignment-baseline baseline-shift clip clip-path clip-rule color color-interpolation color-interpolation-filters
    cursor direction display dominant-baseline enable-background fill fill-opacity fill-rule filter flood-color flood-opacity
    font font-family font-size font-size-adjust font-stretch font-style font-variant font-weight image-rendering
    isolation kerning letter-spacing lighting-color marker marker-end marker-mid marker-start mask mask-type mix-blend-mode
    opacity overflow paint-order shape-rendering stop-color stop-opacity stroke stroke-dasharray stroke-dashoffset
    stroke-linecap stroke-linejoin stroke-miterlimit stroke-opacity stroke-width text-anchor text-decoration text-rendering
    transform-origin unicode-bidi vector-effect visibility white-space word-spacing writing-mode
"""
_ATTRIBUTES = frozenset(_ATTRIBUTE_NAMES.split())
_TEXTUAL = frozenset(("text", "tspan", "textPath", "title", "desc", "style"))
_FRAGMENT = re.compile(r"\s*#[^\s\"'()<>\\]{1,200}\s*\Z")
_RASTER = re.compile(r"\s*data:image/(?:png|jpeg|jpg|gif|webp);base64,[A-Za-z0-9+/=\s]*\Z")
_URL = re.compile(r"url\s*\(", re.IGNORECASE)
_OWN_URL = re.compile(r"url\(\s*(?:#[^\s\"'()<>\\]{1,200}|\"#[^\s\"'()<>\\]{1,200}\"|'#[^\s\"'()<>\\]{1,200}')\s*\)")
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_ACTIVE = re.compile(
    r"\\|@|/\*|expression|javascript|vbscript|data:|//|image-set|behavior|-moz-binding|src\s*\(", re.IGNORECASE
)
"""What a stylesheet that only draws has no use for; a backslash could spell any of the others."""


def sanitised(data: bytes) -> bytes:
    """The drawing as UTF-8, with `width` and `height` of the root in pixels.

    Raises TooLarge beyond the bounds above, DecodeFailed for what is not well-formed, is no SVG or declares entities.
    """
    if len(data) > MAX_BYTES:
        raise TooLarge("svg_bytes", len(data), MAX_BYTES)
    cleaner = _Cleaner()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler = cleaner.start
    parser.EndElementHandler = cleaner.end
    parser.CharacterDataHandler = cleaner.text
    parser.EntityDeclHandler = _refuse_entity
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise DecodeFailed(f"The SVG is truncated or broken: {expat.errors.messages[error.code]}.") from None
    except (ValueError, LookupError):
        raise DecodeFailed("The SVG is in an encoding that is not known.") from None
    cleaner.check_uses()
    return "".join(cleaner.pieces).encode("utf-8", "replace")


def _refuse_entity(*_: object) -> None:
    raise DecodeFailed("The SVG declares entities, which are not read.")


@dataclass(slots=True)
class _Weight:
    """What an element costs to draw: its own elements, and those that it refers to."""

    own: int = 1
    uses: list[str] = field(default_factory=list)


class _Cleaner:
    """Writes what is allowed of the events it is told."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self._open: list[str] = []
        self._skipping = 0
        self._elements = 0
        self._style: list[str] | None = None
        self._weights: dict[str, _Weight] = {}
        self._around: list[_Weight] = []
        self._all = _Weight()

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._elements += 1
        if self._elements > MAX_ELEMENTS:
            raise TooLarge("svg_elements", self._elements, MAX_ELEMENTS)
        space, _, local = name.rpartition(" ")
        if not self._open and not self._skipping and (local != "svg" or space not in (_SVG, "")):
            raise DecodeFailed("The content is XML and no SVG.")
        local = _RENAMED.get(local, local)
        if self._skipping or space not in (_SVG, "") or local not in _ELEMENTS or self._style is not None:
            self._skipping += 1
            return
        if len(self._open) >= MAX_DEPTH:
            raise TooLarge("svg_depth", len(self._open) + 1, MAX_DEPTH)
        kept = _kept(local, attributes)
        if not self._open:
            width, height = sides(kept.get("width"), kept.get("height"), kept.get("viewBox"))
            kept |= {"width": f"{width:.4f}", "height": f"{height:.4f}"}
            self.pieces.append(f'<svg xmlns="{_SVG}" xmlns:xlink="{_XLINK}"')
        else:
            self.pieces.append(f"<{local}")
        self.pieces.extend(f" {key}={quoteattr(value)}" for key, value in kept.items())
        self.pieces.append(">")
        self._open.append(local)
        self._weigh(kept)
        if local == "style":
            self._style = []

    def end(self, _name: str) -> None:
        if self._skipping:
            self._skipping -= 1
            return
        if self._style is not None:
            css = _COMMENT.sub("", "".join(self._style))
            self.pieces.append(escape(css) if _is_plain_css(css) else "")
            self._style = None
        self._around.pop()
        self.pieces.append(f"</{self._open.pop()}>")

    def text(self, text: str) -> None:
        if self._skipping or not self._open:
            return
        if self._style is not None:
            self._style.append(text)
        elif self._open[-1] in _TEXTUAL:
            self.pieces.append(escape(text))

    def _weigh(self, kept: dict[str, str]) -> None:
        weight = self._weights.setdefault(kept["id"], _Weight(own=0)) if "id" in kept else _Weight(own=0)
        self._around.append(weight)
        referred = [kept["xlink:href"].strip()[1:]] if kept.get("xlink:href", "").lstrip().startswith("#") else []
        referred += [found[1] for value in kept.values() if "url(" in value for found in _REFERENCE.finditer(value)]
        for one in {id(weight): weight for weight in (*self._around, self._all)}.values():
            one.own += 1
            one.uses += referred

    def check_uses(self) -> None:
        """Raises TooLarge where references multiply the drawing, DecodeFailed where they go round in circles."""
        if not self.pieces:
            raise DecodeFailed("The SVG is empty.")
        known: dict[str, int] = {}

        def cost(name: str, depth: int) -> int:
            if name in known:
                return known[name]
            if depth > MAX_DEPTH:
                raise TooLarge("svg_depth", depth, MAX_DEPTH)
            weight = self._weights.get(name)
            if weight is None:
                return 0
            # One that is being counted refers to itself: renderers stop there, and so does the count.
            known[name] = 0
            known[name] = total = weight.own + sum(cost(use, depth + 1) for use in weight.uses)
            return total

        total = sum(cost(use, 1) for use in self._all.uses)
        if total > MAX_USES + self._elements:
            raise TooLarge("svg_uses", total, MAX_USES + self._elements)


_REFERENCE = re.compile(r"url\(\s*[\"']?#([^\s\"')]{1,200})")


def _kept(element: str, attributes: dict[str, str]) -> dict[str, str]:
    """The attributes that stay, by the names under which they are written."""
    kept: dict[str, str] = {}
    for name, value in attributes.items():
        space, _, local = name.rpartition(" ")
        if local == "href" and space in ("", _XLINK):
            if _FRAGMENT.match(value) or (element == "image" and _RASTER.match(value)):
                kept["xlink:href"] = value
        elif name == f"{_XML} space":
            kept["xml:space"] = value
        elif not space and local in _ATTRIBUTES and _is_harmless(local, value):
            kept[local] = value
    return kept


def _is_harmless(name: str, value: str) -> bool:
    return _is_plain_css(value) if name == "style" or "(" in value or "\\" in value else True


def _is_plain_css(text: str) -> bool:
    """Whether a stylesheet, a declaration or a value reaches for nothing outside the drawing."""
    return not _ACTIVE.search(text) and len(_URL.findall(text)) == len(_OWN_URL.findall(text))
