"""What a request for a srcset may hold."""

from __future__ import annotations

import pytest

from gateway.img.srcset import MAX_WIDTHS, parse_wanted
from transforms.errors import OptionError


def test_its_own_parameters_and_the_options_of_all() -> None:
    wanted = parse_wanted(
        [("widths", "600,300,300"), ("sizes", "50vw"), ("alt", "A"), ("f", "webp"), ("v", "x"), ("ar", "1:1")]
    )
    assert wanted.widths == (300, 600)
    assert (wanted.sizes, wanted.alt, wanted.pinned) == ("50vw", "A", True)
    assert wanted.pairs == (("f", "webp"), ("ar", "1:1"))
    nothing = parse_wanted([])
    assert (nothing.widths, nothing.sizes, nothing.alt, nothing.pairs, nothing.pinned) == ((), "100vw", "", (), False)


@pytest.mark.parametrize(
    ("name", "value"),
    [("widths", ""), ("widths", "0"), ("widths", "1,,2"), ("widths", "-5"), ("widths", "99999"), ("widths", "١"),
     ("widths", ",".join(["5"] * (MAX_WIDTHS + 1))), ("w", "5"), ("height", "5"), ("dpr", "2"), ("raw", "1"), ("dl", "x")],
)  # fmt: skip
def test_refused(name: str, value: str) -> None:
    with pytest.raises(OptionError) as caught:
        parse_wanted([(name, value)])
    assert caught.value.option == name


def test_twice_is_refused() -> None:
    with pytest.raises(OptionError, match="repeated"):
        parse_wanted([("alt", "a"), ("alt", "b")])
