"""The reference page of the JSON door, made from its table."""

from __future__ import annotations

from itertools import groupby

from gateway.api.errors import CODES
from gateway.api.openapi import error_codes
from gateway.api.operation import Access, Body, Operation
from gateway.api.table import OPERATIONS

_ACCESS = {
    Access.ANYBODY: "anybody",
    Access.OPTIONAL: "anybody; who signs in may see more",
    Access.SIGNED_IN: "who is signed in",
    Access.MODERATOR: "moderators",
    Access.ADMIN: "administrators",
}
_BODY = {Body.JSON: "JSON", Body.FORM: "form (`application/x-www-form-urlencoded`)"}


def page(notice: str) -> str:
    """The text in Markdown."""
    lines = [
        "# The JSON API",
        "",
        notice,
        "",
        "What `/api/v1` and `/api/admin/v1` answer to. The same in full, with every field, is the OpenAPI document at "
        "`/openapi.json`, which the page at `/docs` shows and tries.",
        "",
        "A slash at the end of a path makes no difference. Errors are "
        '`{"error": {"code", "message", "details"}}`, with the same object again under `detail`; `X-Request-Id` leads to '
        "the log. Beside the codes that stand at each operation there are those of [all of them](#codes).",
    ]
    for tag, group in groupby(OPERATIONS, key=lambda operation: operation.tag):
        lines += ["", f"## {tag[:1].upper()}{tag[1:]}"]
        for operation in group:
            lines += ["", *_operation(operation)]
    lines += ["", "## Codes", "", "| Code | Status | Message |", "|---|---|---|"]
    lines += [f"| `{name}` | {code.status} | {code.message} |" for name, code in CODES.items()]
    return "\n".join(lines) + "\n"


def _operation(operation: Operation) -> list[str]:
    lines = [f"### `{operation.method} {operation.path}`", "", f"{operation.summary}. For {_ACCESS[operation.access]}."]
    if operation.description:
        lines += ["", " ".join(operation.description.split())]
    lines.append("")
    if operation.query is not None:
        lines.append(f"- Query: {_fields(operation.query.model_json_schema())}")
    if operation.body is not None:
        lines.append(f"- Body, {_BODY[operation.body_kind]}: {_fields(operation.body.model_json_schema())}")
    if operation.request_form is not None:
        lines.append(f"- Body, form (`multipart/form-data`): {_fields(operation.request_form)}")
    answers = [
        f"{status}{f' `{model.__name__}`' if model is not None else ''}"
        for status, model in operation.responses.items()
    ]
    lines.append(f"- Answers: {', '.join(answers)}")
    codes = [f"{code} ({status})" for status, found in error_codes(operation).items() for code in found]
    own = [text for text in codes if text.partition(" ")[0] in operation.errors]
    if own:
        lines.append(f"- Errors: {', '.join(own)}")
    return lines


def _fields(schema: object) -> str:
    """The fields of a schema; those that have to be there in bold."""
    assert isinstance(schema, dict)
    required = schema.get("required", ())
    return (
        ", ".join(f"**`{name}`**" if name in required else f"`{name}`" for name in schema.get("properties", {}))
        or "any"
    )
