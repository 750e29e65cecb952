"""Mail to users: by SMTP, in a thread, some at a time; on a developer's machine, which has no server for it, in the log."""

from __future__ import annotations

import asyncio
import logging
import smtplib
import ssl
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from urllib.parse import urlsplit

from gateway.errors import GatewayError, Overloaded
from gateway.settings.auth import AuthSettings

log = logging.getLogger("pixgate.mail")

AT_ONCE = 50
"""Mails that a process has under way or waiting; whoever asks for more is told to come again."""
FINISH_SECONDS = 5.0
"""How long mails under way may hold up the end of the process."""


@dataclass(frozen=True, slots=True)
class Mail:
    to: str
    subject: str
    text: str


class Mailer:
    """`public_url` is where the links in mails lead; without one none is sent, and those in the log lead to `near_url`."""

    def __init__(self, settings: AuthSettings, public_url: str | None, near_url: str = "") -> None:
        self._settings = settings
        self._public_url = public_url
        self._near_url = near_url
        self._executor = ThreadPoolExecutor(2, thread_name_prefix="mail")
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def sends(self) -> bool:
        return self._settings.smtp_host is not None and self._public_url is not None

    def reset_link(self, token: str) -> str:
        """Where a password is chosen anew. Behind the `#`, a token reaches no server's log."""
        page = self._settings.password_reset_url
        if page is not None:
            return page.replace("{token}", token)
        return f"{self._public_url or self._near_url}/ui/reset-password#{token}"

    def soon(self, work: Callable[[], Awaitable[Mail | None]]) -> None:
        """Find out in the background whether there is a mail to send, and send it. Raises Overloaded.

        Nobody who asks can tell by the answer, or the time that it takes, whether one was sent.
        """
        if len(self._tasks) >= AT_ONCE:
            raise Overloaded("Too much mail is on its way: try again.")
        task = asyncio.get_running_loop().create_task(self._do(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _do(self, work: Callable[[], Awaitable[Mail | None]]) -> None:
        try:
            mail = await work()
            if mail is not None:
                await self.send(mail)
        except GatewayError as error:
            log.warning("a mail was not written: %s", error)
        except (OSError, smtplib.SMTPException, UnicodeError, ValueError) as error:
            # What the server says may quote the mail.
            log.warning("a mail could not be sent through %s: %s", self._settings.smtp_host, type(error).__name__)

    async def send(self, mail: Mail) -> None:
        """Raises OSError and smtplib.SMTPException."""
        if self.sends:
            await asyncio.get_running_loop().run_in_executor(self._executor, self._deliver, mail)
        elif self._settings.development:
            log.warning("mail to %s, not sent: %s\n%s", mail.to, mail.subject, mail.text)
        else:
            log.warning("a mail was to be sent, but smtp_host or public_url is not set")

    def _deliver(self, mail: Mail) -> None:
        settings = self._settings
        assert settings.smtp_host is not None
        message = EmailMessage()
        sender = settings.mail_from or f"pixgate@{urlsplit(self._public_url or '').hostname}"
        message["From"], message["To"], message["Subject"] = sender, mail.to, mail.subject
        message["Date"] = formatdate(usegmt=True)
        message["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2].rstrip(">"))
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(mail.text)
        context = ssl.create_default_context()
        timeout = settings.smtp_timeout
        if settings.smtp_tls == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                settings.smtp_host, settings.smtp_port, timeout=timeout, context=context
            )
        else:
            server = smtplib.SMTP(settings.smtp_host, settings.smtp_port, timeout=timeout)
        with server:
            if settings.smtp_tls == "starttls":
                server.starttls(context=context)
            if settings.smtp_user is not None:
                server.login(settings.smtp_user, settings.smtp_password or "")
            server.send_message(message)

    async def close(self) -> None:
        """Let what is on its way leave, for a moment."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=FINISH_SECONDS)
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._executor.shutdown(wait=False, cancel_futures=True)


def reset_mail(to: str, link: str) -> Mail:
    return Mail(
        to,
        "Choose a new password",
        "Somebody, hopefully you, asked for a new password for this address.\n\n"
        f"Choose one here within an hour:\n\n{link}\n\n"
        "If it was not you, nothing has changed, and there is nothing to do.\n",
    )
