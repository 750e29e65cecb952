"""Passwords: what may be one, and that finding out costs the same for everybody."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import bcrypt
import pytest

from gateway.errors import InvalidValue, PasswordsBusy
from gateway.services.passwords import (
    AT_ONCE,
    WAITING,
    Passwords,
    check_email,
    check_length,
    check_password,
    email_key,
)


class Counted:
    """What bcrypt is asked, and how much of it at once; held up until `go` is set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.hashes: list[bytes] = []
        self.now = self.most = 0
        self.go = threading.Event()
        self.go.set()
        self._lock = threading.Lock()
        compare, make = bcrypt.checkpw, bcrypt.hashpw

        def checkpw(password: bytes, known: bytes) -> Any:
            return self._counted(known, lambda: compare(password, known))

        def hashpw(password: bytes, salt: bytes) -> Any:
            return self._counted(salt, lambda: make(password, salt))

        monkeypatch.setattr(bcrypt, "checkpw", checkpw)
        monkeypatch.setattr(bcrypt, "hashpw", hashpw)

    def _counted(self, known: bytes, work: Any) -> Any:
        with self._lock:
            self.hashes.append(known)
            self.now += 1
            self.most = max(self.most, self.now)
        self.go.wait(30)
        try:
            return work()
        finally:
            with self._lock:
                self.now -= 1


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    return Counted(monkeypatch)


async def test_a_password_is_known_again_and_no_other() -> None:
    subject = Passwords(4)
    known = await subject.hash("correct horse")
    assert known.startswith("$2b$04$")
    assert await subject.matches("correct horse", known)
    assert not await subject.matches("correct Horse", known)
    assert await subject.hash("correct horse") != known
    subject.close()


async def test_an_unknown_user_costs_one_hash_of_the_same_cost(counted: Counted) -> None:
    subject = Passwords(5)
    known = await subject.hash("correct horse")
    counted.hashes.clear()
    assert not await subject.matches("wrong horse", known)
    assert not await subject.matches("wrong horse", None)
    wrong, unknown = counted.hashes
    assert wrong[:7] == unknown[:7] == b"$2b$05$"
    assert len(wrong) == len(unknown) == 60
    subject.close()


async def test_two_are_hashed_at_once_some_wait_and_the_rest_is_sent_away(counted: Counted) -> None:
    subject = Passwords(4)
    counted.go.clear()
    tasks = [asyncio.create_task(subject.matches("password", None)) for _ in range(AT_ONCE + WAITING + 3)]
    done, waiting = await asyncio.wait(tasks, timeout=30, return_when=asyncio.FIRST_COMPLETED)
    await asyncio.sleep(0)
    refused = [task.exception() for task in tasks if task.done()]
    assert [type(error) for error in refused] == [PasswordsBusy] * 3
    assert done
    assert waiting
    gone = next(task for task in tasks if not task.done())
    gone.cancel()  # who does not wait any more still holds the place while it is worked on
    await asyncio.sleep(0)
    with pytest.raises(PasswordsBusy):
        await subject.matches("password", None)
    counted.go.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert results.count(False) == AT_ONCE + WAITING - 1
    assert counted.most == AT_ONCE
    assert not await subject.matches("password", None)
    subject.close()


def test_eight_characters_at_least_and_72_bytes_at_most() -> None:
    assert check_password("12345678") == "12345678"
    assert check_password("é" * 36) == "é" * 36
    for wrong in ("1234567", "é" * 37, "x" * 73, "1234567\0", "1234567\ud800"):
        with pytest.raises(InvalidValue) as caught:
            check_password(wrong)
        assert wrong not in str(caught.value)
    assert check_length("1") == "1"
    with pytest.raises(InvalidValue):
        check_length("x" * 73)


@pytest.mark.parametrize(
    "address",
    [
        "ann@example.org",
        " ann@example.org ",
        "a.b+c@sub.example.co.uk",
        "jörg@müller.example",
        "o'neil@example.org",
        "a@b",
    ],
)
def test_addresses(address: str) -> None:
    assert check_email(address) == address.strip()


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ann",
        "@example.org",
        "ann@",
        "ann@@example.org",
        "ann@exa mple.org",
        "ann@example..org",
        "ann@-example.org",
        "ann@example.org\nBcc: all@example.org",
        "ann@example.org,eve@example.org",
        "<ann@example.org>",
        "a" * 65 + "@example.org",
        "ann@" + "a." * 130 + "org",
        "ann@example.org\0",
        "\ud800@example.org",
        '"a b"@example.org',
    ],
)
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(InvalidValue):
        check_email(address)


def test_capitals_and_ways_of_writing_are_one_address() -> None:
    assert email_key("Ann@Example.ORG") == email_key("ann@example.org")
    assert email_key("jo\u0308rg@example.org") == email_key("jörg@example.org")
    assert email_key("ann@example.org") != email_key("anne@example.org")
