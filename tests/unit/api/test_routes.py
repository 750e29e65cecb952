"""Which operation a request means."""

from __future__ import annotations

import pytest

from gateway.api.errors import ApiError
from gateway.api.operation import Operation
from gateway.api.routes import Routes
from gateway.api.table import OPERATIONS, resolve


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
def test_each_operation_is_found_by_its_own_path(operation: Operation) -> None:
    path, values = operation.path, {}
    for number, place in enumerate(operation.places):
        values[place] = f"value {number}"
        path = path.replace(f"{{{place}}}", values[place])
    for written in (path, path + "/"):
        found, places = resolve(operation.method, written)
        assert (found.name, places) == (operation.name, values)


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("GET", "/api/v1/images/batch", "GetImages"),
        # Nobody spells out a DELETE there: then it is a value.
        ("DELETE", "/api/v1/images/batch", "DeleteImage"),
        ("HEAD", "/api/v1/images/batch", "GetImages"),
        ("GET", "/api/v1/images/jobs/file", "GetJob"),
        ("GET", "/api/v1/images/uploads/share", "GetUpload"),
        ("POST", "/api/v1/images/uploads/share", "ShareImage"),
        ("GET", "/api/v1/images//", "ListImages"),
    ],
)
def test_a_name_goes_before_a_place(method: str, path: str, name: str) -> None:
    assert resolve(method, path)[0].name == name


@pytest.mark.parametrize(
    "path", ["", "/", "/api/v1", "/api/v1/images/a/b/c/d", "/api/v1/images//file", "api/v1/images"]
)
def test_other_paths_are_nothing(path: str) -> None:
    with pytest.raises(ApiError) as refused:
        resolve("GET", path)
    assert refused.value.code == "NOT_FOUND"


def test_other_methods_are_refused_with_those_that_there_are() -> None:
    with pytest.raises(ApiError) as refused:
        resolve("PUT", "/api/v1/images/batch")
    assert refused.value.code == "METHOD_NOT_ALLOWED"
    assert ("Allow", "DELETE, GET, HEAD, PATCH") in refused.value.headers


def test_two_operations_cannot_be_the_same_request() -> None:
    with pytest.raises(ValueError, match="same request"):
        Routes([OPERATIONS[0], OPERATIONS[0]])
