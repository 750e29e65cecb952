"""Moments in answers: as text they are in the order of time, wherever one is told."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, get_args, get_type_hints

from pydantic import BaseModel

from gateway.api.moment import Moment, moment
from gateway.api.table import OPERATIONS


class Told(BaseModel):
    at: Moment
    end: Moment | None = None


def test_texts_are_in_the_order_of_time() -> None:
    second = 1_795_307_885_000
    texts = [Told(at=moment(at_ms)).model_dump_json() for at_ms in (second - 1, second, second + 1, second + 120)]
    assert texts == sorted(texts)
    assert texts[1] == '{"at":"2026-11-22T00:38:05.000Z","end":null}'


def test_every_answer_has_them_so() -> None:
    models = [model for one in OPERATIONS for model in one.responses.values() if isinstance(model, type)]
    plain = {name for model in models if issubclass(model, BaseModel) for name in _plain(model)}
    assert not plain, "these are texts of several lengths"
    assert any(hint is Moment for model in models for hint in get_type_hints(model, include_extras=True).values())


def _plain(model: type[BaseModel]) -> Iterator[str]:
    """Fields of it, and of those within it, that are moments without our text."""
    for name, hint in get_type_hints(model, include_extras=True).items():
        for kind in _kinds(hint):
            if kind is datetime:
                yield f"{model.__name__}.{name}"
            elif isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from _plain(kind)


def _kinds(hint: Any) -> Iterator[Any]:
    if hint == Moment:
        return
    yield hint
    for inner in get_args(hint):
        yield from _kinds(inner)
