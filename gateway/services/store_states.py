"""The stores and whether they answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.services.services import Services


@dataclass(frozen=True, slots=True)
class StoreState:
    """`status` is healthy, degraded or unhealthy, `detail` why; `default`: new bytes go there where nothing else is said."""

    name: str
    kind: str
    default: bool
    status: str
    detail: str | None


async def store_states(services: Services) -> list[StoreState]:
    """Every store of the settings, asked now; each answers or counts as unwell within some seconds."""
    default = services.stores.default
    entries = await services.health()
    found = []
    for store in services.stores:
        entry = entries["store" if store is default else f"store {store.name}"]
        detail = entry.get("detail")
        status = str(entry["status"])
        found.append(
            StoreState(store.name, store.kind, store is default, status, None if detail is None else str(detail))
        )
    return found
