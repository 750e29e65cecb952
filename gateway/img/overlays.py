"""Whose rights a watermark is looked up with."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from gateway.img.asker import Asker
from gateway.model.buckets import Bucket
from gateway.policy.principal import Principal
from gateway.services.presets import Presets
from gateway.services.watermarks import Watermark, Watermarks, acting_for
from transforms.options import ImageRequest

_NAMES = frozenset({"wm", "watermark"})


class Overlays:
    """Finds the watermarks of requests."""

    def __init__(self, watermarks: Watermarks, presets: Presets) -> None:
        self._watermarks = watermarks
        self._presets = presets

    async def of(
        self,
        bucket: Bucket,
        asked: ImageRequest,
        named: AbstractSet[str],
        asker: Asker,
        *,
        by_settings: bool = False,
    ) -> list[Watermark]:
        """The watermarks that a request has, as they are now; `named` are the options of its URL.

        One that the URL names must be readable by the asker. One that a preset names is there for everybody: the owner of
        the bucket must be able to read it, or the administrator wrote it into the settings (`by_settings`: so it is with
        what stands in `named`). One that a moderator hides only its readers see, in person, by naming it themselves.
        Raises OptionError.
        """
        name = asked.options.wm
        if name is None:
            return []
        reader: Principal | None
        in_person = False
        if not _NAMES.isdisjoint(named):
            reader = None if by_settings else asker.principal
            in_person = asker.in_person and not by_settings
        elif asked.delivery.p is not None and not self._presets.of_bucket(bucket, asked.delivery.p):
            reader = None
        else:
            reader = acting_for(bucket.owner)
        return [await self._watermarks.find(name, reader, in_person=in_person)]
