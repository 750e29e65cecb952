"""Uploading an image: where it goes, what is answered, what is refused, and that nothing is there in half."""

from __future__ import annotations

import hashlib
import json
import re
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest
from PIL import Image

from conformance.target import Keys
from signing.sigv4.sign import Credentials, sign_header
from tests import images
from tests.functional.api.client import BASE, SECRET, Answer, Api, File, User, multipart
from tests.functional.conftest import StartServer
from tests.services import ROOT, Server

JPEG = images.jpeg()
IMAGE_ID = re.compile(r"I[A-Z2-7]{26}")


@pytest.fixture(scope="module")
def ann(api: Api) -> User:
    return api.register()


@pytest.fixture(scope="module")
def me(api: Api, ann: User) -> Api:
    return api.as_user(ann)


def keys_of(server: Server, bucket: str) -> list[str]:
    return [entry["Key"] for entry in server.client().list_objects_v2(Bucket=bucket).get("Contents", [])]


# The answer


def test_the_answer_is_the_image(me: Api) -> None:
    data = images.jpeg((300, 200), seed=5)
    answer = me.upload(File(data, "a photo.jpg"), metadata='{"place": "Übersee", "n": [1, null]}')
    assert answer.status == 201
    made = answer.json
    assert IMAGE_ID.fullmatch(made["id"])
    assert answer.headers["location"] == f"/api/v1/images/{made['id']}"
    assert (made["width"], made["height"]) == (300, 200)
    assert made["file_size"] == len(data)
    assert made["checksum"] == hashlib.sha256(data).hexdigest()
    assert made["filename"] == "a photo.jpg"
    assert made["content_type"] == "image/jpeg"
    assert made["visibility"] == "public"
    assert made["metadata"] == {"place": "Übersee", "n": [1, None]}
    assert made["delete_token"] is None
    assert made["upload_ip"] == "127.0.0.1"
    assert re.fullmatch(r"[0-9a-f]{32}", made["job_id"])
    assert me.get(f"images/jobs/{made['job_id']}").json["image_id"] == made["id"]
    assert me.get(f"images/{made['id']}/file").body == data


def test_with_a_bucket_the_answer_is_a_job(me: Api, api_server: Server) -> None:
    answer = me.upload(JPEG, bucket="with-a-bucket")
    assert answer.status == 202
    assert set(answer.json) == {"job_id", "image_id", "status", "status_url"}
    assert answer.json["status"] == "pending"
    assert answer.json["status_url"] == f"/api/v1/images/jobs/{answer.json['job_id']}"
    assert me.get(answer.json["status_url"]).status == 200
    assert keys_of(api_server, "with-a-bucket") == [f"{answer.json['image_id']}/photo.jpg"]


def test_prefer_respond_async_is_answered_with_a_job(me: Api) -> None:
    answer = me.upload(JPEG, headers={"Prefer": "wait=5, Respond-Async"})
    assert answer.status == 202
    assert answer.headers["preference-applied"] == "respond-async"


def test_a_slash_at_the_end_makes_no_difference(me: Api) -> None:
    assert me.post("images/upload/", form=[("file", File(JPEG))]).status == 201


@pytest.mark.parametrize(
    ("data", "size", "kind"),
    [
        (images.png((90, 40)), (90, 40), "image/png"),
        (images.encoded(images.photo((70, 50)), "WEBP"), (70, 50), "image/webp"),
        (images.jpeg((1200, 900), quality=95), (1200, 900), "image/jpeg"),
    ],
    ids=["png", "webp", "large jpeg"],
)
def test_the_type_is_what_the_bytes_are(me: Api, data: bytes, size: tuple[int, int], kind: str) -> None:
    made = me.upload(File(data, "x.gif", "text/html")).json
    assert (made["content_type"], (made["width"], made["height"])) == (kind, size)


def test_size_is_as_the_image_is_seen(me: Api) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = images.encoded(images.photo((80, 60)), "JPEG", exif=exif.tobytes())
    made = me.upload(data).json
    assert (made["width"], made["height"]) == (60, 80)


def test_a_header_behind_large_profiles_is_found(me: Api) -> None:
    """Two megabytes of application segments stand before the frame header."""
    segment = b"\xff\xeb" + (65_533).to_bytes(2) + bytes(65_531)
    data = images.jpeg((64, 48))
    made = me.upload(data[:2] + segment * 32 + data[2:]).json
    assert (made["width"], made["height"]) == (64, 48)


# Where it goes


def test_an_access_key_uploads_to_its_account(api: Api, api_server: Server) -> None:
    answer, other = api.with_keys(ROOT).upload(JPEG), api.with_keys(ROOT).upload(JPEG)
    assert answer.status == 201
    client = api_server.client()
    assert "root" in [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]
    assert {f"{a.json['id']}/photo.jpg" for a in (answer, other)} <= set(keys_of(api_server, "root"))
    body = client.get_object(Bucket="root", Key=f"{answer.json['id']}/photo.jpg")["Body"]
    with body:
        assert body.read() == JPEG


def test_buckets_of_others_are_refused(me: Api, api_server: Server) -> None:
    api_server.client().create_bucket(Bucket="of-root-alone")
    answer = me.upload(JPEG, bucket="of-root-alone")
    assert (answer.status, answer.code) == (403, "FORBIDDEN")
    assert me.upload(JPEG, bucket="NO BUCKET").status == 400


def test_users_of_apps_upload_where_the_app_does_and_nowhere_else(api: Api, api_server: Server) -> None:
    bob, eve = api.app_user("bob-of-app"), api.app_user("eve-of-app")
    assert bob.upload(JPEG, bucket="bucket-of-the-app").status == 202
    assert eve.upload(JPEG, bucket="bucket-of-the-app").status == 202
    client = api_server.client(api_server.keys("app"))
    client.create_bucket(Bucket="private-of-the-app")
    assert bob.upload(JPEG, bucket="private-of-the-app").code == "FORBIDDEN"


def test_a_bucket_that_is_named_behind_the_file_counts(me: Api, api_server: Server) -> None:
    answer = me.post("images/upload", form=[("file", File(JPEG)), ("bucket", "named-later"), ("visibility", "public")])
    assert answer.status == 202
    assert keys_of(api_server, "named-later") == [f"{answer.json['image_id']}/photo.jpg"]


def test_a_bucket_that_encrypts_has_no_byte_in_the_clear(api: Api, api_server: Server) -> None:
    client = api_server.client()
    client.create_bucket(Bucket="sealed-uploads")
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    client.put_bucket_encryption(Bucket="sealed-uploads", ServerSideEncryptionConfiguration={"Rules": [rule]})
    sealing = api.with_keys(ROOT)
    large = images.jpeg((1500, 1000), quality=95)
    for data in (JPEG, large):
        before = sealing.upload(data, bucket="sealed-uploads")
        after = sealing.post("images/upload", form=[("file", File(data)), ("bucket", "sealed-uploads")])
        for answer in (before, after):
            assert answer.status == 202, answer.body
            key = f"{answer.json['image_id']}/photo.jpg"
            found = client.get_object(Bucket="sealed-uploads", Key=key)
            assert found["ServerSideEncryption"] == "AES256"
            with found["Body"] as body:
                assert body.read() == data


# Visibility


def test_visibility_is_what_was_asked_for(me: Api) -> None:
    for visibility in ("public", "unlisted", "private"):
        assert me.upload(JPEG, visibility=visibility).json["visibility"] == visibility
    assert me.upload(JPEG, visibility="secret").status == 422


def test_in_a_bucket_visibility_is_the_buckets(api: Api, api_server: Server) -> None:
    who = api.with_keys(ROOT)
    image_id = who.upload(JPEG, bucket="closed-by-default").json["image_id"]
    assert who.get(f"images/{image_id}").json["visibility"] == "private"


# What is refused


def test_nobody_may_upload(api: Api) -> None:
    answer = api.upload(JPEG)
    assert (answer.status, answer.code) == (401, "UNAUTHORIZED")


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


# The line


def raw(server: Server, api: Api, head: str, body: bytes, *, headers: str = "") -> socket.socket:
    """Send a request by hand; the caller reads and closes."""
    parts = urlsplit(server.url)
    line = socket.create_connection((parts.hostname, parts.port), 60)
    line.sendall(
        f"POST {BASE}images/upload HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {api.token}\r\n{head}\r\n".encode()
        + body
    )
    return line


def read_head(line: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = line.recv(65536)
        if not piece:
            break
        data += piece
    return data


def test_the_body_is_asked_for_only_where_it_will_be_taken(me: Api, api_server: Server) -> None:
    body, content_type = multipart([("file", File(JPEG))])
    head = f"Content-Type: {content_type}\r\nExpect: 100-continue\r\nContent-Length: "
    with raw(api_server, me, f"{head}{len(body)}\r\n", b"") as line:
        assert read_head(line).startswith(b"HTTP/1.1 100 ")
        line.sendall(body)
        assert read_head(line).startswith(b"HTTP/1.1 201 ")
    with raw(api_server, me, f"{head}99000000\r\n", b"") as line:
        assert read_head(line).startswith(b"HTTP/1.1 400 ")
    with raw(api_server, me, f"{head}99000000\r\nPrefer: respond-async\r\n", b"") as line:
        assert read_head(line).startswith(b"HTTP/1.1 413 ")
    with raw(api_server, Api(api_server, "wrong"), f"{head}{len(body)}\r\n", b"") as line:
        assert read_head(line).startswith(b"HTTP/1.1 401 ")


def test_bodies_in_chunks_are_taken_and_bounded(me: Api, api_server: Server) -> None:
    head = "Transfer-Encoding: chunked\r\nContent-Type: "
    for data, status in ((JPEG, b"201"), (JPEG + bytes(11_000_000), b"400")):
        body, content_type = multipart([("file", File(data))])
        pieces = [body[start : start + 500_000] for start in range(0, len(body), 500_000)]
        framed = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
        line = raw(api_server, me, f"{head}{content_type}\r\n", b"")
        with line:
            try:
                line.sendall(framed)
            except ConnectionError:
                pass
            assert read_head(line).startswith(b"HTTP/1.1 " + status)


def test_a_line_that_is_cut_leaves_nothing(api: Api, api_server: Server) -> None:
    carol = api.as_user(api.register())
    large = images.jpeg((1500, 1000), quality=95)
    for data in (JPEG, large):
        body, content_type = multipart([("file", File(data))])
        for sent in (10, 300, len(body) // 2, len(body) - 1):
            with raw(
                api_server, carol, f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n", body[:sent]
            ):
                pass
    assert len(mine(carol)) == 0
    assert carol.upload(JPEG).status == 201
    assert len(mine(carol)) == 1


def mine(who: Api) -> list[dict[str, Any]]:
    answer = who.get("users/me/images")
    assert answer.status == 200
    return list(answer.json["images"])


def test_a_signature_holds_the_body(api_server: Server) -> None:
    """The SHA-256 that is signed is that of the whole form; another body leaves nothing."""
    body, content_type = multipart([("bucket", "signed-bodies"), ("file", File(JPEG))])
    for sent, promised, status in (
        (body, body, 202),
        (body, body + b"x", 400),
        (body.replace(b"photo", b"other"), body, 400),
    ):
        answer = signed(api_server, ROOT, sent, hashlib.sha256(promised).hexdigest(), content_type)
        assert answer.status == status, answer.body
    assert len(keys_of(api_server, "signed-bodies")) == 1


def signed(server: Server, keys: Keys, body: bytes, digest: str, content_type: str) -> Answer:
    parts = urlsplit(server.url)
    made = sign_header(
        Credentials(keys.access_key, keys.secret_key),
        method="POST",
        host=parts.netloc,
        raw_path=f"{BASE}images/upload".encode(),
        now=time.time(),
        region="us-east-1",
        payload_hash=digest,
    )
    return Api(server).post("images/upload", body=body, headers={"Content-Type": content_type, **made.headers})


# Settings


@pytest.fixture(scope="module")
def open_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    from tests.services import running

    environment = {
        "PIXGATE_JWT_SECRET": SECRET,
        "PIXGATE_BCRYPT_COST": "4",
        "PIXGATE_PROFILE": "chitram",
        "PIXGATE_ANONYMOUS_UPLOADS": "true",
        "PIXGATE_UPLOAD_NEW_BUCKETS": "false",
    }
    with running(Server(tmp_path_factory.mktemp("open") / "data", environment=environment)) as server:
        yield server


def test_anonymous_uploads_have_a_delete_token(open_server: Server) -> None:
    api = Api(open_server)
    made = api.upload(JPEG)
    assert made.status == 201
    token = made.json["delete_token"]
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", token)
    image_id = made.json["id"]
    assert api.get(f"images/{image_id}").json["delete_token"] is None
    assert api.as_user(api.register()).upload(JPEG).json["delete_token"] is None
    answer = api.delete(f"images/{image_id}")
    assert (answer.status, answer.code) == (403, "DELETE_TOKEN_REQUIRED")
    answer = api.delete(f"images/{image_id}", query={"delete_token": token[:-1] + ("A" if token[-1] != "A" else "B")})
    assert (answer.status, answer.code) == (403, "INVALID_DELETE_TOKEN")
    assert api.as_user(api.register()).delete(f"images/{image_id}").status == 403
    assert api.delete(f"images/{image_id}", query={"delete_token": token}).status == 204
    assert api.delete(f"images/{image_id}", query={"delete_token": token}).code == "IMAGE_NOT_FOUND"


def test_the_profile_chitram_takes_less(open_server: Server) -> None:
    api = Api(open_server)
    assert api.upload(images.png((30, 30))).status == 201
    assert api.upload(images.encoded(images.photo((30, 30)), "WEBP")).code == "INVALID_FILE_FORMAT"
    assert api.upload(JPEG + bytes(5_000_000 - len(JPEG))).status == 201
    assert api.upload(JPEG + bytes(5_000_001 - len(JPEG))).code == "FILE_TOO_LARGE"


def test_buckets_are_made_where_that_is_wanted_only(open_server: Server) -> None:
    api = Api(open_server)
    assert api.as_user(api.register()).upload(JPEG, bucket="not-there").code == "FORBIDDEN"
    assert api.upload(JPEG, bucket="not-there").status == 403


@pytest.mark.embedded
def test_a_full_disk_takes_nothing(start_server: StartServer) -> None:
    server = start_server(
        environment={"PIXGATE_JWT_SECRET": SECRET, "PIXGATE_BCRYPT_COST": "4", "PIXGATE_MIN_FREE_BYTES": "900TiB"}
    )
    api = Api(server).app_user("somebody")
    answer = api.upload(JPEG)
    assert (answer.status, answer.code) == (503, "SERVICE_UNAVAILABLE")
    assert int(answer.headers["retry-after"]) > 0


# Many at once


def test_bursts_lose_nothing(api: Api) -> None:
    """Some at once more than there are slots, of several users; all are there, each with its own bytes."""
    _burst(api, 120, at_once=24)


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_a_thousand_in_bursts_lose_nothing(api: Api) -> None:
    _burst(api, 1000, at_once=50)


def _burst(api: Api, count: int, *, at_once: int) -> None:
    users = [api.as_user(api.register()) for _ in range(4)]
    # Each different, some smaller than a pack takes and some larger.
    small, large = images.jpeg((200, 150)), images.jpeg((900, 700), quality=92)
    bodies = [(small if number % 2 else large) + number.to_bytes(4) for number in range(count)]
    with ThreadPoolExecutor(at_once) as pool:
        answers = list(pool.map(lambda n: users[n % 4].upload(bodies[n], visibility="private"), range(count)))
    assert [answer.status for answer in answers] == [201] * count
    ids = [answer.json["id"] for answer in answers]
    assert len(set(ids)) == count

    def fetched(number: int) -> bytes:
        return users[number % 4].get(f"images/{ids[number]}/file").body

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(fetched, range(count)))
    assert found == bodies


# Several in one form


def test_a_batch_takes_each_file_by_itself(me: Api) -> None:
    files = [JPEG, b"no image", images.png((30, 20)), JPEG + bytes(10_000_000)]
    form = [("visibility", "unlisted"), *(("files", File(data, f"{n}.jpg")) for n, data in enumerate(files))]
    answer = me.post("images/batch/upload", form=[*form, ("metadata", '{"trip": 1}')])
    assert answer.status == 200, answer.body
    made, failed = answer.json["images"], answer.json["failed"]
    assert [(image["filename"], image["visibility"], image["metadata"]) for image in made] == [
        ("0.jpg", "unlisted", {"trip": 1}),
        ("2.jpg", "unlisted", {"trip": 1}),
    ]
    assert [(one["index"], one["filename"], one["code"]) for one in failed] == [
        (1, "1.jpg", "INVALID_FILE_FORMAT"),
        (3, "3.jpg", "FILE_TOO_LARGE"),
    ]
    assert [me.get(f"images/{image['id']}/file").body for image in made] == [files[0], files[2]]


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


def test_a_batch_that_is_broken_leaves_nothing(api: Api) -> None:
    dora = api.as_user(api.register())
    body, content_type = multipart([("files", File(JPEG)), ("files", File(JPEG))])
    answer = dora.post("images/batch/upload", body=body[:-10], headers={"Content-Type": content_type})
    assert (answer.status, answer.code) == (422, "VALIDATION_ERROR")
    assert dora.post("images/batch/upload", form=[("files", File(JPEG)), ("metadata", "x")]).status == 422
    assert dora.post("images/batch/upload", form=[("files", File(JPEG))] * 21).status == 422
    assert dora.post("images/batch/upload", form=[("metadata", "{}")]).status == 422
    assert mine(dora) == []
