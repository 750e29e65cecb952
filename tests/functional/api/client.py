"""A small client of the JSON door, as an app would write one: JSON, multipart forms, bearer tokens and access keys."""

from __future__ import annotations

import http.client
import io
import json
import secrets
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode, urlsplit

import jwt
from PIL import Image

from conformance.target import Keys
from signing.sigv4.payload import UNSIGNED_PAYLOAD
from signing.sigv4.sign import Credentials, sign_header
from tests.services import Server

BASE = "/api/v1/"
SECRET = "a-jwt-secret-that-only-tests-know-0123456789"
"""What the servers under test sign their tokens with; an app's own tokens are signed with it too."""
PASSWORD = "a password of tests"


@dataclass(frozen=True, slots=True)
class Answer:
    """A response; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, which must be JSON."""
        assert self.headers.get("content-type") == "application/json", (self.status, self.headers, self.body[:300])
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The error code, which must stand under `error` and again under `detail`."""
        document = self.json
        assert document["error"] == document["detail"], document
        assert set(document["error"]) == {"code", "message", "details"}, document
        return str(document["error"]["code"])

    @property
    def picture(self) -> Image.Image:
        """The body, decoded."""
        image = Image.open(io.BytesIO(self.body))
        image.load()
        return image


@dataclass(frozen=True, slots=True)
class File:
    """A file in a multipart form. Without a name it is an ordinary field."""

    data: bytes
    name: str | None = "photo.jpg"
    content_type: str | None = "image/jpeg"


Fields = Iterable[tuple[str, str | bytes | File]]


def multipart(fields: Fields, boundary: str = "----pixgate-tests-7d1a") -> tuple[bytes, str]:
    """A form as browsers send it, its fields in the order that is given: the body and its Content-Type."""
    parts = []
    for name, value in fields:
        file = (
            value
            if isinstance(value, File)
            else File(value if isinstance(value, bytes) else value.encode(), None, None)
        )
        disposition = f'form-data; name="{name}"'
        if file.name is not None:
            escaped = file.name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
            disposition += f'; filename="{escaped}"'
        head = f"--{boundary}\r\nContent-Disposition: {disposition}\r\n"
        if file.content_type is not None:
            head += f"Content-Type: {file.content_type}\r\n"
        parts += [head.encode() + b"\r\n", file.data, b"\r\n"]
    parts.append(f"--{boundary}--\r\n".encode())
    return b"".join(parts), f"multipart/form-data; boundary={boundary}"


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who registered: the address, what the service says of them, their token."""

    email: str
    id: str
    token: str


@dataclass(frozen=True, slots=True)
class Api:
    """Whom a server knows by a bearer token or by access keys; without either, nobody.

    Paths without a slash in front are below `/api/v1/`: `images/upload`; others are taken as they are.
    """

    server: Server
    token: str | None = None
    keys: Keys | None = None

    def as_user(self, user: User | str) -> Api:
        """The same server, asked with that user's token, or with any token."""
        return replace(self, token=user if isinstance(user, str) else user.token, keys=None)

    def with_keys(self, keys: Keys) -> Api:
        """The same server, asked with signatures of an access key."""
        return replace(self, token=None, keys=keys)

    def register(self, email: str | None = None, password: str = PASSWORD) -> User:
        """A new user, who has an account of their own. Costs a password's hash: tests that can, share one."""
        email = email or f"{secrets.token_hex(8)}@example.org"
        answer = self.post("auth/register", json={"email": email, "password": password})
        assert answer.status == 201, answer.body
        return User(email, str(answer.json["user"]["id"]), answer.json["access_token"])

    def app_user(self, subject: str = "", **claims: Any) -> Api:
        """One of the users of an app that signs tokens with the shared secret itself. Costs nothing."""
        now = int(time.time())
        subject = subject or f"user-{secrets.token_hex(8)}"
        claims = {"sub": subject, "iat": now, "exp": now + 3600} | claims
        return self.as_user(jwt.encode({k: v for k, v in claims.items() if v is not None}, SECRET, "HS256"))

    # Requests

    def get(self, path: str, **how: Any) -> Answer:
        return self.ask("GET", path, **how)

    def post(self, path: str, **how: Any) -> Answer:
        return self.ask("POST", path, **how)

    def put(self, path: str, **how: Any) -> Answer:
        return self.ask("PUT", path, **how)

    def patch(self, path: str, **how: Any) -> Answer:
        return self.ask("PATCH", path, **how)

    def delete(self, path: str, **how: Any) -> Answer:
        return self.ask("DELETE", path, **how)

    def upload(
        self, file: File | bytes, *, headers: Mapping[str, str] | None = None, timeout: float = 60, **fields: str
    ) -> Answer:
        """Upload an image in one form, the fields before the file."""
        file = file if isinstance(file, File) else File(file)
        return self.post("images/upload", form=[*fields.items(), ("file", file)], headers=headers, timeout=timeout)

    def ask(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        form: Fields | None = None,
        data: Mapping[str, str] | None = None,
        body: bytes | None = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = 60,
    ) -> Answer:
        """Send a request on a connection of its own: a JSON body, a multipart `form`, urlencoded `data` or raw bytes."""
        given = dict(headers or {})
        if json is not None:
            body, given["Content-Type"] = _dumps(json), "application/json"
        elif form is not None:
            body, given["Content-Type"] = multipart(form)
        elif data is not None:
            body, given["Content-Type"] = urlencode(data).encode(), "application/x-www-form-urlencoded"
        target = path if path.startswith("/") else BASE + path
        if query:
            target += "?" + urlencode(query)
        parts = urlsplit(self.server.url)
        given |= self._credentials(method, target, parts.netloc, body)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout)
        try:
            connection.request(method, target, body, given)
            response = connection.getresponse()
            content = response.read()
            return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, content)
        finally:
            connection.close()

    def _credentials(self, method: str, target: str, host: str, body: bytes | None) -> dict[str, str]:
        if self.token is not None:
            return {"Authorization": f"Bearer {self.token}"}
        if self.keys is None:
            return {}
        path, _, query = target.partition("?")
        return sign_header(
            Credentials(self.keys.access_key, self.keys.secret_key),
            method=method,
            host=host,
            raw_path=path.encode(),
            raw_query=query.encode(),
            now=time.time(),
            region="us-east-1",
            payload_hash=UNSIGNED_PAYLOAD if body is None else sha256(body).hexdigest(),
        ).headers


def _dumps(value: Any) -> bytes:
    return json.dumps(value).encode()
