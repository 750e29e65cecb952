"""The OpenAPI document: made from the table, whole, and with nothing in it that is not there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.api.errors import CODES
from gateway.api.openapi import document, error_codes
from gateway.api.operation import Access, Body
from gateway.api.table import OPERATIONS

DOCUMENT = json.loads(json.dumps(document(OPERATIONS)))


def inside(value: Any) -> Iterator[tuple[str, Any]]:
    """Every name with its value, however deep."""
    if isinstance(value, dict):
        for name, one in value.items():
            yield name, one
            yield from inside(one)
    elif isinstance(value, list):
        for one in value:
            yield from inside(one)


def test_names_and_addresses_are_unique() -> None:
    assert len({operation.name for operation in OPERATIONS}) == len(OPERATIONS)
    assert len({(operation.method, operation.path) for operation in OPERATIONS}) == len(OPERATIONS)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_every_operation_is_described(operation: Any) -> None:
    found = DOCUMENT["paths"][operation.path][operation.method.lower()]
    assert found["operationId"] == operation.name
    assert found["summary"] == operation.summary != ""
    assert [one["name"] for one in found.get("parameters", []) if one["in"] == "path"] == list(operation.places)
    assert ("security" in found) == (operation.access is not Access.ANYBODY)
    assert ("requestBody" in found) == (operation.body_kind is not Body.NONE)
    assert set(map(str, operation.responses)) <= set(found["responses"])
    for code in operation.errors:
        assert code in CODES
        assert code in found["responses"][str(CODES[code].status)]["description"]
    assert not operation.path.endswith("/")


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_bodies_that_are_needed_have_a_model_or_a_form(operation: Any) -> None:
    assert (operation.body is not None) == (operation.body_kind in (Body.JSON, Body.FORM))
    if operation.request_form is not None:
        assert operation.body_kind is Body.STREAM


def test_every_reference_leads_somewhere() -> None:
    known = DOCUMENT["components"]["schemas"]
    references = [value for name, value in inside(DOCUMENT) if name == "$ref"]
    assert references
    for reference in references:
        assert reference.removeprefix("#/components/schemas/") in known


def test_every_error_code_is_one_of_some_operation_or_of_none_at_all() -> None:
    used = {code for operation in OPERATIONS for codes in error_codes(operation).values() for code in codes}
    # What is said before an operation is found, or before there is a request.
    assert set(CODES) - used <= {"METHOD_NOT_ALLOWED", "URI_TOO_LONG", "HEADER_TOO_LARGE"}


def test_codes_stand_under_their_status() -> None:
    for operation in OPERATIONS:
        for status, codes in error_codes(operation).items():
            assert {CODES[code].status for code in codes} == {status}
