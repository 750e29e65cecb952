"""Run cases against a target, one after the other, and say how each went."""

from __future__ import annotations

import fnmatch
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from conformance.case import Case, all_cases
from conformance.probe import Probe
from conformance.target import Target
from conformance.verdict import Skipped


class Outcome(StrEnum):
    """How a case went; a difference that is listed beforehand is `KNOWN`, one that went away `UNEXPECTED`."""

    PASSED = "passed"
    FAILED = "failed"
    KNOWN = "known"
    UNEXPECTED = "unexpected pass"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Result:
    """A case, its outcome, why (empty where it passed) and how long it took in ms."""

    case: Case
    outcome: Outcome
    reason: str
    milliseconds: float


def select(patterns: Iterable[str]) -> tuple[Case, ...]:
    """The cases whose id or operation matches one of the shell patterns; all without a pattern."""
    patterns = tuple(patterns)
    if not patterns:
        return all_cases()
    return tuple(
        case
        for case in all_cases()
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns for name in (case.id, case.operation))
    )


def run_case(case: Case, target: Target) -> None:
    """Run one case and remove what it made. Raises Mismatch, Skipped, or what a client raised."""
    probe = Probe(target)
    try:
        case.function(probe)
    finally:
        probe.clean()


def run(cases: Iterable[Case], target: Target, known: Mapping[str, str]) -> Iterator[Result]:
    """Run the cases in order; `known` maps ids of cases that are expected to fail to the reason."""
    for case in cases:
        began = time.perf_counter()
        outcome, reason = Outcome.PASSED, ""
        try:
            run_case(case, target)
        except Skipped as skipped:
            outcome, reason = Outcome.SKIPPED, str(skipped)
        except Exception as error:  # every way to fail is a row of the matrix
            outcome, reason = Outcome.FAILED, f"{type(error).__name__}: {error}"
        if case.id in known:
            if outcome is Outcome.FAILED:
                outcome, reason = Outcome.KNOWN, known[case.id]
            elif outcome is Outcome.PASSED:
                outcome, reason = Outcome.UNEXPECTED, known[case.id]
        yield Result(case, outcome, reason, (time.perf_counter() - began) * 1000)
