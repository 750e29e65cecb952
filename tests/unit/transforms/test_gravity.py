"""Where windows and pictures stand, for each gravity."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.gravity import looks, standing, window
from transforms.option_kinds import COMPASS, Gravity, GravityValue
from transforms.turns import Size

_parse = GravityValue().parse


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("c", (50, 20)), ("n", (50, 0)), ("ne", (100, 0)), ("e", (100, 20)), ("se", (100, 40)), ("s", (50, 40)),
        ("sw", (0, 40)), ("w", (0, 20)), ("nw", (0, 0)),
        ("nw:10:5", (10, 5)), ("se:10:5", (90, 35)), ("c:10:-5", (60, 15)), ("e:10:-5", (90, 15)),
        # Fractions are of the result's sides: 100 x 60 here.
        ("nw:0.1:0.5", (10, 30)), ("se:0.1:0.05", (90, 37)), ("c:-0.25:0", (25, 20)),
        # Nothing leads beyond the edges.
        ("nw:-10:-10", (0, 0)), ("nw:1000:1000", (100, 40)), ("c:-999:999", (0, 40)),
    ],
)  # fmt: skip
def test_places_of_a_window(text: str, place: tuple[int, int]) -> None:
    assert window((200, 100), (100, 60), _parse(text), None) == place


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("c", (50, 20)), ("ne", (100, 0)), ("sw", (0, 40)), ("ne:10:5", (90, 5)), ("c:10:0", (60, 20)),
        # The canvas is the result: 200 x 100.
        ("nw:0.1:0.1", (20, 10)), ("nw:1000:0", (100, 0)),
        ("fp:0:0", (50, 20)), ("smart", (50, 20)), ("face", (50, 20)), ("entropy", (50, 20)),
    ],
)  # fmt: skip
def test_places_on_a_canvas(text: str, place: tuple[int, int]) -> None:
    assert standing((200, 100), (100, 60), _parse(text)) == place


@pytest.mark.parametrize(
    ("focus", "place"),
    [((0.5, 0.5), (50, 20)), ((0, 0), (0, 0)), ((1, 1), (100, 40)), ((0.3, 0.4), (10, 10)), ((0.301, 0.4), (10, 10))],
)
def test_a_focus_is_brought_to_the_middle(focus: tuple[float, float], place: tuple[int, int]) -> None:
    assert window((200, 100), (100, 60), _parse("fp:0:0"), focus) == place


_sides = st.integers(1, 3000)
_gravities = st.builds(
    Gravity,
    st.sampled_from(COMPASS),
    st.decimals(-4000, 4000, places=2) | st.decimals(-1, 1, places=3),
    st.decimals(-4000, 4000, places=2),
)


@given(
    st.tuples(_sides, _sides),
    st.tuples(_sides, _sides),
    _gravities,
    st.none() | st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_nothing_stands_outside(one: Size, other: Size, gravity: Gravity, focus: tuple[float, float] | None) -> None:
    whole = max(one[0], other[0]), max(one[1], other[1])
    part = min(one[0], other[0]), min(one[1], other[1])
    for left, top in (window(whole, part, gravity, focus), standing(whole, part, gravity)):
        assert 0 <= left <= whole[0] - part[0]
        assert 0 <= top <= whole[1] - part[1]


@given(st.tuples(_sides, _sides), st.floats(0, 1), st.floats(0, 1))
def test_the_focus_stays_in_view(whole: Size, x: float, y: float) -> None:
    kept = -(-whole[0] // 2), -(-whole[1] // 3)
    left, top = window(whole, kept, None, (x, y))
    assert left - 0.5 <= x * whole[0] <= left + kept[0] + 0.5
    assert top - 0.5 <= y * whole[1] <= top + kept[1] + 0.5


def test_which_gravities_look() -> None:
    looking = {
        text for text in (*COMPASS, "fp:0.5:0.5", "smart", "attention", "entropy", "face") if looks(_parse(text))
    }
    assert looking == {"smart", "attention", "entropy", "face"}
    assert not looks(None)
    assert _parse("smart") == Gravity("attention", Decimal(0), Decimal(0))
