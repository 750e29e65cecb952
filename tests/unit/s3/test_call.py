from __future__ import annotations

import pytest

from gateway.s3.call import parse_number
from gateway.s3.errors import S3Error


@pytest.mark.parametrize(("text", "expected"), [("0", 0), ("5", 5), ("007", 7), ("10", 10)])
def test_numbers(text: str, expected: int) -> None:
    assert parse_number(text, "max-keys", minimum=0, maximum=10) == expected


@pytest.mark.parametrize("text", ["", "-1", "11", "a", "1.0", " 1", "٣", "9" * 19, "+1", "1_0"])
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(S3Error) as caught:
        parse_number(text, "max-keys", minimum=0, maximum=10)
    assert caught.value.code == "InvalidArgument"
    assert caught.value.fields[0] == ("ArgumentName", "max-keys")


def test_a_cap() -> None:
    assert parse_number("999", "max-parts", minimum=0, maximum=10, cap=True) == 10
