"""What is limited, over HTTP: uploads of a minute and of an hour, passwords, and uploads at once."""

from __future__ import annotations

import http.client
import io
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from PIL import Image

from tests.functional.api.client import Answer, Api, File, multipart
from tests.functional.api.conftest import ENVIRONMENT
from tests.functional.conftest import StartServer
from tests.services import Server

ON = {**ENVIRONMENT, "PIXGATE_RATE_LIMITS_ENABLED": "true"}
PATIENCE = 60
Hold = Callable[..., http.client.HTTPConnection]


def jpeg(number: int = 0) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (16, 16), (number % 256, 40, 90)).save(data, "JPEG")
    return data.getvalue()


def within_one_hour(seconds: float = 150) -> None:
    """Wait over the turn of the hour where it is near: then the count would begin anew."""
    left = 3600 - time.time() % 3600
    if left < seconds:
        time.sleep(left + 1)


def registration(name: str) -> dict[str, str]:
    return {"email": f"{name}@example.org", "password": "a password of tests"}


def limited(answer: Answer, limit: int) -> None:
    assert (answer.status, answer.code) == (429, "RATE_LIMIT_EXCEEDED")
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.headers["x-ratelimit-limit"] == str(limit)
    assert answer.headers["x-ratelimit-remaining"] == "0"
    assert int(answer.headers["x-ratelimit-reset"]) > time.time() - 5


def test_the_eleventh_upload_of_a_minute_is_refused(start_server: StartServer) -> None:
    # Two workers count together; each user has an hour of its own.
    api = Api(start_server(workers=2, environment=ON))
    answers = [api.app_user().upload(jpeg(number)) for number in range(10)]
    assert [answer.status for answer in answers] == [201] * 10
    limited(api.app_user().upload(jpeg(10)), 10)


def test_the_51st_upload_of_an_hour_is_refused(start_server: StartServer) -> None:
    api = Api(start_server(workers=1, environment={**ON, "PIXGATE_RATE_LIMIT_UPLOADS_MINUTE": "0"}))
    user, other = api.app_user(), api.app_user()
    within_one_hour()
    for left in range(49, -1, -1):
        answer = user.upload(jpeg(left))
        assert answer.status == 201
        assert answer.headers["x-ratelimit-limit"] == "50"
        assert answer.headers["x-ratelimit-remaining"] == str(left)
    refused = user.upload(jpeg())
    limited(refused, 50)
    assert int(refused.headers["retry-after"]) <= 3600
    assert other.upload(jpeg()).headers["x-ratelimit-remaining"] == "49"
    # What was refused is not there, and nothing of it was counted.
    limited(user.upload(jpeg()), 50)
    assert len(user.get("users/me/images", query={"limit": "100"}).json["images"]) == 50


def test_a_batch_counts_once_for_the_minute_and_once_a_file_for_the_hour(start_server: StartServer) -> None:
    environment = {**ON, "PIXGATE_RATE_LIMIT_UPLOADS_MINUTE": "2", "PIXGATE_RATE_LIMIT_UPLOADS_HOUR": "7"}
    api = Api(start_server(workers=1, environment=environment))
    user = api.app_user()
    within_one_hour()
    batch = user.post("images/batch/upload", form=[("files", File(jpeg(one), f"{one}.jpg")) for one in range(5)])
    assert (batch.status, len(batch.json["images"])) == (200, 5)
    answer = user.upload(jpeg())
    assert (answer.status, answer.headers["x-ratelimit-remaining"]) == (201, "1")
    limited(user.upload(jpeg()), 2)


def test_passwords_are_limited_by_address_and_by_mail_address(start_server: StartServer) -> None:
    api = Api(start_server(workers=2, environment={**ON, "PIXGATE_RATE_LIMIT_PASSWORDS_EMAIL": "4"}))
    wrong = {"email": "anna@example.org", "password": "not the password"}
    codes = [api.post("auth/login", json=wrong).code for _ in range(4)]
    assert codes == ["INVALID_CREDENTIALS"] * 4
    limited(api.post("auth/login", json=wrong), 4)
    # The form counts with it, however the address is written; another address does not.
    form = {"username": "ANNA@example.org", "password": "not the password"}
    limited(api.post("auth/token", data=form), 4)
    assert api.post("auth/login", json={**wrong, "email": "ben@example.org"}).code == "INVALID_CREDENTIALS"


def test_refresh_tokens_are_limited_by_session_and_by_address(start_server: StartServer) -> None:
    environment = {"PIXGATE_RATE_LIMIT_REFRESHES_SESSION": "2", "PIXGATE_RATE_LIMIT_REFRESHES_ADDRESS": "7"}
    api = Api(start_server(workers=2, environment={**ON, **environment}))

    def refresh(token: str) -> Answer:
        return api.post("auth/refresh", json={"refresh_token": token})

    first, other = (api.post("auth/register", json=registration(name)).json for name in ("anna", "ben"))
    second = refresh(first["refresh_token"]).json
    third = refresh(second["refresh_token"]).json
    limited(refresh(third["refresh_token"]), 2)
    # Others have limits of their own, and a used token still ends its session.
    assert refresh(other["refresh_token"]).status == 200
    assert refresh(first["refresh_token"]).code == "UNAUTHORIZED"
    me = {"Authorization": f"Bearer {third['access_token']}"}
    assert api.get("auth/me", headers=me).code == "UNAUTHORIZED"
    assert [refresh("made up").code for _ in range(2)] == ["UNAUTHORIZED"] * 2
    limited(refresh("made up"), 7)


def test_passwords_are_refused_where_they_cannot_be_counted(start_server: StartServer) -> None:
    server = start_server(workers=1, environment={**ON, "PIXGATE_REDIS_URL": ""})
    api = Api(server)
    user = api.register()
    for path in server.data.glob("run/limits.sqlite*"):
        path.unlink()
    # A folder in the place of the file: nobody can open that as a database, root neither.
    (server.data / "run" / "limits.sqlite").mkdir()
    server.stop()
    server.start()
    answer = api.post("auth/login", json={"email": user.email, "password": "a password of tests"})
    assert (answer.status, answer.code) == (503, "SERVICE_UNAVAILABLE")
    assert "retry-after" in answer.headers
    # Uploads go on.
    assert [api.app_user().upload(jpeg(number)).status for number in range(12)] == [201] * 12


@pytest.fixture
def hold() -> Iterator[Hold]:
    """Begins an upload and leaves it unfinished."""
    open_ones: list[http.client.HTTPConnection] = []

    def begin(api: Api, address: str = "127.0.0.1") -> http.client.HTTPConnection:
        body, content_type = multipart([("file", File(jpeg()))])
        parts = urlsplit(api.server.url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE)
        connection.putrequest("POST", "/api/v1/images/upload")
        connection.putheader("Authorization", f"Bearer {api.token or api.app_user().token}")
        connection.putheader("X-Forwarded-For", address)
        connection.putheader("Content-Type", content_type)
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body[: len(body) // 2])
        connection.rest = body[len(body) // 2 :]  # type: ignore[attr-defined]
        open_ones.append(connection)
        return connection

    yield begin
    for connection in open_ones:
        connection.close()


def uploads(server: Server) -> dict[str, Any]:
    found: dict[str, Any] = Api(server).get("/health").json["uploads"]
    return found


def until_active(server: Server, count: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while uploads(server)["active"] != count:
        assert time.monotonic() < deadline, uploads(server)
        time.sleep(0.05)


def test_uploads_at_once_have_slots_of_the_node(start_server: StartServer, hold: Hold) -> None:
    environment = {**ENVIRONMENT, "PIXGATE_UPLOAD_SLOTS": "3", "PIXGATE_UPLOAD_SLOT_WAIT": "0.5"}
    server = start_server(workers=2, environment=environment)
    api = Api(server)
    held = [hold(api) for _ in range(3)]
    until_active(server, 3)
    assert uploads(server)["detail"] == "3/3"
    refused = api.app_user().upload(jpeg())
    assert (refused.status, refused.code) == (503, "SERVICE_UNAVAILABLE")
    assert int(refused.headers["retry-after"]) >= 1
    # What is no upload needs no slot.
    assert api.get("images").status == 200
    held[0].send(held[0].rest)  # type: ignore[attr-defined]
    answer = held[0].getresponse()
    assert answer.status == 201
    answer.read()
    assert api.app_user().upload(jpeg()).status == 201
    # A client that goes away gives its slot back.
    held[1].close()
    until_active(server, 1)


def test_one_address_and_one_user_leave_slots_to_others(start_server: StartServer, hold: Hold) -> None:
    environment = {
        **ENVIRONMENT,
        "PIXGATE_UPLOAD_SLOTS": "6",
        "PIXGATE_UPLOAD_SLOT_WAIT": "0.5",
        "PIXGATE_TRUSTED_PROXIES": "127.0.0.0/8",
        "PIXGATE_BCRYPT_COST": "12",
    }
    server = start_server(workers=2, environment=environment)
    api = Api(server)
    busy, other = api.app_user(), api.app_user()
    near, far, third = "198.51.100.1", "2001:db8::1", "203.0.113.1"

    def upload(user: Api, address: str) -> int:
        return user.upload(jpeg(), headers={"X-Forwarded-For": address}).status

    held = [hold(busy, near) for _ in range(3)]
    until_active(server, 3)
    assert [upload(busy, near), upload(busy, far)] == [503, 503]
    assert [upload(other, near) for _ in range(4)] == [201] * 4
    held.append(hold(api, near))
    until_active(server, 4)
    assert upload(other, near) == 503
    assert [upload(other, far) for _ in range(4)] == [201] * 4
    batch = busy.post("images/batch/upload", form=[("files", File(jpeg()))], headers={"X-Forwarded-For": third})
    assert batch.status == 503
    held[0].close()
    until_active(server, 3)
    assert [upload(busy, third), upload(other, near)] == [201, 201]


def test_an_upload_waits_for_a_slot(start_server: StartServer, hold: Hold) -> None:
    environment = {**ENVIRONMENT, "PIXGATE_UPLOAD_SLOTS": "1", "PIXGATE_UPLOAD_SLOT_WAIT": "60"}
    server = start_server(workers=2, environment=environment)
    api = Api(server)
    held = hold(api)
    until_active(server, 1)
    answers: list[int] = []
    waiting = threading.Thread(target=lambda: answers.append(api.app_user().upload(jpeg()).status))
    waiting.start()
    waiting.join(1.0)
    assert answers == []
    held.send(held.rest)  # type: ignore[attr-defined]
    response = held.getresponse()
    assert response.status == 201
    response.read()
    waiting.join(PATIENCE)
    assert answers == [201]


def test_a_file_has_its_time_however_fast_it_comes(start_server: StartServer, hold: Hold) -> None:
    server = start_server(workers=1, environment={**ENVIRONMENT, "PIXGATE_UPLOAD_FILE_TIMEOUT": "1"})
    held = hold(Api(server))
    until_active(server, 1)
    time.sleep(3)
    held.send(held.rest)  # type: ignore[attr-defined]
    response = held.getresponse()
    assert (response.status, b"REQUEST_TIMEOUT" in response.read()) == (408, True)
    until_active(server, 0)


def test_switched_off_limits_are_told_once(start_server: StartServer) -> None:
    server = start_server(workers=2, environment=ENVIRONMENT)
    assert server.log.read_text().count("rate limits are off") == 1
    on = start_server(workers=1, environment=ON)
    assert "rate limits are off" not in on.log.read_text()
