from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.http.conditions import NO_CONDITIONS, Verdict, evaluate, parse_conditions, parse_etags
from gateway.http.dates import http_date
from gateway.model.objects import ReadConditions

NOW = 1_700_000_000
MODIFIED = NOW - 1000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"a"', ("a",)),
        ('"a", "b"', ("a", "b")),
        ('W/"a"', ("a",)),
        ("*", ("*",)),
        ("a", ("a",)),
        ("a,b", ("a", "b")),
        ('"a,b"', ("a,b",)),
        ("", ()),
        ('"unclosed', ()),
    ],
)
def test_parse_etags(text: str, expected: tuple[str, ...]) -> None:
    assert parse_etags(text) == expected


@given(st.lists(st.text("abcdef0123456789-", min_size=1), max_size=5))
def test_etags_survive_being_listed(tags: list[str]) -> None:
    assert parse_etags(", ".join(f'"{tag}"' for tag in tags)) == tuple(tags)


def judge(**headers: str) -> Verdict:
    conditions = parse_conditions({name.replace("_", "-"): value for name, value in headers.items()})
    return evaluate(conditions, etag="tag", modified=MODIFIED, now=NOW)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, Verdict.PROCEED),
        ({"if_match": '"tag"'}, Verdict.PROCEED),
        ({"if_match": "*"}, Verdict.PROCEED),
        ({"if_match": '"other"'}, Verdict.IF_MATCH_FAILED),
        ({"if_match": ""}, Verdict.IF_MATCH_FAILED),
        ({"if_none_match": '"tag"'}, Verdict.NOT_MODIFIED),
        ({"if_none_match": 'W/"tag"'}, Verdict.NOT_MODIFIED),
        ({"if_none_match": "*"}, Verdict.NOT_MODIFIED),
        ({"if_none_match": '"other"'}, Verdict.PROCEED),
        ({"if_modified_since": http_date(MODIFIED)}, Verdict.NOT_MODIFIED),
        ({"if_modified_since": http_date(MODIFIED - 1)}, Verdict.PROCEED),
        ({"if_modified_since": http_date(NOW + 60)}, Verdict.PROCEED),
        ({"if_modified_since": "yesterday"}, Verdict.PROCEED),
        ({"if_unmodified_since": http_date(MODIFIED)}, Verdict.PROCEED),
        ({"if_unmodified_since": http_date(MODIFIED - 1)}, Verdict.IF_UNMODIFIED_SINCE_FAILED),
        # The entity tag has precedence over the date of the same kind (RFC 9110, section 13.2.2).
        ({"if_match": '"tag"', "if_unmodified_since": http_date(MODIFIED - 1)}, Verdict.PROCEED),
        ({"if_none_match": '"other"', "if_modified_since": http_date(MODIFIED)}, Verdict.PROCEED),
        ({"if_none_match": '"tag"', "if_modified_since": http_date(MODIFIED - 1)}, Verdict.NOT_MODIFIED),
        ({"if_match": '"other"', "if_none_match": '"tag"'}, Verdict.IF_MATCH_FAILED),
        ({"if_match": '"tag"', "if_none_match": '"tag"'}, Verdict.NOT_MODIFIED),
    ],
)
def test_evaluate(headers: dict[str, str], expected: Verdict) -> None:
    assert judge(**headers) is expected


def test_no_header_means_the_shared_conditions() -> None:
    assert parse_conditions({"range": "bytes=0-1"}) is NO_CONDITIONS


def test_a_prefix_reads_the_headers_of_a_copy_source() -> None:
    headers = {"x-amz-copy-source-if-match": '"a"', "if-none-match": '"b"'}
    assert parse_conditions(headers, "x-amz-copy-source-") == ReadConditions(if_match=("a",))


def test_only_what_refuses_counts_as_failed() -> None:
    assert [verdict for verdict in Verdict if verdict.failed] == [
        Verdict.IF_MATCH_FAILED,
        Verdict.IF_UNMODIFIED_SINCE_FAILED,
    ]
