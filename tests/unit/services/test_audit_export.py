"""The audit log as text: whole, and harmless for spreadsheets."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.metadata.audit import Record
from gateway.services.audit_export import FIELDS, FORMATS, FORMULA, TITLES, csv_lines, harmless, json_lines

AT = 1_790_000_000_123


def record(**values: object) -> Record:
    given = dict.fromkeys(("account", "user_id", "user", "access_key", "target", "address", "request_id"))
    fields: dict[str, object] = {"id": 1, "at_ms": AT, "action": "user.login", "via": "api", "detail": {}, **given}
    return Record(**(fields | values))  # type: ignore[arg-type]


def table(*records: Record) -> list[dict[str, str]]:
    text = (TITLES + csv_lines(records)).decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_both_formats_tell_the_same() -> None:
    one = record(account="ada", user_id=7, target='a,"b"\nc', detail={"bytes": 5})
    (row,) = table(one)
    document = json.loads(json_lines([one]))
    assert list(row) == list(document) == list(FIELDS)
    assert document["at"] == row["at"] == "2026-09-21T14:13:20.123Z"
    assert row["target"] == document["target"] == 'a,"b"\nc'
    assert json.loads(row["detail"]) == document["detail"] == {"bytes": 5}
    assert (row["user"], document["user"]) == ("", None)


def test_each_event_is_a_line_of_json() -> None:
    lines = json_lines([record(target="a\nb"), record()]).splitlines()
    assert [json.loads(line)["target"] for line in lines] == ["a\nb", None]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "\u00a0=1"])
def test_nothing_is_computed(text: str) -> None:
    (row,) = table(record(target=text))
    assert row["target"] == "'" + text


@pytest.mark.parametrize("text", ["ada", "2001:db8::1", "a=b", "1-2", ""])
def test_what_is_no_formula_stays_as_it_is(text: str) -> None:
    assert harmless(text) == text


@given(st.text())
def test_no_cell_begins_as_a_formula(text: str) -> None:
    cell = harmless(text)
    assert not cell.startswith(FORMULA)
    assert cell in (text, f"'{text}")


def test_formats_say_what_they_are() -> None:
    assert {name: row[0] for name, row in FORMATS.items()} == {
        "jsonl": "application/x-ndjson",
        "csv": "text/csv; charset=utf-8",
    }
