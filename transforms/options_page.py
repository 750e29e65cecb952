"""The reference page of the image options, made from their table: `python -m transforms.options_page`."""

from __future__ import annotations

from transforms.formats import FORMATS, PASSED_FORMATS, Format
from transforms.option_table import GROUPS, DocRow, docs_rows

_HEAD = """\
# Image options

Made from the options table by `python -m transforms.options_page > docs/reference/image-options.md`; edit the table.

Options go into the query of `/img/...` (`?w=300&f=webp`) or, separated by commas, into `x-img` on the S3 door
(`?x-img=w:300,f:webp`). An option that is unknown, repeated or malformed is answered with 400 and its name. Spellings
of the same request (`w=300`, `width=0300`, `w=150&dpr=2`) share one rendition.

"""
_TABLE = """
## {heading}

| Option | Also | Values | Default | Example | Meaning |
|---|---|---|---|---|---|
"""
_FORMATS = """
## Formats

| Format | Media type | Read | Written | Transparency | Default quality |
|---|---|---|---|---|---|
"""


def page() -> str:
    """The page as Markdown."""
    options = "".join(
        _TABLE.format(heading=heading)
        + "".join(
            f"| `{row.name}` | {_aliases(row)} | {row.values} | {row.default} | `{row.example}` | {row.doc} |\n"
            for row in docs_rows()
            if row.group == group
        )
        for group, heading in GROUPS.items()
    )
    formats = "".join(
        f"| {kind.name} | `{kind.media_type}` | {_read(kind.extra)} | {_written(kind)} "
        f"| {'yes' if kind.alpha else 'no'} | {kind.default_quality or ''} |\n"
        for kind in FORMATS.values()
    )
    return _HEAD + options + _FORMATS + formats


def _aliases(row: DocRow) -> str:
    return ", ".join(f"`{alias}`" for alias in row.aliases)


def _read(extra: str | None) -> str:
    return f"with the extra `{extra}`" if extra else "yes"


def _written(kind: Format) -> str:
    return "yes" if kind.saver else "cleaned" if kind.name in PASSED_FORMATS else "no"


if __name__ == "__main__":
    print(page(), end="")
