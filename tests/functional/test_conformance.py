"""Every case of the conformance suite against our server; known differences must stay as they are."""

from __future__ import annotations

import pytest

from conformance.case import Case, all_cases
from conformance.known import KNOWN
from conformance.runner import run_case
from conformance.verdict import Skipped
from tests.services import Server


def _parameters() -> list[object]:
    known = KNOWN["pixgate"]
    return [
        pytest.param(case, id=case.id, marks=[pytest.mark.xfail(reason=known[case.id])] if case.id in known else [])
        for case in all_cases()
    ]


def _run(case: Case, server: Server) -> None:
    try:
        run_case(case, server.target(other=server.keys("other")))
    except Skipped as reason:
        pytest.fail(f"nothing may be skipped here: {reason}")


@pytest.mark.parametrize("case", _parameters())
def test_case(case: Case, http_server: Server) -> None:
    _run(case, http_server)


@pytest.mark.long
@pytest.mark.parametrize("case", _parameters())
def test_case_over_https(case: Case, https_server: Server) -> None:
    _run(case, https_server)


def test_known_differences_are_cases() -> None:
    identifiers = {case.id for case in all_cases()}
    for server, differences in KNOWN.items():
        assert set(differences) <= identifiers, server


def test_every_case_says_what_aws_does() -> None:
    for case in all_cases():
        assert len(case.says) > 8, case.id
        assert case.source.startswith("https://"), case.id
