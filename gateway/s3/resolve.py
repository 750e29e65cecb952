"""From a request to the operation of S3 that it asks for."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.s3.errors import S3Error, invalid_argument
from gateway.s3.operation import Level, Operation
from gateway.s3.table import OPERATIONS

_PARTIAL = frozenset({"id", "uploadId", "partNumber", "annotationName", "max-directory-buckets", "list-type"})
"""Keys that help to select and are no sub-resources by themselves."""
_SELECTORS = frozenset().union(*(operation.keys for operation in OPERATIONS))
_SUBRESOURCES = _SELECTORS - _PARTIAL
_GUARDED = ("versionId", "uploadId", "partNumber")
"""Parameters that mean much where they mean something: elsewhere they are refused, not overlooked."""
_NOT_ACCEPTED = {
    "versionId": "This operation does not accept a version-id.",
    "uploadId": "This operation does not accept a query-string.",
    "partNumber": "This operation does not accept a query-string.",
}


def _groups() -> dict[tuple[str, Level], tuple[Operation, ...]]:
    groups: dict[tuple[str, Level], list[Operation]] = {}
    for operation in OPERATIONS:
        groups.setdefault((operation.method, operation.level), []).append(operation)
    return {
        place: tuple(sorted(rows, key=lambda row: len(row.query) + (row.header is not None), reverse=True))
        for place, rows in groups.items()
    }


_BY_PLACE = _groups()
_PLAIN = {
    place: next((row for row in rows if not row.query and row.header is None), None)
    for place, rows in _BY_PLACE.items()
}
_WITH_HEADER = frozenset(
    (operation.method, operation.level) for operation in OPERATIONS if operation.header is not None
)


def resolve(method: str, level: Level, parameters: Mapping[str, str], headers: Mapping[str, str]) -> Operation:
    """The operation that a request asks for. `headers` finds names in lower case.

    Raises S3Error MethodNotAllowed (no such operation) or InvalidArgument (a parameter that it must not have).
    """
    place = (method, level)
    if (not parameters or _SELECTORS.isdisjoint(parameters)) and place not in _WITH_HEADER:
        operation = _PLAIN.get(place)
        if operation is not None and "versionId" not in parameters:
            return operation
    if method == "OPTIONS" and (preflight := _PLAIN.get(place)) is not None:
        # A browser asks of the address that a page will send to, whatever is in its query.
        return preflight
    operation = next((row for row in _BY_PLACE.get(place, ()) if row.selects(parameters, headers)), None)
    if operation is None or (not operation.query and not _SUBRESOURCES.isdisjoint(parameters)):
        raise S3Error("MethodNotAllowed", fields=(("Method", method), ("ResourceType", level.name)))
    for name in _GUARDED:
        if name in parameters and name not in operation.parameters and name not in operation.query:
            raise invalid_argument(_NOT_ACCEPTED[name], name, parameters[name])
    if "list-type" in parameters and operation.name == "ListObjects":
        raise invalid_argument("Invalid List Type", "list-type", parameters["list-type"])
    return operation
