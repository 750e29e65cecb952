"""Derivative keys, the codec epoch, efforts and the price of a job."""

from __future__ import annotations

import itertools

import pytest

from transforms import epoch
from transforms.cost import estimate
from transforms.effort import EFFORTS, effort
from transforms.epoch import codec_epoch, derivative_key
from transforms.errors import TooLarge
from transforms.formats import FORMATS
from transforms.headers import Header
from transforms.limits import Limits
from transforms.options import parse_compact


def test_every_part_changes_the_key() -> None:
    parts = [(b"a", b"b"), ("w:1", "w:2"), ("", "avif"), ("1", "2")]
    keys = {derivative_key(*chosen) for chosen in itertools.product(*parts)}
    assert len(keys) == 16
    assert {len(key) for key in keys} == {32}


def test_parts_do_not_run_into_each_other() -> None:
    assert derivative_key(b"ab", "c", "") != derivative_key(b"a", "bc", "")
    assert derivative_key(b"a", "", "webp") != derivative_key(b"a", "webp", "")


def test_the_epoch_tells_what_renders(monkeypatch: pytest.MonkeyPatch) -> None:
    before = codec_epoch()
    assert before.startswith(f"{epoch.PIPELINE_REVISION}-")
    assert derivative_key(b"a", "", "") == derivative_key(b"a", "", "", before)
    monkeypatch.setattr(epoch, "_version", lambda distribution: "9.9.9" if distribution == "pyvips-binary" else "1")
    codec_epoch.cache_clear()
    try:
        assert codec_epoch() != before
        assert "vips9.9.9" in codec_epoch()
    finally:
        codec_epoch.cache_clear()


@pytest.mark.parametrize("name", list(EFFORTS))
def test_effort_falls_with_pixels_and_never_runs_out(name: str) -> None:
    bounds = [bound for bound, _ in EFFORTS[name]]
    assert bounds == sorted(bounds)
    values = [effort(name, pixels) for pixels in (1, 250_000, 250_001, 10**6, 10**7, 10**12)]
    assert values == sorted(values, reverse=True)


def _header(name: str, width: int, height: int) -> Header:
    return Header(FORMATS[name], width, height, animated=False)


def test_larger_and_slower_work_costs_more() -> None:
    limits = Limits()

    def cost(name: str, width: int, options: str) -> float:
        return estimate(_header(name, width, width), parse_compact(options), "", limits)

    assert cost("jpeg", 4000, "w:300") > 3 * cost("jpeg", 1000, "w:300")
    assert cost("jpeg", 1000, "f:avif") > 5 * cost("jpeg", 1000, "f:jpeg")
    assert cost("jpeg", 1000, "blur:50") > cost("jpeg", 1000, "")
    assert cost("jpeg", 10, "w:5") > 0


@pytest.mark.parametrize(
    ("width", "height", "options", "limit"),
    [
        (10_000, 5_001, "w:10", "source_pixels"),
        (65_501, 10, "w:10", "source_side"),
        (100, 100, "w:16000,h:16000,fit:contain", "output_pixels"),
        (100, 100, "w:16000,up:1", "output_pixels"),
    ],
)
def test_limits_are_checked_before_anything_runs(width: int, height: int, options: str, limit: str) -> None:
    with pytest.raises(TooLarge) as caught:
        estimate(_header("jpeg", width, height), parse_compact(options), "", Limits())
    assert caught.value.limit == limit
    assert caught.value.value > caught.value.allowed


def test_limits_hold_at_their_value() -> None:
    limits = Limits(source_bytes=10, source_pixels=100, source_side=50, output_pixels=7)
    limits.check_bytes(10)
    limits.check_source(50, 2)
    limits.check_output(7, 1)
    with pytest.raises(TooLarge):
        limits.check_bytes(11)
    assert Limits(**limits.as_dict()) == limits
