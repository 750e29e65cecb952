"""Uploads that are refused: files, forms, metadata and names; and what is just taken."""

from __future__ import annotations

import json

import pytest

from tests import images
from tests.functional.api.client import Api, File
from tests.functional.api.uploading import JPEG
from tests.services import Server


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"\xff\xd8\xff\xe0", JPEG[:100], images.encoded(images.photo((20, 20)), "GIF"), b"<svg"]
)
def test_what_is_no_image_is_refused(me: Api, data: bytes) -> None:
    answer = me.upload(data)
    assert (answer.status, answer.code) == (400, "INVALID_FILE_FORMAT")
    answer = me.upload(data, bucket="refused-here")
    assert (answer.status, answer.code) == (415, "UNSUPPORTED_MEDIA_TYPE")


def test_an_image_of_too_many_pixels_is_refused(me: Api) -> None:
    data = bytearray(JPEG)
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = (60_000).to_bytes(2) + (60_000).to_bytes(2)
    assert me.upload(bytes(data)).code == "FILE_TOO_LARGE"


def test_a_file_that_is_too_large_is_refused(me: Api, api_server: Server) -> None:
    almost = JPEG + bytes(10_000_000 - len(JPEG))
    assert me.upload(almost).status == 201
    for data in (almost + b"x", almost + bytes(1_000_000)):
        answer = me.upload(data)
        assert (answer.status, answer.code) == (400, "FILE_TOO_LARGE")
        answer = me.upload(data, bucket="refused-here")
        assert (answer.status, answer.code) == (413, "PAYLOAD_TOO_LARGE")
        assert me.upload(data, headers={"Prefer": "respond-async"}).status == 413


def test_a_form_without_a_file_is_refused(me: Api) -> None:
    for form in ([], [("metadata", "{}")], [("file", "no file")], [("file", File(b"", ""))], [("files", File(JPEG))]):
        answer = me.post("images/upload", form=form)
        assert (answer.status, answer.code) == (422, "VALIDATION_ERROR"), form
    assert me.post("images/upload", form=[("file", File(JPEG)), ("file", File(JPEG))]).status == 422


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b"{}"),
        ("multipart/form-data", b"--x--"),
        ("multipart/form-data; boundary=x", b""),
        ("multipart/form-data; boundary=x", b"garbage"),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n',
        ),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\n\r\n--x--"),
    ],
)
def test_a_malformed_form_is_refused(me: Api, content_type: str, body: bytes) -> None:
    answer = me.post("images/upload", body=body, headers={"Content-Type": content_type})
    assert (answer.status, answer.code) == (422, "VALIDATION_ERROR")


@pytest.mark.parametrize(
    "metadata",
    [
        "[]",
        "1",
        "{",
        "nonsense",
        '{"a": NaN}',
        '{"a": 1e999}',
        '{"a": "\\ud800"}',
        '{"a": "\\u0000"}',
        "[" * 16_000,
        '{"a": ' + "[" * 32 + "]" * 32 + "}",
        json.dumps({"a": "x" * 16_400}),
    ],
    ids=range(11),
)
def test_metadata_that_are_no_object_are_refused(me: Api, metadata: str) -> None:
    for form in ([("metadata", metadata), ("file", File(JPEG))], [("file", File(JPEG)), ("metadata", metadata)]):
        answer = me.post("images/upload", form=form)
        assert (answer.status, answer.code) == (422, "VALIDATION_ERROR")


def test_metadata_of_sixteen_kibibytes_are_taken(me: Api) -> None:
    text = json.dumps({"a": "x" * (16 * 1024 - 9)})
    assert len(text) == 16 * 1024
    assert me.upload(JPEG, metadata=text).status == 201
    assert me.upload(JPEG, metadata='{"a": ' + "[" * 31 + "]" * 31 + "}").status == 201
    assert me.get("users/me/images").status == 200


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("../../etc/passwd.jpg", "passwd.jpg"),
        ("C:\\photos\\a.jpg", "a.jpg"),
        ("a\u202egpj.exe", "agpj.exe"),
        ("tab\there\x00.jpg", "tabhere.jpg"),
        ("..", "image"),
        ("ü€😀.jpg", "ü€😀.jpg"),
        ("x" * 300 + ".jpeg", "x" * 250 + ".jpeg"),
    ],
)
def test_names_of_files_are_made_harmless(me: Api, sent: str, kept: str) -> None:
    assert me.upload(File(JPEG, sent)).json["filename"] == kept


def test_the_longest_names_have_room_in_keys(me: Api) -> None:
    made = me.upload(File(JPEG, "😀" * 300 + ".jpg")).json
    assert len(made["filename"]) <= 255
    assert me.get(f"images/{made['id']}/file").body == JPEG


def test_renditions_that_nobody_understands_are_refused(me: Api) -> None:
    assert me.upload(JPEG, renditions="w:50,f:webp p:card").status == 201
    assert me.upload(JPEG, renditions='["w:50"]').status == 201
    for text in ("nonsense:1", "w", "[1]", "[", "w:50 " * 21):
        assert me.upload(JPEG, renditions=text).status == 422


@pytest.mark.parametrize(("path", "name"), [("images/upload", "file"), ("images/batch/upload", "files")])
def test_fields_that_mean_nothing_are_small(me: Api, path: str, name: str) -> None:
    file, half = (name, File(JPEG)), bytes(32 * 1024)
    assert me.post(path, form=[("one", half), file, ("two", half)]).status in (200, 201)
    for form in (
        [("one", half), file, ("two", half + b"x")],
        [("one", half * 2 + b"x"), file],
        [file, *[("x", half)] * 3],
    ):
        answer = me.post(path, form=form)
        assert (answer.status, answer.code) == (422, "VALIDATION_ERROR")


def test_inputs_of_a_form_in_which_nothing_was_chosen_are_passed_over(me: Api) -> None:
    nothing = File(b"", "", "application/octet-stream")
    form = [("files", nothing), ("files", File(JPEG, "one.jpg")), ("files[]", nothing), ("files", File(JPEG, ""))]
    answer = me.post("images/batch/upload", form=[*form, ("files", nothing)])
    assert answer.status == 200, answer.body
    assert ([image["filename"] for image in answer.json["images"]], answer.json["failed"]) == (["one.jpg", "image"], [])
    ids = [image["id"] for image in answer.json["images"]]
    assert [me.get(f"images/{image_id}/file").body for image_id in ids] == [JPEG, JPEG]
    refused = me.post("images/batch/upload", form=[("files", nothing), ("files", nothing)])
    assert (refused.status, refused.code) == (422, "VALIDATION_ERROR")
    # A file that has a name was chosen, and is empty.
    (failed,) = me.post("images/batch/upload", form=[("files", File(b"", "a.jpg"))]).json["failed"]
    assert failed["filename"] == "a.jpg"
    answer = me.post("images/upload", form=[("file", nothing), ("file", File(JPEG, "one.jpg")), ("file", nothing)])
    assert (answer.status, answer.json["filename"]) == (201, "one.jpg")
