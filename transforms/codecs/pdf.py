"""Pages of PDF documents through PDFium, where the extra `pdf` is installed. Its build runs no scripts."""

from __future__ import annotations

import pyvips

from transforms.codecs.pixels import BROKEN, image_of
from transforms.errors import DecodeFailed, OptionError, TooLarge, UnsupportedFormat
from transforms.headers.pdf import PIXELS_PER_POINT

PAGES = "pdf-n_pages"
"""What notes, with a page, how many the document has: its header does not tell."""
_LARGEST_SIDE = 65_500
_MOST_PIXELS = 50_000_000


def load(data: bytes, *, page: int = 1, scale: float = 1.0) -> pyvips.Image:
    """A page on white, at `scale` times two pixels a point.

    Raises UnsupportedFormat where the extra is missing, TooLarge for a huge page, DecodeFailed for a document that is broken or encrypted,
    OptionError for a page that it does not have.
    """
    try:
        import pypdfium2
    except ImportError:
        raise UnsupportedFormat("pdf", "pdf") from None
    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        raise DecodeFailed(f"The PDF is broken or encrypted: {error}.") from None
    try:
        pages = len(document)
        if page > pages:
            raise OptionError("page", f"a page from 1 to {pages}", "does not exist")
        try:
            sheet = document[page - 1]
            pixels = scale * PIXELS_PER_POINT
            width, height = (side * pixels for side in sheet.get_size())
            if not (0 < width <= _LARGEST_SIDE and 0 < height <= _LARGEST_SIDE and width * height <= _MOST_PIXELS):
                raise TooLarge("source_pixels", round(width * height), _MOST_PIXELS)
            bitmap = sheet.render(scale=pixels, rev_byteorder=True)
            rows = bytes(bitmap.buffer)
        except BROKEN as error:
            raise DecodeFailed(f"The page of the PDF is broken: {error}.") from None
        image = image_of(rows, (bitmap.width, bitmap.height), 3, stride=bitmap.stride).copy()
        image.set_type(pyvips.GValue.gint_type, PAGES, pages)
        return image
    finally:
        document.close()
