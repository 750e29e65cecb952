"""The OpenAPI document, made from the table of operations and the models of what they take and answer.

OpenAPI 3.1.0 (spec.openapis.org/oas/v3.1.0), whose schemas are JSON Schema 2020-12, which is what pydantic writes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Literal

from aiohttp.web import StreamResponse
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from gateway import __version__
from gateway.api.call import Call
from gateway.api.errors import CODES
from gateway.api.operation import Access, Body, Operation
from gateway.http.reply import Reply

REFERENCE = "#/components/schemas/"
TOKEN_PATH = "/api/v1/auth/token"  # noqa: S105 -- an address
FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
IMAGE_ID = {"type": "string", "examples": ["I2QWXBZ6NFSK4TPL7VAHC3MDOEU"]}

Document = dict[str, Any]
Mode = Literal["validation", "serialization"]

PREFER: Document = {
    "name": "Prefer",
    "in": "header",
    "required": False,
    "description": "Asks for the answer with a job (202) where the image would be the answer (RFC 7240).",
    "schema": {"type": "string", "examples": ["respond-async"]},
}
_EVERY = ("INTERNAL_ERROR", "SERVICE_UNAVAILABLE", "EXPECTATION_FAILED")
"""What any operation may answer with."""
_HEADERS: Mapping[str, Document] = {
    "X-Request-Id": {"description": "What the log knows this request by.", "schema": {"type": "string"}},
}
_LATER: Mapping[str, Document] = {
    "Retry-After": {"description": "Seconds until a try makes sense.", "schema": {"type": "integer"}},
}
_LIMITED: Mapping[str, Document] = {
    "X-RateLimit-Limit": {"description": "How many are allowed.", "schema": {"type": "integer"}},
    "X-RateLimit-Remaining": {"description": "How many are left.", "schema": {"type": "integer"}},
    "X-RateLimit-Reset": {"description": "When it begins anew, in Unix seconds.", "schema": {"type": "integer"}},
}
_INTRODUCTION = """\
Upload, show, share and delete images. Sign in with `Authorize` (or `POST /api/v1/auth/token`) and send the token as
`Authorization: Bearer TOKEN`; an access key that signs as S3 clients do (AWS Signature Version 4) is taken as well.

What goes wrong is `{"error": {"code", "message", "details"}}`, and the same object again under `detail`. A slash at the end
of a path makes no difference. The guides are at `/ui/docs/`."""


def document(operations: Sequence[Operation]) -> Document:
    """The document of these operations, ready for JSON."""
    schemas = _Schemas(operations)
    paths: dict[str, Document] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, schemas)
    tags = dict.fromkeys(operation.tag for operation in operations)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Pixgate",
            "version": __version__,
            "summary": "The image service for apps",
            "description": _INTRODUCTION,
        },
        "servers": [{"url": "/", "description": "This server"}],
        "tags": [{"name": tag} for tag in tags],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": {
                    "type": "oauth2",
                    "description": "A token of this server, or one that an app signs itself. Sent as `Authorization: Bearer`.",
                    "flows": {"password": {"tokenUrl": TOKEN_PATH, "scopes": {}}},
                },
                "signature": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": "AWS Signature Version 4 with an access key, service `s3`, as S3 clients sign.",
                },
            },
            "schemas": {**schemas.definitions, "Error": _error_schema()},
        },
    }


def error_codes(operation: Operation) -> dict[int, list[str]]:
    """The codes that an operation may answer with, by status: its own, and those of every operation of its kind."""
    codes = [*operation.errors, *_EVERY]
    if operation.access is not Access.ANYBODY:
        codes += ["UNAUTHORIZED", "INVALID_REQUEST", "NOT_IMPLEMENTED"]
    if operation.access is not Access.ANYBODY:
        codes.append("FORBIDDEN")
    if operation.query is not None or operation.body is not None:
        codes.append("VALIDATION_ERROR")
    if operation.body_kind in (Body.JSON, Body.FORM):
        codes += ["PAYLOAD_TOO_LARGE", "INVALID_REQUEST"]
    if operation.places:
        codes.append("NOT_FOUND")
    found: dict[int, list[str]] = {}
    for code in sorted(set(codes), key=list(CODES).index):
        found.setdefault(CODES[code].status, []).append(code)
    return found


class _Schemas:
    """The JSON schemas of all models, each once."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        wanted: dict[tuple[type[BaseModel], Mode], None] = {}
        for operation in operations:
            for model in (operation.query, operation.body):
                if model is not None:
                    wanted[model, "validation"] = None
            for answer in operation.responses.values():
                if answer is not None:
                    wanted[answer, "serialization"] = None
        made, rest = models_json_schema(list(wanted), ref_template=REFERENCE + "{model}")
        self.definitions: dict[str, Document] = dict(rest.get("$defs", {}))
        self._references = made

    def of(self, model: type[BaseModel], mode: Mode) -> Document:
        """A reference to a model's schema."""
        return self._references[model, mode]

    def properties(self, model: type[BaseModel]) -> tuple[Mapping[str, Document], frozenset[str]]:
        """The fields of a model that holds a query, and which of them have to be there."""
        schema = self.definitions[str(self.of(model, "validation")["$ref"]).removeprefix(REFERENCE)]
        return schema.get("properties", {}), frozenset(schema.get("required", ()))


def _operation(operation: Operation, schemas: _Schemas) -> Document:
    made: Document = {
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": operation.summary,
        "parameters": _parameters(operation, schemas),
        "responses": _responses(operation, schemas),
    }
    if operation.description:
        made["description"] = operation.description
    if body := _request_body(operation, schemas):
        made["requestBody"] = body
    if operation.access is Access.OPTIONAL:
        made["security"] = [{}, {"bearer": []}, {"signature": []}]
    elif operation.access is not Access.ANYBODY:
        made["security"] = [{"bearer": []}, {"signature": []}]
    if not made["parameters"]:
        del made["parameters"]
    return made


def _parameters(operation: Operation, schemas: _Schemas) -> list[Document]:
    found: list[Document] = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": IMAGE_ID if name == "image_id" else {"type": "string"},
        }
        for name in operation.places
    ]
    if operation.query is not None:
        properties, required = schemas.properties(operation.query)
        for name, given in properties.items():
            schema = dict(given)
            parameter: Document = {"name": name, "in": "query", "required": name in required}
            if description := schema.pop("description", None):
                parameter["description"] = description
            found.append({**parameter, "schema": schema})
    if operation.request_form is not None and 202 in operation.responses:
        found.append(PREFER)
    return found


def _request_body(operation: Operation, schemas: _Schemas) -> Document | None:
    if operation.body_kind is Body.STREAM:
        if operation.request_form is not None:
            return {"required": True, "content": {"multipart/form-data": {"schema": dict(operation.request_form)}}}
        return {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        }
    if operation.body is None:
        return None
    kind = FORM if operation.body_kind is Body.FORM else JSON
    return {"required": True, "content": {kind: {"schema": schemas.of(operation.body, "validation")}}}


def _responses(operation: Operation, schemas: _Schemas) -> Document:
    found: Document = {}
    errors = error_codes(operation)
    limited = "RATE_LIMIT_EXCEEDED" in operation.errors
    for status, model in operation.responses.items():
        answer: Document = {"description": _phrase(status), "headers": dict(_HEADERS)}
        if model is not None:
            answer["content"] = {JSON: {"schema": schemas.of(model, "serialization")}}
        elif operation.media_types and status in (200, 206):
            binary = {"schema": {"type": "string", "format": "binary"}}
            answer["content"] = dict.fromkeys(operation.media_types, binary)
        if limited and operation.body_kind is Body.STREAM:
            answer["headers"].update(_LIMITED)
        if 300 <= status < 400 and status != 304:
            answer["headers"]["Location"] = {"description": "Where it is.", "schema": {"type": "string"}}
        found[str(status)] = answer
    for status, codes in sorted(errors.items()):
        refused = _refusal(status, codes)
        if str(status) in found:
            # The same status is an answer of the operation too.
            given = found[str(status)].setdefault("content", {}).setdefault(JSON, {"schema": {}})
            given["schema"] = {"anyOf": [given["schema"], refused["content"][JSON]["schema"]]}
        else:
            found[str(status)] = refused
    return dict(sorted(found.items()))


def _refusal(status: int, codes: Sequence[str]) -> Document:
    headers: Document = {**_HEADERS}
    if status in (429, 503):
        headers.update(_LATER)
    if status == 429:
        headers.update(_LIMITED)
    if status == 401:
        headers["WWW-Authenticate"] = {"schema": {"type": "string"}}
    said = {"properties": {"error": {"properties": {"code": {"enum": list(codes)}}}}}
    return {
        "description": f"{_phrase(status)}: {', '.join(codes)}",
        "headers": headers,
        "content": {JSON: {"schema": {"allOf": [{"$ref": REFERENCE + "Error"}, said]}}},
    }


def _error_schema() -> Document:
    error = {
        "type": "object",
        "required": ["code", "message", "details"],
        "additionalProperties": False,
        "properties": {
            "code": {"type": "string", "enum": list(CODES)},
            "message": {"type": "string", "description": "For people; in English."},
            "details": {"type": ["object", "array", "null"], "description": "What was wrong with which field."},
        },
    }
    return {
        "type": "object",
        "description": "What went wrong, under two names: clients of older services look under `detail`.",
        "required": ["error", "detail"],
        "additionalProperties": False,
        "properties": {"error": error, "detail": error},
    }


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase


_cached: list[bytes] = []


async def get_document(call: Call) -> StreamResponse:  # noqa: ARG001 -- every handler takes one
    """The document as JSON. It is the same as long as this process runs."""
    if not _cached:
        from gateway.api.table import OPERATIONS

        _cached.append(json.dumps(document(OPERATIONS), ensure_ascii=False, separators=(",", ":")).encode())
    headers = [
        ("Content-Type", JSON),
        ("Cache-Control", "no-cache"),
        ("X-Content-Type-Options", "nosniff"),
        ("Access-Control-Allow-Origin", "*"),
    ]
    return Reply(200, headers, _cached[0])


class AnyDocument(BaseModel):
    """An OpenAPI document."""

    model_config = {"extra": "allow"}

    openapi: str
    info: dict[str, Any]
    paths: dict[str, Any]


OPERATIONS = (
    Operation(
        name="GetOpenApi",
        method="GET",
        path="/openapi.json",
        handler=get_document,
        access=Access.ANYBODY,
        tag="documents",
        summary="This document",
        responses={200: AnyDocument},
    ),
)
