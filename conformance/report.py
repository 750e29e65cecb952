"""Print results: a matrix of operations for people, a list for programs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable

from conformance.runner import Outcome, Result

_ORDER = tuple(Outcome)


def matrix(results: Iterable[Result]) -> str:
    """A line an operation with the number of cases of each outcome, then every failure with its reason."""
    results = tuple(results)
    counts: dict[str, Counter[Outcome]] = {}
    for result in results:
        counts.setdefault(result.case.operation, Counter())[result.outcome] += 1
    width = max((len(name) for name in counts), default=9)
    lines = [f"{'operation':<{width}}  " + "  ".join(f"{outcome:>8}" for outcome in _ORDER)]
    for name in sorted(counts):
        numbers = "  ".join(f"{counts[name][outcome] or '.':>{max(8, len(outcome))}}" for outcome in _ORDER)
        lines.append(f"{name:<{width}}  {numbers}")
    total: Counter[Outcome] = Counter(result.outcome for result in results)
    lines.append(f"{'total':<{width}}  " + "  ".join(f"{total[o]:>{max(8, len(o))}}" for o in _ORDER))
    for result in results:
        if result.outcome in (Outcome.FAILED, Outcome.UNEXPECTED):
            lines += ["", f"{result.outcome.upper()} {result.case.id} ({result.case.source})"]
            lines += [f"    {line}" for line in (*result.case.says.splitlines(), *result.reason.splitlines())]
    return "\n".join(lines)


def as_json(results: Iterable[Result]) -> str:
    """The results as a JSON array of objects, one a case."""
    return json.dumps(
        [
            {
                "case": result.case.id,
                "operation": result.case.operation,
                "outcome": result.outcome.value,
                "reason": result.reason,
                "milliseconds": round(result.milliseconds, 1),
                "says": result.case.says,
                "source": result.case.source,
            }
            for result in results
        ],
        indent=1,
    )
