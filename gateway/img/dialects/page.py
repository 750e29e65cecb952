"""The reference page of the dialects, made from their tables."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.img.dialects.imgproxy import table as imgproxy_table
from gateway.img.dialects.thumbor import table as thumbor_table

_HEAD = """\
# URLs of imgproxy, thumbor and imagor

This page is made from the code's tables by `make docs`. The guides say how to switch:
[from imgproxy](../guides/coming-from-imgproxy.md), [from thumbor or imagor](../guides/coming-from-thumbor.md).

Each option or filter becomes options of ours (column "Ours", see [image options](image-options.md)), so that the picture
is the same, and has the same ETag, as that of the URL of our own. What is not supported is answered with 400 and its name;
nothing is ignored. Where no column says otherwise the meaning is that of the original's documentation.

Everywhere: steps have our order, not that of the URL; default qualities are this server's; metadata is left out unless the
URL asks for it; without a gravity in the URL the object's own focal point counts; pictures are always upright.
"""
_IMGPROXY = """
## imgproxy

`/<signature>/<options>/plain/<source>@<extension>` and `/<signature>/<options>/<base64 of the source>.<extension>`.

| Option | Arguments | Ours | Differences |
|---|---|---|---|
"""
_PARTS = """
## thumbor and imagor: the path

`/<signature or unsafe>/trim/AxB:CxD/fit-in/-WxH-/halign/valign/smart/filters:.../<source>`, each part optional.

| Part | Ours | Differences |
|---|---|---|
| `trim`, `trim:top-left:N` | `trim` | thumbor's tolerance is a distance in RGB: divided by the root of three. `bottom-right` refused, and beside a crop. |
| `AxB:CxD` | `crop` | In pixels, or (also of thumbor) in fractions up to 1. |
| `fit-in` | `fit=inside` | |
| `full-fit-in` | `fit=outside up` | |
| `adaptive-fit-in` | `fit=adaptive` | `adaptive-full-fit-in` refused. |
| `stretch` (imagor) | `fit=fill up` | |
| `WxH`, `-WxH`, `Wx-H` | `w h fit=cover up flip` | `orig` for both sides only. |
| `GxH:IxJ` (imagor) | `pad` | Also without a `fill` filter. |
| `left center right top middle bottom` | `g` | |
| `smart` | `g=smart` | What draws the eye; no detectors of faces and features. |
| `meta`, `debug`, `params` | | Refused; `/img/-/info/<bucket>/<key>` tells what an image is. |
| `b64:` before the source | | Read. `color:` refused. |
"""
_FILTERS = """
## thumbor and imagor: filters

| Filter | Of | Arguments | Ours | Differences |
|---|---|---|---|---|
"""


def page() -> str:
    """The page as Markdown."""
    imgproxy = "".join(
        _line(
            _words(row.names),
            row.arguments,
            row.ours or ("" if row.read else "refused"),
            _note(row.note, refused=row.read is None),
        )
        for row in imgproxy_table.ROWS
    )
    filters = "".join(
        _line(
            f"`{row.name}`",
            " ".join(row.dialects),
            row.arguments,
            row.ours or ("" if row.read else "refused"),
            _note(row.note, refused=row.read is None),
        )
        for row in thumbor_table.ROWS
    )
    return _HEAD + _IMGPROXY + imgproxy + _PARTS + _FILTERS + filters


def _note(note: str, *, refused: bool) -> str:
    return f"Only {note}." if refused and note else note


def _words(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _line(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"
