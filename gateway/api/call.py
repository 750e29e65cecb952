"""One request to the JSON door, as its handlers see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from aiohttp.web import BaseRequest
from pydantic import BaseModel

from gateway.api.errors import ApiError
from gateway.api.operation import Operation
from gateway.auth.authenticate import Authentication
from gateway.http.incoming import Incoming
from gateway.model.accounts import Account
from gateway.policy.principal import Principal
from gateway.services.audit import Actor, actor
from gateway.settings.settings import Settings
from gateway.telemetry.request import RequestRecord

if TYPE_CHECKING:
    from gateway.api.parts import Parts
    from gateway.services import Services

M = TypeVar("M", bound=BaseModel)


@dataclass(slots=True)
class Call:
    """`places` are the values from the path, `body` and `query` what the operation's models made of what was given.

    `headers` are the request's by name in lower case. `now` is in Unix seconds. `parts` are the door's own objects that
    live as long as it: limits, renderers, whatever handlers need beside `services`.
    """

    request: BaseRequest
    record: RequestRecord
    incoming: Incoming
    services: Services
    settings: Settings
    parts: Parts
    operation: Operation
    places: Mapping[str, str]
    headers: Mapping[str, str]
    raw_query: str
    authentication: Authentication
    now: float
    body: Any = None
    query: Any = None

    @property
    def principal(self) -> Principal:
        return self.authentication.principal

    @property
    def account(self) -> Account:
        """Whose account asks. Raises ApiError UNAUTHORIZED."""
        account = self.principal.account
        if account is None:
            raise ApiError("UNAUTHORIZED")
        return account

    @property
    def address(self) -> str | None:
        """The client's address."""
        return self.record.remote

    @property
    def actor(self) -> Actor:
        """Who asks, as the audit log has it."""
        return actor(self.principal, address=self.address, request_id=self.record.request_id)

    @property
    def body_sha256(self) -> bytes | None:
        """What the signature says that the body's SHA-256 is; None where it says nothing, or nothing is signed."""
        verified = self.authentication.verified
        if verified is None or verified.payload.sha256 is None:
            return None
        return bytes.fromhex(verified.payload.sha256)

    def body_as(self, model: type[M]) -> M:
        assert isinstance(self.body, model)
        return self.body

    def query_as(self, model: type[M]) -> M:
        assert isinstance(self.query, model)
        return self.query
