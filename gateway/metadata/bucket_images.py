"""How a bucket treats its images, as JSON in its row. What is not in the JSON is as `BucketImages` has it."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from typing import Any

from gateway.model.buckets import BucketImages

RENDITIONS = 1
"""The bit of `buckets.watched` for work when an image is written: renditions, the catalogue, or both."""
PURGES = 2
"""The bit of `buckets.watched` for work when an object is overwritten or deleted."""
CATALOGUE_ONLY = 4
"""The bit of `buckets.watched` that says of `RENDITIONS` that an upload which writes the image's row causes no work."""

_DEFAULTS = BucketImages()
_NAMES = tuple(field.name for field in fields(BucketImages))
_LISTS = ("renditions", "cors")


def watched(images: BucketImages) -> int:
    """Which work a change of an object causes."""
    made = RENDITIONS if images.renditions else RENDITIONS | CATALOGUE_ONLY if images.catalogue else 0
    return made | (PURGES if images.purge else 0)


def dump(images: BucketImages) -> str | None:
    """None where everything is as usual."""
    values = asdict(images)
    values["presets"] = dict(images.presets)
    said = {name: values[name] for name in _NAMES if values[name] != getattr(_DEFAULTS, name)}
    return json.dumps(said, separators=(",", ":"), sort_keys=True, ensure_ascii=False) if said else None


def load(text: str | None) -> BucketImages:
    """The inverse. What a later version wrote that is not known here is left out."""
    if text is None:
        return _DEFAULTS
    said: dict[str, Any] = json.loads(text)
    values = {name: said[name] for name in _NAMES if name in said}
    for name in _LISTS:
        if name in values:
            values[name] = tuple(values[name])
    return BucketImages(**values)
