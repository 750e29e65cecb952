"""Mail with a link to a new password: through a real SMTP server, or in the log of a developer's machine."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP as SmtpServer
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session

from tests.functional.api.client import PASSWORD, SECRET, Api
from tests.functional.conftest import StartServer
from tests.servers.ports import free_port
from tests.services import Certificates, Server

NEW = "a brand new password"
LOGIN = ("mailer", "the password of the mail server")


class Inbox:
    """What an SMTP server was given."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.encrypted: list[bool] = []

    async def handle_DATA(self, _server: SmtpServer, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        assert envelope.rcpt_tos
        mail = message_from_bytes(envelope.content, policy=policy.SMTP)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        self.encrypted.append(session.ssl is not None)
        return "250 OK"

    def next(self) -> EmailMessage:
        """The next mail; waits for it."""
        wait_for(lambda: bool(self.mails))
        return self.mails.pop(0)


def wait_for(come: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not come():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def authenticate(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
    given = isinstance(data, LoginPassword) and (data.login.decode(), data.password.decode())
    return AuthResult(success=given == LOGIN)


@pytest.fixture
def inbox(certificates: Certificates) -> Iterator[tuple[Inbox, int]]:
    """An SMTP server that wants TLS and a login, and its port."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates.certificate, certificates.key)
    inbox = Inbox()
    controller = Controller(
        inbox,
        hostname="127.0.0.1",
        port=free_port(),
        tls_context=context,
        require_starttls=True,
        authenticator=authenticate,
        auth_required=True,
    )
    controller.start()
    try:
        yield inbox, controller.port
    finally:
        controller.stop(no_assert=True)


def mailing(start_server: StartServer, port: int, certificates: Certificates, **more: str) -> Server:
    own = free_port()
    environment = {
        "PIXGATE_JWT_SECRET": SECRET,
        "PIXGATE_BCRYPT_COST": "4",
        "PIXGATE_PUBLIC_URL": f"http://localhost:{own}",
        "PIXGATE_SMTP_HOST": "127.0.0.1",
        "PIXGATE_SMTP_PORT": str(port),
        "PIXGATE_SMTP_USER": LOGIN[0],
        "PIXGATE_SMTP_PASSWORD": LOGIN[1],
        "SSL_CERT_FILE": str(certificates.ca),
    }
    return start_server(environment=environment | more, workers=1, arguments=("--listen", f"127.0.0.1:{own}"))


def test_a_forgotten_password_is_chosen_anew_by_mail(
    start_server: StartServer, inbox: tuple[Inbox, int], certificates: Certificates
) -> None:
    mails, port = inbox
    server = mailing(start_server, port, certificates)
    api = Api(server)
    user, other = api.register("ann@example.org"), api.register("eve@example.org")

    def forgot(email: str) -> Any:
        answer = api.post("auth/password/forgot", json={"email": email})
        assert answer.status == 202
        return answer.json

    def reset(token: str, password: str = NEW) -> Any:
        return api.post("auth/password/reset", json={"token": token, "new_password": password})

    def login(password: str) -> Any:
        return api.post("auth/login", json={"email": "ann@example.org", "password": password})

    unknown = forgot("nobody@example.org")
    assert forgot("ANN@example.org") == unknown
    mail = mails.next()
    assert mail["To"] == "ann@example.org"
    assert mail["From"] == "pixgate@localhost"
    link = next(line for line in mail.get_content().splitlines() if line.startswith("http://"))
    page, _, token = link.partition("#")
    assert page == server.url + "/ui/reset-password"
    status, body = server.fetch("/ui/reset-password")
    assert status == 200
    assert b"reset_password.js" in body

    assert reset("invented").code == "INVALID_REQUEST"
    assert reset(token, "short").status == 422
    assert reset(token).status == 204
    assert reset(token).code == "INVALID_REQUEST"  # once
    assert login(PASSWORD).code == "INVALID_CREDENTIALS"
    assert login(NEW).status == 200
    assert api.as_user(user).get("auth/me").status == 401
    assert api.as_user(other).get("auth/me").status == 200

    # A password that is changed otherwise ends the links that were sent.
    forgot("ann@example.org")
    late = next(line for line in mails.next().get_content().splitlines() if line.startswith("http://"))
    change = {"current_password": NEW, "new_password": PASSWORD}
    assert api.as_user(login(NEW).json["access_token"]).post("auth/password/change", json=change).status == 200
    assert reset(late.partition("#")[2]).code == "INVALID_REQUEST"
    assert mails.mails == []  # nobody but Ann was written to
    assert mails.encrypted == [True, True]
    server.stop()
    log = server.log.read_text()
    for secret in (token, late.partition("#")[2], NEW, PASSWORD, LOGIN[1]):
        assert secret not in log


def test_a_mail_server_that_is_away_delays_nobody_and_is_told_of(
    start_server: StartServer, certificates: Certificates
) -> None:
    server = mailing(start_server, free_port(), certificates, PIXGATE_SMTP_TLS="tls")
    api = Api(server)
    api.register("ann@example.org")
    assert api.post("auth/password/forgot", json={"email": "ann@example.org"}).status == 202
    wait_for(lambda: "a mail could not be sent through 127.0.0.1" in server.log.read_text())
    assert "/ui/reset-password" not in server.log.read_text()


def test_a_developers_machine_logs_the_link_and_no_other_does(start_server: StartServer) -> None:
    environment = {"PIXGATE_JWT_SECRET": SECRET, "PIXGATE_BCRYPT_COST": "4", "PIXGATE_DEVELOPMENT": "true"}
    server = start_server(
        environment=environment | {"PIXGATE_PASSWORD_RESET_URL": "http://localhost:3000/reset?t={token}"}, workers=1
    )
    api = Api(server)
    api.register("ann@example.org")
    api.post("auth/password/forgot", json={"email": "ann@example.org"})
    wait_for(lambda: "http://localhost:3000/reset?t=" in server.log.read_text())
    token = server.log.read_text().partition("http://localhost:3000/reset?t=")[2].partition("\\n")[0]
    assert api.post("auth/password/reset", json={"token": token, "new_password": NEW}).status == 204
    server.stop()
    del environment["PIXGATE_DEVELOPMENT"]
    quiet = start_server(environment=environment, workers=1)
    api = Api(quiet)
    api.register("ann@example.org")
    assert api.post("auth/password/forgot", json={"email": "ann@example.org"}).status == 202
    wait_for(lambda: "smtp_host or public_url is not set" in quiet.log.read_text())
    assert "reset-password" not in quiet.log.read_text()
