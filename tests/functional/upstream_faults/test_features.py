"""What a service can do is found out by trying, and not from its asking for patience."""

from __future__ import annotations

import pytest

from gateway.blobs.upstream.errors import Refused, ServerError
from gateway.blobs.upstream.features import PROBE, Features
from gateway.blobs.upstream.store import UpstreamStore
from tests.functional.upstream_faults.service import Exchange, Service


class Careless:
    """Stores whatever comes, compares nothing, and refuses nothing; but `busy` times it first says that it is busy."""

    def __init__(self, busy: int, status: int) -> None:
        self.left = busy
        self._busy = busy
        self._status = status
        self.written = 0

    async def __call__(self, exchange: Exchange) -> None:
        body = await exchange.body()
        if exchange.method == "GET":
            exchange.range(PROBE) if "range" in exchange.headers else exchange.answer(200, PROBE)
        elif exchange.method == "DELETE":
            exchange.answer(204)
        elif self.written and self.left and body:
            self.left -= 1
            exchange.error(self._status, "SlowDown")
        else:
            self.written += 1
            self.left = self._busy
            exchange.answer(200, ETag='"none"')


@pytest.mark.parametrize("status", [429, 503])
async def test_a_busy_service_is_asked_again(store: UpstreamStore, service: Service, status: int) -> None:
    service.behave = Careless(2, status)
    found = await store.learn()
    assert found == Features(ranges=True)


@pytest.mark.parametrize(("status", "raised"), [(429, Refused), (503, ServerError)])
async def test_a_service_that_stays_busy_is_not_judged(
    store: UpstreamStore, service: Service, status: int, raised: type[Exception]
) -> None:
    service.behave = Careless(1000, status)
    with pytest.raises(raised):
        await store.learn()
    assert service.requests[-1].method == "DELETE"


async def test_what_it_says_that_it_cannot_do_it_lacks(store: UpstreamStore, service: Service) -> None:
    async def plain(exchange: Exchange) -> None:
        await exchange.body()
        special = {"x-amz-checksum-crc32c", "x-amz-trailer", "content-md5", "if-none-match"} & set(exchange.headers)
        if exchange.method == "GET":
            exchange.range(PROBE) if "range" in exchange.headers else exchange.answer(200, PROBE)
        elif exchange.method == "PUT" and special:
            exchange.error(501, "NotImplemented")
        else:
            exchange.answer(204 if exchange.method == "DELETE" else 200, ETag='"none"')

    service.behave = plain
    found = await store.learn()
    assert found == Features(ranges=True)
