from __future__ import annotations

import pytest

from gateway.model.objects import WriteConditions
from gateway.s3.errors import S3Error
from gateway.s3.write_conditions import UNCONDITIONAL, write_conditions


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, UNCONDITIONAL),
        ({"if-none-match": "*"}, WriteConditions(if_none_match=True)),
        ({"if-match": '"abc"'}, WriteConditions(if_match="abc")),
        ({"if-match": "abc"}, WriteConditions(if_match="abc")),
        ({"if-match": "*"}, WriteConditions(if_match="*")),
    ],
)
def test_what_is_understood(headers: dict[str, str], expected: WriteConditions) -> None:
    assert write_conditions(headers) == expected


@pytest.mark.parametrize(
    "headers",
    [
        {"if-none-match": '"abc"'},
        {"if-none-match": "*", "if-match": '"abc"'},
        {"if-match": '"a", "b"'},
        {"if-match": ""},
        {"if-modified-since": "x"},
        {"if-unmodified-since": "x"},
    ],
)
def test_what_is_not_built_is_never_overlooked(headers: dict[str, str]) -> None:
    with pytest.raises(S3Error) as caught:
        write_conditions(headers)
    assert caught.value.code == "NotImplemented"
