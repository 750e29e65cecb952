"""What the handlers of the JSON door share beside the services, made once a worker."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.services.catalogue import Catalogue
from gateway.services.direct_links import PURPOSE as DIRECT_LINKS
from gateway.services.direct_links import DirectLinks
from gateway.services.originals import Originals
from gateway.services.resumable import Resumable
from gateway.services.shares import Shares
from gateway.services.upload_places import UploadPlaces
from gateway.services.uploading import Uploading
from gateway.settings.settings import Settings

if TYPE_CHECKING:
    from gateway.jobs.engine import Background
    from gateway.render.client import RenderClient
    from gateway.services import Services
    from gateway.services.derivatives import Derivatives
    from gateway.services.limits import Limits
    from gateway.services.statistics import Statistics
    from gateway.services.upload_slots import UploadSlots
    from gateway.services.variants import Variants


@dataclass(slots=True)
class Parts:
    """Made on the running event loop; `close` ends what it began."""

    settings: Settings
    services: Services
    derivatives: Derivatives
    variants: Variants
    render: RenderClient
    limits: Limits
    slots: UploadSlots
    background: Background
    statistics: Statistics
    uploading: Uploading = field(init=False)
    places: UploadPlaces = field(init=False)
    resumable: Resumable = field(init=False)
    catalogue: Catalogue = field(init=False)
    shares: Shares = field(init=False)
    direct_links: DirectLinks = field(init=False)
    verifying: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self.uploading = Uploading(self.services, self.settings, self.limits)
        self.places = UploadPlaces(self.services, self.settings)
        self.resumable = Resumable(
            self.services, self.settings, self.limits, self.uploading, region=self.settings.region
        )
        services = self.services
        self.catalogue = Catalogue(
            services.database,
            services.directory,
            Originals(services.objects, services.stores),
            entries=self.settings.image_rows_cached,
        )
        self.shares = Shares(services.database)
        self.direct_links = DirectLinks(
            services.master.derive(DIRECT_LINKS), services.database, services.directory, services.sessions
        )
        self.verifying = asyncio.Semaphore(self.settings.verify_at_once)

    async def close(self) -> None:
        await self.variants.close()
        self.slots.close()
        await self.limits.close()
