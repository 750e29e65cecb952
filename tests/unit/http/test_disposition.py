"""Names to save under."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.http.disposition import attachment, with_extension


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("photo.jpg", 'attachment; filename="photo.jpg"'),
        ("at the sea.jpg", 'attachment; filename="at the sea.jpg"'),
        ("é.jpg", "attachment; filename=\"_.jpg\"; filename*=UTF-8''%C3%A9.jpg"),
        ("100%.jpg", "attachment; filename=\"100%.jpg\"; filename*=UTF-8''100%25.jpg"),
        ('a"b\\c/d:e.jpg', 'attachment; filename="a_b_c_d_e.jpg"'),
        ("it's.jpg", 'attachment; filename="it\'s.jpg"'),
        ("ü'(x)*.jpg", "attachment; filename=\"_'(x)_.jpg\"; filename*=UTF-8''%C3%BC%27%28x%29_.jpg"),
        (" .. ", 'attachment; filename="download"'),
        ("a\r\nSet-Cookie: x", 'attachment; filename="a__Set-Cookie_ x"'),
    ],
)
def test_attachment(name: str, value: str) -> None:
    assert attachment(name) == value


@given(st.text(max_size=60))
def test_whatever_the_name_the_header_is_one_line_of_ascii_with_two_quotes(name: str) -> None:
    value = attachment(name)
    assert value.isascii()
    assert value.isprintable()
    assert value.count('"') == 2
    assert "/" not in value.partition(";")[2]
    assert "\\" not in value


def test_a_picture_is_saved_as_what_it_is() -> None:
    assert with_extension("a.JPG", "image/jpeg") == "a.JPG"
    assert with_extension("a.jpeg", "image/jpeg") == "a.jpeg"
    assert with_extension("a.exe", "image/jpeg") == "a.exe.jpg"
    assert with_extension("a.jpg", "image/avif") == "a.jpg.avif"
    assert with_extension("a", "image/unknown") == "a"
