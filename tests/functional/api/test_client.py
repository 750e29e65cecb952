"""The client of the tests itself: what it signs is taken, what it sends is what was asked."""

from __future__ import annotations

import email.policy
from email.parser import BytesParser

from tests.functional.api.client import Api, File, multipart
from tests.services import ROOT


def test_unknown_paths_answer_in_json(api: Api) -> None:
    answer = api.get("no/such/thing")
    assert answer.status == 404
    assert answer.code == "NOT_FOUND"
    assert api.with_keys(ROOT).get("no/such/thing/").code == "NOT_FOUND"


def test_forms_hold_what_was_given_in_order() -> None:
    body, content_type = multipart([("a", "1"), ("file", File(b"\x00\r\n--", 'q"uote.jpg')), ("b", b"\xc3\xa9")])
    parsed = BytesParser(policy=email.policy.HTTP).parsebytes(
        b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body
    )
    parts = list(parsed.iter_parts())
    assert [part.get_param("name", header="content-disposition") for part in parts] == ["a", "file", "b"]
    assert [part.get_payload(decode=True) for part in parts] == [b"1", b"\x00\r\n--", b"\xc3\xa9"]
    assert parts[1].get_filename() == "q%22uote.jpg"
