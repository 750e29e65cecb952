"""What settings make of uploads: without a login, by a profile, with a disk that is full."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests import images
from tests.functional.api.client import SECRET, Api
from tests.functional.api.uploading import JPEG
from tests.functional.conftest import StartServer
from tests.services import Server


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
