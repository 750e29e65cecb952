"""What each kind of CDN is told."""

from __future__ import annotations

import hmac
import json
import re
from typing import get_args

import pytest

from gateway.jobs.cdn import PURGES, PurgeKind
from gateway.jobs.cdn.request import Change, Changes
from gateway.settings.settings import Settings

NOW = 1_700_000_000


def changes(count: int) -> Changes:
    return Changes(tuple(Change(f"o{n:03d}-_x", "photos", b"a/%d" % n) for n in range(count)))


def test_every_kind_of_the_settings_has_its_shape() -> None:
    assert set(PURGES) == set(get_args(PurgeKind)) == set(get_args(Settings.model_fields["purge_kind"].annotation))


@pytest.mark.parametrize(("kind", "most"), [("fastly", 256), ("cloudflare", 30), ("varnish", 50), ("xkey", 200)])
def test_every_tag_is_told_once_in_calls_of_a_bounded_size(kind: PurgeKind, most: int) -> None:
    for count in (1, most, most + 1, 3 * most + 5):
        requests = PURGES[kind](changes(count), "token", NOW)
        assert len(requests) == -(-count // most)
        told = [
            tag for request in requests for tag in re.findall(r"o\d{3}\\*-_x", f"{request.headers}{request.body!r}")
        ]
        assert [re.sub(r"\\", "", tag) for tag in told] == list(changes(count).tags)


def test_fastly() -> None:
    (request,) = PURGES["fastly"](changes(2), "token", NOW)
    assert request.method == "POST"
    assert dict(request.headers) == {
        "Surrogate-Key": "o000-_x o001-_x",
        "Accept": "application/json",
        "Fastly-Key": "token",
    }
    assert request.accepted(200, b'{"o000-_x": "1-1"}')
    assert not request.accepted(403, b"")


def test_cloudflare() -> None:
    (request,) = PURGES["cloudflare"](changes(2), "token", NOW)
    assert dict(request.headers)["Authorization"] == "Bearer token"
    assert json.loads(request.body) == {"tags": ["o000-_x", "o001-_x"]}
    assert request.accepted(200, b'{"success": true, "errors": []}')
    for status, answer in ((200, b'{"success": false}'), (200, b"<html>"), (200, b"[]"), (429, b'{"success": true}')):
        assert not request.accepted(status, answer)


def test_varnish_finds_the_tags_and_no_others() -> None:
    (request,) = PURGES["varnish"](changes(2), "token", NOW)
    assert request.method == "BAN"
    expression = dict(request.headers)["X-Ban-Tags"]
    assert " " not in expression, "varnish takes a ban apart at its spaces"
    for header in ("o001-_x", "b1 o001-_x", "o001-_x b1", "b1 o000-_x b2"):
        assert re.search(expression, header)
    for header in ("o001-_xx", "xo001-_x", "b1", "o002-_x", "o000-_"):
        assert not re.search(expression, header)


def test_xkey() -> None:
    (request,) = PURGES["xkey"](changes(2), None, NOW)
    assert (request.method, request.headers) == ("PURGE", (("X-Key-Purge", "o000-_x o001-_x"),))


def test_a_webhook_is_signed_and_names_what_changed() -> None:
    told = Changes((Change("o1", "photos", "ä\xff".encode("latin-1")), Change("b1", "photos", None)))
    (request,) = PURGES["webhook"](told, "secret", NOW)
    assert json.loads(request.body) == {
        "tags": ["o1", "b1"],
        "objects": [{"tag": "o1", "bucket": "photos", "key": "\ufffd\ufffd"}, {"tag": "b1", "bucket": "photos"}],
    }
    value = dict(request.headers)["X-Pixgate-Signature"]
    expected = hmac.new(b"secret", f"{NOW}.".encode() + request.body, "sha256").hexdigest()
    assert value == f"t={NOW},v1={expected}"
    assert len(PURGES["webhook"](told, None, NOW)[0].headers) == 1


def test_a_token_is_in_no_repr() -> None:
    for make in PURGES.values():
        assert "geheimnis" not in repr(make(changes(1), "geheimnis", NOW))
