"""Outcomes of cases, and how they are printed."""

from __future__ import annotations

import json

import pytest

from conformance.__main__ import main
from conformance.case import Case, all_cases, case
from conformance.known import KNOWN
from conformance.probe import Probe
from conformance.report import as_json, matrix
from conformance.runner import Outcome, run, select
from conformance.target import Keys, Target
from conformance.verdict import Mismatch, Skipped, check, equal, one_of

_TARGET = Target("http://127.0.0.1:1", Keys("a", "b"))


def _case(name: str, error: Exception | None = None) -> Case:
    def function(probe: Probe) -> None:
        if error is not None:
            raise error

    return Case("PutObject", name, f"AWS does {name}.", "https://example.com", function)


_CASES = (
    _case("fine"),
    _case("differs", Mismatch("expected 1, got 2")),
    _case("breaks", ValueError("odd")),
    _case("skips", Skipped("needs TLS")),
    _case("listed", Mismatch("as ever")),
    _case("mended"),
)
_KNOWN = {"PutObject/listed": "on purpose", "PutObject/mended": "was so once"}


def test_each_way_a_case_can_go() -> None:
    outcomes = {result.case.name: (result.outcome, result.reason) for result in run(_CASES, _TARGET, _KNOWN)}
    assert outcomes == {
        "fine": (Outcome.PASSED, ""),
        "differs": (Outcome.FAILED, "Mismatch: expected 1, got 2"),
        "breaks": (Outcome.FAILED, "ValueError: odd"),
        "skips": (Outcome.SKIPPED, "needs TLS"),
        "listed": (Outcome.KNOWN, "on purpose"),
        "mended": (Outcome.UNEXPECTED, "was so once"),
    }


def test_the_matrix_counts_and_explains() -> None:
    text = matrix(run(_CASES, _TARGET, _KNOWN))
    line = next(line for line in text.splitlines() if line.startswith("PutObject"))
    assert line.split() == ["PutObject", "1", "2", "1", "1", "1"]
    assert "FAILED PutObject/differs (https://example.com)" in text
    assert "    AWS does differs." in text
    assert "UNEXPECTED PASS PutObject/mended" in text
    assert "PutObject/listed" not in text


def test_json_has_every_case() -> None:
    rows = json.loads(as_json(run(_CASES, _TARGET, _KNOWN)))
    assert [row["case"] for row in rows] == [found.id for found in _CASES]
    assert rows[1]["outcome"] == "failed"


def test_cases_are_selected_by_operation_and_by_name() -> None:
    assert {found.operation for found in select(["List*"])} == {
        "ListBuckets",
        "ListMultipartUploads",
        "ListObjectVersions",
        "ListObjects",
        "ListObjectsV2",
        "ListParts",
    }
    assert [found.id for found in select(["GetObject/ranges"])] == ["GetObject/ranges"]
    assert select([]) == all_cases()


def test_two_cases_of_one_name_and_cases_that_say_nothing_are_refused() -> None:
    existing = all_cases()[0]

    def function(probe: Probe) -> None:
        """AWS does something."""

    function.__name__ = existing.name
    with pytest.raises(ValueError, match="two cases"):
        case(existing.operation)(function)

    with pytest.raises(ValueError, match="does not say"):
        case("PutObject")(lambda probe: None)


def test_known_differences_name_cases_that_exist() -> None:
    identifiers = {found.id for found in all_cases()}
    for differences in KNOWN.values():
        assert set(differences) <= identifiers


def test_the_command_lists_cases(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--endpoint", "http://127.0.0.1:1", "--access-key", "a", "--secret-key", "b"]
    assert main([*arguments, "--list", "--only", "HeadBucket"]) == 0
    printed = capsys.readouterr().out
    assert "HeadBucket/missing_bucket" in printed
    assert "PutObject" not in printed


def test_the_command_fails_where_a_case_fails(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing listens on port 1, so nothing can pass."""
    arguments = ["--endpoint", "http://127.0.0.1:1", "--access-key", "a", "--secret-key", "b"]
    assert main([*arguments, "--only", "HeadBucket/missing_bucket", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)[0]["outcome"] == "failed"


def test_verdicts() -> None:
    check(True, "fine")
    equal(1, 1, "number")
    one_of(1, (1, 2), "number")
    with pytest.raises(Mismatch, match="wrong"):
        check(False, "wrong")
    with pytest.raises(Mismatch, match="number: expected 2, got 1"):
        equal(1, 2, "number")
    with pytest.raises(Mismatch, match="expected one of"):
        one_of(3, (1, 2), "number")
    with pytest.raises(Mismatch, match="characters"):
        equal("x" * 400, "", "long")
