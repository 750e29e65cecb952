"""What the options of geometry add to the price of a job, and what is refused before it is queued."""

from __future__ import annotations

import pytest

from transforms.cost import estimate
from transforms.errors import OptionError, TooLarge
from transforms.formats import FORMATS
from transforms.headers import Header
from transforms.limits import Limits
from transforms.options import parse_compact


def cost(options: str, width: int = 4000, height: int = 3000, original: tuple[int, int] | None = None) -> float:
    header = Header(FORMATS["jpeg"], width, height, animated=False)
    return estimate(header, parse_compact(options), "", Limits(), original=original)


@pytest.mark.parametrize(
    ("dear", "cheap"),
    [
        ("w:300,trim:10", "w:300"),
        ("w:300,h:300,fit:cover,g:smart", "w:300,h:300,fit:cover"),
        ("w:300,h:300,fit:cover,g:face", "w:300,h:300,fit:cover,g:smart"),
        ("w:2000,rotate:30", "w:2000,rotate:90"),
        ("w:2000,pad:100,bg:blur", "w:2000,pad:100"),
        ("w:2000,pad:1000", "w:2000"),
        ("w:2000,mask:circle", "w:2000"),
        ("crop:0:0:2000:2000", "crop:0:0:200:200"),
    ],
)
def test_work_on_pixels_costs(dear: str, cheap: str) -> None:
    assert cost(dear) > cost(cheap) + 1


def test_what_has_no_effect_costs_nothing() -> None:
    assert cost("w:300,g:face") == cost("w:300")
    assert cost("w:300,rotate:90") == cost("w:300")


def test_a_mezzanine_is_cheaper_and_sized_as_its_original() -> None:
    assert cost("w:300", 640, 480, original=(4000, 3000)) < cost("w:300") / 3
    # What is not sized has the original's size.
    assert cost("", 640, 480, original=(4000, 3000)) > 10 * cost("", 640, 480)


def test_only_what_fails_both_ways_is_refused() -> None:
    # The camera's orientation may swap the sides: this box lies outside of one way only.
    assert cost("crop:3500:0:100:100") > 0
    with pytest.raises(OptionError, match="outside"):
        cost("crop:4000:0:100:100")
    assert cost("w:6900,up:1,pad:0") > 0
    with pytest.raises(TooLarge, match="output_pixels"):
        cost("w:9000,up:1")


@pytest.mark.parametrize(
    "options", ["pad:4000", "w:100,pad:2048,dpr:2", "w:9000,h:9000,extend:1", "ar:9:1,fit:contain,w:16000,h:9000"]
)
def test_what_is_added_counts_for_the_limit(options: str) -> None:
    with pytest.raises(TooLarge) as caught:
        cost(options)
    assert caught.value.limit == "output_pixels"


def test_what_trim_will_leave_is_not_guessed() -> None:
    limits = Limits(source_pixels=100_000_000, output_pixels=1_000_000)
    header = Header(FORMATS["jpeg"], 4000, 3000, animated=False)
    with pytest.raises(TooLarge):
        estimate(header, parse_compact(""), "", limits)
    assert estimate(header, parse_compact("trim:10"), "", limits) > 0
