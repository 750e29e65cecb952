"""Where bytes live, for administrators."""

from __future__ import annotations

from aiohttp.web import StreamResponse
from pydantic import BaseModel, Field

from gateway.api.admin.paging import ADMIN, TAG
from gateway.api.answer import answer
from gateway.api.call import Call
from gateway.api.operation import Access, Operation
from gateway.services.store_states import store_states


class StoreDetails(BaseModel):
    store: str
    kind: str
    default: bool = Field(description="Where new bytes go, where their bucket does not say.")
    status: str = Field(description="healthy, degraded or unhealthy.")
    detail: str | None = Field(description="What is wrong.")


class StoreList(BaseModel):
    items: list[StoreDetails]


async def list_stores(call: Call) -> StreamResponse:
    items = [
        StoreDetails(store=one.name, kind=one.kind, default=one.default, status=one.status, detail=one.detail)
        for one in await store_states(call.services)
    ]
    return answer(200, StoreList(items=items))


OPERATIONS = (
    Operation(
        "AdminListStores",
        "GET",
        f"{ADMIN}/stores",
        list_stores,
        Access.ADMIN,
        TAG,
        "The stores, and whether they answer",
        {200: StoreList},
    ),
)
