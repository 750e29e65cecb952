"""Pages of other origins that send the parts of an app's upload: to the addresses that `/api/v1` signed, and nowhere else.

Buckets have no CORS rules. The origins are those that may call `/api/v1`, which hands out the addresses.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

from gateway.errors import GatewayError
from gateway.http.cross_origin import CrossOrigin
from gateway.http.reply import Reply
from gateway.services import Services
from gateway.services.resumable import is_begun
from gateway.settings.settings import Settings
from signing.canonical import Query

METHOD = "PUT"
REQUEST_HEADERS = "Content-Type, Content-MD5"
"""What a browser sends with a part that the address does not say already."""
EXPOSED = "ETag, Retry-After, x-amz-request-id, x-amz-id-2"
_ADDRESS = ("uploadId", "partNumber", "X-Amz-Signature")


class PartPages:
    def __init__(self, services: Services, settings: Settings) -> None:
        self._services = services
        self._rule = CrossOrigin.of(settings)

    async def concern(self, origin: str | None, parameters: Mapping[str, str]) -> bool:
        """Whether a page of that origin may PUT to the address with these parameters, as far as browsers are concerned.

        Whether the address is good is asked as of everybody, at the PUT. Raises DatabaseUnavailable.
        """
        if origin is None or self._rule.allowed(origin) is None:
            return False
        if not all(name in parameters for name in _ADDRESS):
            return False
        return await is_begun(self._services.database, parameters["uploadId"])

    async def preflight(self, origin: str | None, method: str | None, parameters: Mapping[str, str]) -> Reply | None:
        """The answer to OPTIONS; None where nothing is allowed. Raises DatabaseUnavailable."""
        if method != METHOD or not await self.concern(origin, parameters):
            return None
        reply = Reply(204, self._rule.permission(METHOD, REQUEST_HEADERS))
        self._rule.expose(reply.header_list, origin, EXPOSED)
        return reply

    async def mark(self, reply: Reply, origin: str | None, raw_query: str) -> None:
        """Let the page read the answer to its PUT, refusals too. Without the database to ask it stays unreadable."""
        parameters = dict(Query(raw_query.encode("utf-8", "surrogateescape")).pairs)
        with contextlib.suppress(GatewayError):
            if await self.concern(origin, parameters):
                self._rule.expose(reply.header_list, origin, EXPOSED)
