"""What the OpenAPI document says is what the server does: requests made from it, right and wrong ones, by schemathesis."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

import pytest
import schemathesis
from hypothesis import HealthCheck, assume, settings
from PIL import Image
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from gateway.api.openapi import document
from gateway.api.operation import Access
from gateway.api.table import OPERATIONS
from gateway.app import LINE_LIMIT
from tests.functional.api.client import Api
from tests.functional.api.conftest import ENVIRONMENT
from tests.services import Server, pixgate, running

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
ADMIN = {operation.name for operation in OPERATIONS if operation.access in (Access.ADMIN, Access.MODERATOR)}
EXAMPLES, MANY_EXAMPLES = 8, 100
QUIET = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]


def schema(*, coverage: bool) -> schemathesis.BaseSchema:
    config = schemathesis.Config.from_dict(
        {"phases": {"coverage": {"enabled": coverage}, "examples": {"enabled": False}}}
    )
    return schemathesis.openapi.from_dict(document(OPERATIONS), config=config)


SOME, MANY = schema(coverage=False), schema(coverage=True)


@dataclass
class Service:
    """A server of its own, since what is tried at random also disables and deletes; and whom it knows."""

    api: Api
    owner: Api
    admin: Api
    places: dict[str, list[str]] = field(default_factory=dict)

    def ask(self, case: schemathesis.Case) -> None:
        """Send the case, sometimes about things that there are, and see whether the answer is as documented."""
        # Longer lines are refused before it is known which door they are for.
        assume(len(urlencode(case.query or {}) + quote(str(case.path_parameters))) < LINE_LIMIT // 2)
        name = str(case.operation.definition.raw["operationId"])
        chance = zlib.crc32(repr((case.path_parameters, case.query, case.body)).encode("utf-8", "surrogatepass"))
        for place in case.path_parameters:
            if place in self.places and chance % 4:
                case.path_parameters[place] = self.places[place][chance % len(self.places[place])]
        who = self.admin if name in ADMIN and chance % 8 else (self.owner, self.api.app_user(), self.api)[chance % 3]
        headers = {"Authorization": f"Bearer {who.token}"} if who.token else {}
        case.call_and_validate(base_url=self.api.server.url, headers=headers, checks=CHECKS, timeout=60)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    data = tmp_path_factory.mktemp("schema") / "data"
    with running(Server(data, environment=ENVIRONMENT)) as server:
        api = Api(server)
        admin = api.register("admin@example.org")
        pixgate("users", "set-role", "admin@example.org", "admin", data=data)
        found = Service(api, api.as_user(api.register()), api.as_user(admin))
        picture = io.BytesIO()
        Image.new("RGB", (64, 48), "teal").save(picture, "JPEG")
        uploads = [found.owner.upload(picture.getvalue(), visibility=how) for how in ("public", "private")]
        if uploads[0].status == 201:
            found.places["image_id"] = [answer.json["id"] for answer in uploads]
            found.places["job_id"] = [answer.json["job_id"] for answer in uploads]
        yield found


@SOME.parametrize()
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=QUIET)
def test_answers_are_as_documented(case: schemathesis.Case, service: Service) -> None:
    service.ask(case)


@pytest.mark.long
@MANY.parametrize()
@settings(max_examples=MANY_EXAMPLES, deadline=None, suppress_health_check=QUIET)
def test_many_answers_are_as_documented(case: schemathesis.Case, service: Service) -> None:
    service.ask(case)


def test_the_document_is_served(service: Service) -> None:
    answer = service.api.get("/openapi.json")
    assert answer.json["openapi"].startswith("3.1.")
    assert answer.json == document(OPERATIONS)
    assert answer.headers["access-control-allow-origin"] == "*"
