"""Which object is behind a name, and back."""

from __future__ import annotations

import pytest

from gateway.blobs.upstream.names import Layout


def test_our_names_lie_below_prefix_and_deployment() -> None:
    layout = Layout("a/b", "d1")
    assert layout.key("7/p12") == b"a/b/d1/7/p12"
    assert layout.name(b"a/b/d1/7/p12") == "7/p12"
    assert layout.lease(7) == b"a/b/d1/7/"
    assert layout.marker == b"a/b/deployment"
    assert Layout("", "d1").key("1/1") == b"d1/1/1"
    assert Layout("", "d1").marker == b"deployment"


@pytest.mark.parametrize("key", [b"a/b/d1/7/x", b"a/b/d1/7/", b"a/b/d2/7/1", b"7/1/1", b"a/b/d1/7/1\xff", b"x"])
def test_what_is_not_ours_has_no_name(key: bytes) -> None:
    assert Layout("a/b", "d1").name(key) is None


@pytest.mark.parametrize("name", ["@1/k", "7/1/2", "7", "", "/7/1", "7/p", "٧/1"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not a blob's name"):
        Layout("a/b", "d1").key(name)


def test_strays_have_names_that_lead_back_to_them() -> None:
    layout = Layout("pre/fix", "d1")
    for key in (
        b"pre/fix/d1/junk/blob",
        b"pre/fix/d1/99/junk",
        b"pre/fix/d1/7/",
        b"pre/fix/d1/\xff",
        b"pre/fix/d1/007/1",
    ):
        name = layout.stray(key)
        assert name is not None
        assert layout.stray_key(name) == key
    for key in (
        b"pre/fix/d1/7/1",
        b"pre/fix/d1/7/p1",
        b"pre/fix/d1/",
        b"pre/fix/d12/junk",
        b"pre/fix/deployment",
        b"d1/x",
    ):
        assert layout.stray(key) is None, key


@pytest.mark.parametrize(
    "name", ["../deployment", "7/../../deployment", "/7/1", "7//1", "./7/1", "7/1//", "a/.", "/", ".."]
)
def test_keys_that_a_server_may_resolve_to_another_are_never_deleted(name: str) -> None:
    layout = Layout("", "d1")
    assert layout.stray(b"d1/" + name.encode()) == name
    assert layout.stray_key(name) is None
