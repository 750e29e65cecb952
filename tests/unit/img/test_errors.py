"""Everything that can go wrong has its answer, in both doors' words."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway import errors as facts
from gateway.auth.errors import AuthenticationError, InvalidAccessKeyId
from gateway.img.errors import CODES, FACTS, ImageError, translate
from gateway.img.target import AddressError
from gateway.render import errors as render
from gateway.s3 import image_errors
from gateway.s3.errors import S3Error
from signing.errors import LinkRefused, SigningError
from transforms import errors as transforms


def family(root: type[Exception]) -> Iterator[type[Exception]]:
    yield root
    for kind in root.__subclasses__():
        yield from family(kind)


ROOTS = (facts.GatewayError, transforms.TransformError, render.RenderError, SigningError, AuthenticationError)
EVERY = [kind for root in ROOTS for kind in family(root)]
UNFORESEEN = {facts.GatewayError, facts.BlobDamaged, transforms.TransformError} | {
    kind for root in (facts.Conflict, facts.BodyMismatch) for kind in family(root)
}
"""Bases, facts about writes (nothing is written here), and what nobody but the operator can mend."""


def made(kind: type[Exception]) -> Exception:
    """An instance, without its constructor's arguments."""
    error = kind.__new__(kind)
    Exception.__init__(error, "words of its own")
    for name, value in {
        "option": "w", "expected": "x", "problem": "y", "limit": "source_pixels", "value": 1, "allowed": 0,
        "retry_after": 7, "access_key": "AKIA", "missing": True,
    }.items():  # fmt: skip
        if name not in dir(kind) or name == "retry_after":
            with contextlib.suppress(AttributeError):
                setattr(error, name, value)
    return error


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)
def test_every_fact_has_an_answer(kind: type[Exception]) -> None:
    answer = translate(made(kind))
    assert answer is not None
    assert answer.status == CODES[answer.code].status
    assert (answer.code == "InternalError") == (kind in UNFORESEEN)


@pytest.mark.parametrize(
    "kind", [*family(transforms.TransformError), *family(render.RenderError)], ids=lambda kind: kind.__name__
)
def test_the_s3_door_knows_every_fact_of_rendering_by_its_class(kind: type[Exception]) -> None:
    ours, theirs = translate(made(kind)), image_errors.image_error(made(kind))  # type: ignore[arg-type]
    assert isinstance(theirs, S3Error)
    assert ours is not None
    assert theirs.status == ours.status
    assert kind in FACTS
    assert [header for header in theirs.headers if header[0] == "Retry-After"] == list(ours.headers)


def test_what_nobody_foresaw_has_none() -> None:
    assert translate(ZeroDivisionError()) is None


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (transforms.OptionError("w", "a number"), 400, "InvalidOption"),
        (transforms.TooLarge("output_pixels", 2, 1), 400, "ResultTooLarge"),
        (AddressError("no"), 400, "InvalidPath"),
        (LinkRefused(), 403, "AccessDenied"),
        (facts.AccessRefused(), 403, "AccessDenied"),
        (InvalidAccessKeyId("x"), 403, "InvalidCredentials"),
        (facts.ObjectNotFound(), 404, "NotFound"),
        (AddressError("no", missing=True), 404, "NotFound"),
        (transforms.TooLarge("source_pixels", 2, 1), 413, "ImageTooLarge"),
        (transforms.NotAnImage(), 415, "UnsupportedMediaType"),
        (transforms.UnsupportedFormat("heic", "heif"), 415, "UnsupportedMediaType"),
        (transforms.DecodeFailed(), 422, "BrokenImage"),
        (render.RenderCrashed(), 500, "RenderFailed"),
        (render.RenderBusy(3), 503, "SlowDown"),
        (facts.DiskFull(), 503, "ServiceUnavailable"),
        (render.BrokerUnavailable(), 503, "ServiceUnavailable"),
        (render.RenderTimeout(), 504, "RenderTimeout"),
    ],
    ids=lambda value: getattr(type(value), "__name__", "") if isinstance(value, Exception) else None,
)
def test_statuses(error: Exception, status: int, code: str) -> None:
    answer = translate(error)
    assert answer is not None
    assert (answer.status, answer.code) == (status, code)


def test_whoever_may_try_again_is_told_when() -> None:
    for error, seconds in ((render.RenderBusy(9), "9"), (facts.DiskFull(), "30"), (facts.Overloaded(), "1")):
        answer = translate(error)
        assert answer is not None
        assert answer.headers == (("Retry-After", seconds),)


def test_the_missing_extra_is_named() -> None:
    answer = translate(transforms.UnsupportedFormat("heic", "heif"))
    assert "pixgate[heif]" in str(answer)


def test_the_body_names_the_option() -> None:
    answer = translate(transforms.OptionError("wi\udcffdth", "a whole number"))
    assert answer is not None
    document = json.loads(answer.document())["error"]
    assert document["code"] == "InvalidOption"
    assert document["option"] == "wi?dth"
    assert "whole number" in document["message"]


def test_a_refusal_says_nothing_of_its_reason() -> None:
    bodies = {translate(error).document() for error in (LinkRefused(), facts.AccessRefused("secret"))}  # type: ignore[union-attr]
    assert bodies == {ImageError("AccessDenied").document()}


def test_the_guide_lists_every_code_with_its_status() -> None:
    guide = (Path(__file__).parents[3] / "docs/guides/image-links.md").read_text(encoding="utf-8")
    listed: dict[str, int] = {}
    for line in guide.splitlines():
        cells = line.split("|")
        if len(cells) == 5 and cells[1].strip().isdigit():
            listed |= dict.fromkeys(re.findall(r"`(\w+)`", cells[2]), int(cells[1]))
    assert listed == {code: row.status for code, row in CODES.items() if code != "InternalError"}
