"""What is remembered of renders that failed."""

from __future__ import annotations

import pytest

from gateway.render import wire
from gateway.render.errors import RenderBusy, RenderCrashed, RenderTimeout, SourceUnreadable
from gateway.render.failures import POISONED_AT, FailureMemory
from transforms.errors import DecodeFailed, DrawingTooSlow, TooLarge


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def memory(clock: Clock) -> FailureMemory:
    return FailureMemory(60, 30, clock)


def test_broken_images_by_their_key_for_a_while(memory: FailureMemory, clock: Clock) -> None:
    memory.remember("one", "photo", DecodeFailed("cut short"))
    found = memory.find("one", "photo")
    assert found is not None
    assert str(wire.failure(found)) == "cut short"
    assert memory.find("other", "photo") is None
    clock.now += 61
    assert memory.find("one", "photo") is None


@pytest.mark.parametrize("fact", [RenderBusy(3), SourceUnreadable("gone"), TooLarge("output_pixels", 9, 8)])
def test_what_may_pass_is_not_remembered(memory: FailureMemory, fact: Exception) -> None:
    memory.remember("one", "photo", fact)
    assert memory.find("one", "photo") is None


def test_what_cost_decoders_is_refused_under_every_name(memory: FailureMemory, clock: Clock) -> None:
    for number, fact in enumerate((RenderCrashed("died"), RenderTimeout("late"), RenderCrashed("died"))):
        assert memory.find("new", "photo") is None
        memory.remember(f"key {number}", "photo", fact)
        assert memory.find(f"key {number}", "photo") is not None
        clock.now += 5
    found = memory.find("new", "photo")
    assert found is not None
    assert isinstance(wire.failure(found), RenderCrashed)
    assert memory.find("new", "another") is None
    clock.now += 16
    # The first of them is half a minute ago.
    assert memory.find("new", "photo") is None
    memory.remember("key 9", "photo", RenderTimeout("late"))
    assert memory.find("new", "photo") is not None


def test_a_slow_drawing_is_the_drawings_fault_under_every_name(memory: FailureMemory, clock: Clock) -> None:
    for number in range(POISONED_AT):
        memory.remember(f"key {number}", "drawing", DrawingTooSlow())
    found = memory.find("new", "drawing")
    assert found is not None
    assert isinstance(wire.failure(found), DrawingTooSlow)
    clock.now += 31
    assert memory.find("new", "drawing") is None
    # By its key it is a broken image as others are.
    assert memory.find("key 0", "drawing") is not None
    memory.remember("another", "drawing", RenderCrashed("died"))
    found = memory.find("new", "drawing")
    assert found is None


def test_without_a_content_only_keys_count(memory: FailureMemory) -> None:
    for number in range(POISONED_AT + 1):
        memory.remember(f"key {number}", "", RenderCrashed("died"))
    assert memory.find("new", "") is None


def test_it_stays_small(memory: FailureMemory) -> None:
    for number in range(10_000):
        memory.remember(f"key {number}", f"content {number}", RenderCrashed("died"))
    assert memory.find("key 0", "content 0") is None
    assert memory.find("key 9999", "") is not None
    assert len(memory._keys) <= 4096
    assert len(memory._contents) <= 1024
