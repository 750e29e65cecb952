"""The stores and whether they answer."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.errors import GatewayError, Unavailable, for_operator

if TYPE_CHECKING:
    from gateway.blobs.port import Store
    from gateway.services.services import Services

ASK_SECONDS = 2.5


@dataclass(frozen=True, slots=True)
class StoreState:
    """`status` is healthy, degraded or unhealthy, `detail` why, for who looks after the store; `default`: new bytes go there
    where nothing else is said."""

    name: str
    kind: str
    default: bool
    status: str
    detail: str | None


async def store_states(services: Services) -> list[StoreState]:
    """Every store of the settings, asked now; each answers or counts as unwell within some seconds.

    Degraded is what may mend itself, unhealthy what needs somebody, such as the store of another deployment.
    """
    return await asyncio.gather(*(_ask(services, store) for store in services.stores))


async def _ask(services: Services, store: Store) -> StoreState:
    status, detail = "healthy", None
    try:
        async with asyncio.timeout(ASK_SECONDS):
            await services.check_store(store)
    except GatewayError as error:
        status = "degraded" if isinstance(error, Unavailable) else "unhealthy"
        detail = for_operator(error)
    except TimeoutError:
        status, detail = "degraded", "it does not answer in time"
    return StoreState(store.name, store.kind, store is services.stores.default, status, detail)
