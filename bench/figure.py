"""A figure of the benchmark, beside what is aimed at."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass

from conformance.load import Figures


@dataclass(frozen=True, slots=True)
class Line:
    """One figure: `value` in `unit`; `aim` with a sign says which side is better. `ratio` is to what is named `beside`."""

    name: str
    value: float
    unit: str
    aim: str
    ratio: float | None = None
    note: str = ""
    beside: str = "bare"

    def text(self) -> str:
        ratio = "" if self.ratio is None else f"  {self.ratio:5.2f} x {self.beside}"
        return f"{self.name:44} {self.value:10,.1f} {self.unit:7} aim {self.aim:9}{ratio}  {self.note}".rstrip()


def rates(
    rounds: int, ours: Callable[[], Figures], theirs: Callable[[], Figures] | None = None
) -> tuple[list[Figures], float | None]:
    """Our rounds, and the median of the ratios to what ran beside each."""
    figures, ratios = [], []
    for _ in range(rounds):
        if theirs is not None:
            limit = theirs().rate
        figures.append(ours())
        if theirs is not None:
            ratios.append(figures[-1].rate / limit)
    return figures, statistics.median(ratios) if ratios else None


def median(values: list[float]) -> float:
    return statistics.median(values)
