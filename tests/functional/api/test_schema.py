"""What the OpenAPI document says is what the server does: requests made from it, right and wrong ones, by schemathesis."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

import pytest
import schemathesis
from hypothesis import HealthCheck, assume, settings
from hypothesis.strategies import integers
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
from gateway.http.guard import LINE_LIMIT
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
EXAMPLES, MANY_EXAMPLES = 5, 100
CHANCE = integers(0, 999)
"""Decides who asks, and about what."""
QUIET = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]


def schema(*, coverage: bool) -> schemathesis.BaseSchema:
    config = schemathesis.Config.from_dict(
        {"phases": {"coverage": {"enabled": coverage}, "examples": {"enabled": False}}}
    )
    return schemathesis.openapi.from_dict(document(OPERATIONS), config=config)


def picture() -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (64, 48), "teal").save(data, "JPEG")
    return data.getvalue()


PICTURE = picture()
SOME, MANY = schema(coverage=False), schema(coverage=True)


@dataclass
class Service:
    """A server of its own, since what is tried at random also disables and deletes; and whom and what it knows."""

    api: Api
    owner: Api
    admin: Api
    places: dict[str, list[str]] = field(default_factory=dict)

    def upload(self, visibility: str = "private") -> tuple[str, str]:
        """A new image of the owner and its job."""
        answer = self.owner.upload(PICTURE, visibility=visibility)
        assert answer.status == 201, answer.body
        return answer.json["id"], answer.json["job_id"]

    def prepare(self) -> None:
        """Make something of each kind that operations are about."""
        images = [self.upload(visibility) for visibility in ("public", "private")]
        shares = [self.owner.post(f"images/{image}/share", json={}).json for image, _ in images]
        key = self.owner.post("users/me/keys", json={}).json
        self.admin.post("/api/admin/v1/accounts", json={"account": "spare"})
        self.admin.post("/api/admin/v1/buckets", json={"account": "spare", "bucket": "spare-bucket"})
        self.api.register("spare@example.org")
        self.places = {
            "image_id": [image for image, _ in images],
            "job_id": [job for _, job in images],
            "token": [share["token"] for share in shares],
            "share_id": [share["id"] for share in shares],
            "access_key": [key["access_key"]],
            "account": ["spare"],
            "user": [str(self.admin.get("/api/admin/v1/users").json["items"][-1]["number"])],
            "bucket": ["spare-bucket"],
        }

    def ask(self, case: schemathesis.Case, chance: int) -> None:
        """Send the case, mostly about things that there are, and see whether the answer is as documented."""
        # Longer lines are refused before it is known which door they are for.
        assume(len(urlencode(case.query or {}) + quote(str(case.path_parameters))) < LINE_LIMIT // 2)
        name = str(case.operation.definition.raw["operationId"])
        for place in case.path_parameters:
            if place in self.places and chance % 4:
                case.path_parameters[place] = self.places[place][chance % len(self.places[place])]
        if name == "DeleteImage" and chance % 4:
            case.path_parameters["image_id"] = self.upload()[0]
        if name in ("GetShared", "GetSharedImage") and chance % 4:
            image = self.places["image_id"][chance % 2]
            # An image has so many links at most, and other cases have made some.
            self.owner.delete(f"images/{image}/share")
            case.path_parameters["token"] = self.owner.post(f"images/{image}/share", json={}).json["token"]
        if isinstance(case.body, dict) and "file" in case.body and chance % 4:
            case.body["file"] = PICTURE
        if name in ADMIN:
            who = self.admin if chance % 8 else self.owner
        else:
            # Ending a session would leave the owner without a token.
            who = (self.api, self.api.app_user(), *[self.owner] * 6)[chance % 8]
            who = self.api.app_user() if name == "Logout" else who
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
        found.prepare()
        yield found


@SOME.parametrize()
@SOME.given(chance=CHANCE)
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=QUIET)
def test_answers_are_as_documented(case: schemathesis.Case, service: Service, chance: int) -> None:
    service.ask(case, chance)


@pytest.mark.long
@MANY.parametrize()
@MANY.given(chance=CHANCE)
@settings(max_examples=MANY_EXAMPLES, deadline=None, suppress_health_check=QUIET)
def test_many_answers_are_as_documented(case: schemathesis.Case, service: Service, chance: int) -> None:
    service.ask(case, chance)


def test_the_document_is_served(service: Service) -> None:
    answer = service.api.get("/openapi.json")
    assert answer.json["openapi"].startswith("3.1.")
    assert answer.json == document(OPERATIONS)
    assert answer.headers["access-control-allow-origin"] == "*"
