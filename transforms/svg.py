"""SVG made harmless: what draws is kept, everything else is left out.

    drawing = cleaned(data)      # raises DecodeFailed, TooLarge
    drawing.data                 # the clean drawing as UTF-8

An allow-list of elements and attributes, applied to the events of a parser that expands nothing: a drawing that declares
entities is refused, so nothing can be multiplied or read in. What is left has no scripts, no event handlers, no animation,
no foreign content, and no reference but to its own parts and to raster images that it carries itself.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from transforms.errors import DecodeFailed, NotAnImage, TooLarge
from transforms.headers import Source, read_header
from transforms.headers.svg import sides

MAX_BYTES = 5_000_000
MAX_ELEMENTS = 50_000
MAX_DEPTH = 100
MAX_USES = 10_000
"""Elements that all references together may multiply the drawing to, counted before anything is drawn."""
MAX_TEXT = 20_000
"""Characters of text; each is shaped and placed."""
MAX_TEXT_RUN = 2_000
"""Characters of one text: what is on one line takes longer by the square."""
MAX_PATH_NUMBERS = 100_000
"""Numbers in all paths and polygons. Edges that cross each other take longer by the square, which only the time that a
drawing may take bounds."""
MAX_MATCHES = 200_000_000
"""Characters of style sheets times elements: every rule is tried on every element."""
MAX_IMAGE_PIXELS = 50_000_000
"""Width times height of all raster images inside."""
MAX_EFFECT_PIXELS = 250_000_000
"""Pixels of the result times what filters do to each of them: some seconds."""

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
_RASTERS = ("png", "jpeg", "gif", "webp")
_URL = re.compile(r"url\s*\(", re.IGNORECASE)
_OWN_URL = re.compile(r"url\(\s*(?:#[^\s\"'()<>\\]{1,200}|\"#[^\s\"'()<>\\]{1,200}\"|'#[^\s\"'()<>\\]{1,200}')\s*\)")
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_ACTIVE = re.compile(
    r"\\|@|/\*|expression|javascript|vbscript|data:|//|image-set|behavior|-moz-binding|src\s*\(", re.IGNORECASE
)
"""What a stylesheet that only draws has no use for; a backslash could spell any of the others."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """A drawing that is harmless."""

    data: bytes
    """UTF-8; `width` and `height` of the root are in pixels."""
    width: float
    height: float
    effects: float
    """What its filters do, in passes over all its pixels."""

    def check_effects(self, scale: float) -> None:
        """Raises TooLarge where filters would take too long on the drawing at `scale`."""
        pixels = int(self.width * self.height * scale**2 * self.effects)
        if pixels > MAX_EFFECT_PIXELS:
            raise TooLarge("svg_effect_pixels", pixels, MAX_EFFECT_PIXELS)


def cleaned(data: bytes) -> Drawing:
    """The drawing with what is on the lists above.

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
    return cleaner.drawing()


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
        self._texts = self._run = self._sheets = self._pixels = self._numbers = 0
        self._size = (0.0, 0.0)
        self._filter: str | None = None
        self._filters: dict[str, float] = {}
        self._filtered: list[str] = []

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
        if kept.get("xlink:href", "#").lstrip()[:1] != "#":
            self._embed(kept)
        self._numbers += sum(len(_NUMBER.findall(kept.get(name, ""))) for name in ("d", "points"))
        if self._numbers > MAX_PATH_NUMBERS:
            raise TooLarge("svg_path_numbers", self._numbers, MAX_PATH_NUMBERS)
        self._note_filters(local, kept)
        if not self._open:
            self._size = width, height = sides(kept.get("width"), kept.get("height"), kept.get("viewBox"))
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
        elif local == "text":
            self._run = 0

    def end(self, _name: str) -> None:
        if self._skipping:
            self._skipping -= 1
            return
        if self._style is not None:
            css = _COMMENT.sub("", "".join(self._style))
            if _is_plain_css(css):
                self.pieces.append(escape(css))
                self._sheets += len(css)
                self._filtered += [found[1] for found in _REFERENCE.finditer(css)]
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
            self._texts += len(text)
            if self._texts > MAX_TEXT:
                raise TooLarge("svg_text", self._texts, MAX_TEXT)
            if self._open[-1] not in ("title", "desc"):
                self._run += len(text)
            if self._run > MAX_TEXT_RUN:
                raise TooLarge("svg_text_run", self._run, MAX_TEXT_RUN)

    def _embed(self, kept: dict[str, str]) -> None:
        """Counts the pixels of a raster image inside, and takes out what is none."""
        try:
            content = base64.b64decode(kept["xlink:href"].partition(",")[2], validate=False)
            header = read_header(Source.of_bytes(content))
        except (ValueError, DecodeFailed, NotAnImage):
            del kept["xlink:href"]
            return
        if header.format.name not in _RASTERS:
            del kept["xlink:href"]
            return
        self._pixels += header.pixels
        if self._pixels > MAX_IMAGE_PIXELS:
            raise TooLarge("svg_image_pixels", self._pixels, MAX_IMAGE_PIXELS)

    def _note_filters(self, element: str, kept: dict[str, str]) -> None:
        if element == "filter":
            self._filter = kept.get("id")
        elif element.startswith("fe") and self._filter is not None:
            self._filters[self._filter] = self._filters.get(self._filter, 0) + _passes(element, kept)
        for name in ("filter", "style"):
            self._filtered += [found[1] for found in _REFERENCE.finditer(kept.get(name, ""))]

    def _weigh(self, kept: dict[str, str]) -> None:
        weight = self._weights.setdefault(kept["id"], _Weight(own=0)) if "id" in kept else _Weight(own=0)
        self._around.append(weight)
        referred = [kept["xlink:href"].strip()[1:]] if kept.get("xlink:href", "").lstrip().startswith("#") else []
        referred += [found[1] for value in kept.values() if "url(" in value for found in _REFERENCE.finditer(value)]
        for one in {id(weight): weight for weight in (*self._around, self._all)}.values():
            one.own += 1
            one.uses += referred

    def drawing(self) -> Drawing:
        """What was written. Raises TooLarge where it would take too long to draw."""
        if not self.pieces:
            raise DecodeFailed("The SVG is empty.")
        self._check_uses()
        matches = self._sheets * self._elements
        if matches > MAX_MATCHES:
            raise TooLarge("svg_matches", matches, MAX_MATCHES)
        effects = sum(self._filters.get(name, 0) for name in self._filtered)
        return Drawing("".join(self.pieces).encode("utf-8", "replace"), *self._size, effects)

    def _check_uses(self) -> None:
        """Raises TooLarge where references multiply the drawing."""
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


_NUMBER = re.compile(r"(?:\d+\.?\d*|\.\d+)")
_REFERENCE = re.compile(r"url\(\s*[\"']?#([^\s\"')]{1,200})")


_PASSES = {"feGaussianBlur": 2.0, "feDropShadow": 3.0, "feDiffuseLighting": 5.0, "feSpecularLighting": 5.0}
_TURBULENCE = 8.0
"""For each octave; all against one of the simple effects."""


def _passes(element: str, kept: dict[str, str]) -> float:
    """How many simple passes over its pixels an effect takes."""
    match element:
        case "feTurbulence":
            return _TURBULENCE * max(1.0, _number(kept.get("numOctaves"), 1.0))
        case "feConvolveMatrix":
            return max(1.0, _number(kept.get("order"), 3.0)) ** 2
        case "feMorphology":
            return 1.0 + 2 * _number(kept.get("radius"), 0.0)
    return _PASSES.get(element, 1.0)


def _number(text: str | None, default: float) -> float:
    """The largest number of an attribute that has one or two; `default` where it has none."""
    try:
        value = max(float(part) for part in (text or "").replace(",", " ").split())
    except ValueError:
        return default
    return value if 0 <= value < 1e6 else default


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
