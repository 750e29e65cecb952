"""`/img/-/options`: the table of options as JSON, for programs that build URLs."""

from __future__ import annotations

import json
from functools import cache

from transforms.option_table import GROUPS, docs_rows


@cache
def options_document() -> bytes:
    """The document: groups with their headings, and a row for each option."""
    rows = [
        {
            "name": row.name,
            "aliases": list(row.aliases),
            "group": row.group,
            "values": row.values,
            "default": row.default.replace("`", ""),
            "example": row.example,
            "description": row.doc.replace("`", ""),
        }
        for row in docs_rows()
    ]
    return json.dumps({"groups": GROUPS, "options": rows}, ensure_ascii=False, indent=1).encode() + b"\n"
