"""Where a store is and how it is spoken to: a URL, or a `[[stores]]` table. Every mistake is told in words.

s3://key:secret@host:9000/bucket?tls=off&style=path&region=eu-west-1&prefix=photos&sse=AES256&ca=/etc/ca.pem
s3://s3.eu-central-1.amazonaws.com/bucket?credentials=chain
file:///srv/pixgate
"""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

STORE_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?", re.ASCII)
DEFAULT_NAME = "main"
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", re.ASCII)
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]", re.ASCII)
_REGION = re.compile(r"[a-z0-9-]{1,64}", re.ASCII)
_PREFIX = re.compile(r"[A-Za-z0-9!_.*'()/-]{0,200}", re.ASCII)
_AWS_HOST = re.compile(r"s3[.-](?:dualstack\.)?([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?", re.ASCII)
_SWITCH = {"on": True, "off": False, "true": True, "false": False, "1": True, "0": False}


def _secret(description: str) -> Any:
    return Field(default=None, repr=False, description=description, json_schema_extra={"secret": True})


class FolderStore(BaseModel):
    """A folder of this machine as a store."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    kind: Literal["folder"] = "folder"
    name: str = Field(description="What the rows call it: never change it once something is stored.")
    path: Path = Field(description="The folder.")

    @field_validator("name")
    @classmethod
    def _check_name(cls, name: str) -> str:
        return _store_name(name)

    @field_validator("path")
    @classmethod
    def _check_path(cls, path: Path) -> Path:
        if not path.is_absolute():
            raise ValueError("must be absolute")
        return path


class S3Store(BaseModel):
    """A bucket of an S3 service as a store."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    kind: Literal["s3"] = "s3"
    name: str = Field(description="What the rows call it: never change it once something is stored.")
    endpoint: str = Field(description="Host of the service, with `:port` where it is not 443 (80 without TLS).")
    bucket: str = Field(description="Bucket that holds the blobs; the first start makes it where it is missing.")
    prefix: str = Field(default="", description="Put before every name in the bucket, so that several may share it.")
    tls: bool = Field(default=True, description="Whether to speak HTTPS.")
    ca: Path | None = Field(default=None, description="Certificates (PEM) to trust instead of the system's.")
    style: Literal["path", "virtual"] | None = Field(
        default=None, description="`path` or `virtual` (`bucket.host`). Unset: virtual on AWS, path elsewhere."
    )
    region: str | None = Field(
        default=None, description="Region to sign for. Unset: AWS's from its host, else us-east-1."
    )
    access_key: str | None = Field(default=None, description="Access key.")
    secret_key: str | None = _secret("Secret key.")
    access_key_file: Path | None = Field(default=None, description="File that holds the access key instead.")
    secret_key_file: Path | None = Field(default=None, description="File that holds the secret key instead.")
    credentials: Literal["keys", "chain"] | None = Field(
        default=None,
        description="`chain`: look them up as AWS's tools do (variables, profile, web identity, role of the machine).",
    )
    sse: Literal["AES256"] | None = Field(default=None, description="Ask the service to encrypt what it stores.")
    connections: int = Field(default=256, ge=4, le=4096, description="Connections that each worker may hold.")

    @field_validator("name")
    @classmethod
    def _check_name(cls, name: str) -> str:
        return _store_name(name)

    @field_validator("endpoint")
    @classmethod
    def _check_endpoint(cls, endpoint: str) -> str:
        if "/" in endpoint or "@" in endpoint:
            raise ValueError("is a host and perhaps a port, without scheme and path")
        parts = urlsplit(f"//{endpoint}")
        try:
            host, port = parts.hostname or "", parts.port
        except ValueError:
            raise ValueError("has a port that is no number up to 65535") from None
        if port == 0 or (":" not in host and _HOST.fullmatch(host) is None):
            raise ValueError("is not a host such as minio.example.com:9000")
        if ":" in host:
            try:
                ipaddress.ip_address(host)
            except ValueError:
                raise ValueError("is not a host such as minio.example.com:9000") from None
        return endpoint.lower()

    @field_validator("bucket")
    @classmethod
    def _check_bucket(cls, bucket: str) -> str:
        if _BUCKET.fullmatch(bucket) is None:
            raise ValueError("is not the name of a bucket")
        return bucket

    @field_validator("prefix")
    @classmethod
    def _check_prefix(cls, prefix: str) -> str:
        prefix = prefix.strip("/")
        if _PREFIX.fullmatch(prefix) is None or any(part in ("", ".", "..") for part in prefix.split("/") if prefix):
            raise ValueError("may have letters, digits and -_.!*'() between single slashes")
        return prefix

    @field_validator("region")
    @classmethod
    def _check_region(cls, region: str | None) -> str | None:
        if region is not None and _REGION.fullmatch(region) is None:
            raise ValueError("is not a region such as us-east-1")
        return region

    @model_validator(mode="after")
    def _check_credentials(self) -> Self:
        access = self.access_key is not None or self.access_key_file is not None
        secret = self.secret_key is not None or self.secret_key_file is not None
        if self.access_key is not None and self.access_key_file is not None:
            raise ValueError("access_key and access_key_file exclude each other")
        if self.secret_key is not None and self.secret_key_file is not None:
            raise ValueError("secret_key and secret_key_file exclude each other")
        if self.credentials == "chain" and (access or secret):
            raise ValueError("has keys although its credentials come from the chain")
        if self.credentials != "chain" and not (access and secret):
            missing = "access key" if secret else "secret key" if access else "access key and secret key"
            raise ValueError(f"has no {missing} (or say credentials=chain)")
        if self.ca is not None and not self.tls:
            raise ValueError("has a CA although TLS is off")
        if self.effective_style == "virtual" and self.is_address:
            raise ValueError("needs style=path: an IP address has no names below it")
        return self

    @property
    def host(self) -> str:
        """Without brackets and port."""
        return urlsplit(f"//{self.endpoint}").hostname or ""

    @property
    def port(self) -> int:
        return urlsplit(f"//{self.endpoint}").port or (443 if self.tls else 80)

    @property
    def is_address(self) -> bool:
        try:
            ipaddress.ip_address(self.host)
        except ValueError:
            return False
        return True

    @property
    def is_loopback(self) -> bool:
        return self.host == "localhost" or (self.is_address and ipaddress.ip_address(self.host).is_loopback)

    @property
    def effective_style(self) -> Literal["path", "virtual"]:
        return self.style or ("virtual" if self.host.endswith((".amazonaws.com", ".amazonaws.com.cn")) else "path")

    @property
    def effective_region(self) -> str:
        match = _AWS_HOST.fullmatch(self.host)
        return self.region or (match[1] if match else "us-east-1")


StoreSettings = FolderStore | S3Store


def _store_name(name: str) -> str:
    if STORE_NAME.fullmatch(name) is None:
        raise ValueError("may have up to 32 lower-case letters, digits and hyphens")
    return name


def parse_store(value: object, name: str = DEFAULT_NAME) -> StoreSettings:
    """A store from its URL, or from the table of a `[[stores]]` entry (with `url`, or with fields).

    Raises ValueError with all that is wrong; it never holds a secret.
    """
    if isinstance(value, str):
        return _build(_from_url(value), name)
    if not isinstance(value, dict):
        raise ValueError("is neither a URL nor a table")  # noqa: TRY004 - a mistake in the settings
    fields = dict(value)
    name = str(fields.pop("name", name))
    url = fields.pop("url", None)
    if url is not None:
        if not isinstance(url, str):
            raise ValueError("url: is not a string")
        both = sorted(fields.keys() & (found := _from_url(url)).keys())
        if both:
            raise ValueError(f"{', '.join(both)}: stands in the URL too")
        fields = found | fields
    return _build(fields, name)


def _build(fields: dict[str, object], name: str) -> StoreSettings:
    kind = fields.get("kind", "folder" if "path" in fields and "bucket" not in fields else "s3")
    if kind not in ("folder", "s3"):
        raise ValueError("kind: is neither folder nor s3")
    model = FolderStore if kind == "folder" else S3Store
    try:
        return model.model_validate({**fields, "name": name, "kind": kind})
    except ValidationError as error:
        problems = []
        for one in error.errors(include_input=False, include_url=False, include_context=False):
            where = ".".join(map(str, one["loc"]))
            text = one["msg"].removeprefix("Value error, ")
            if one["type"] == "missing":
                text = "is missing"
            elif one["type"] == "extra_forbidden":
                text = "is not a setting of a store"
            problems.append(f"{where}: {text}" if where else text)
        # Without its cause: pydantic's own message quotes what was given.
        raise ValueError("; ".join(problems)) from None


def _from_url(url: str) -> dict[str, object]:
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ValueError("is not a URL") from None
    if parts.fragment:
        raise ValueError("has a '#': write it as %23")
    if parts.scheme == "file":
        if parts.netloc or parts.query or not parts.path.startswith("/"):
            raise ValueError("is not file:///an/absolute/path")
        return {"kind": "folder", "path": unquote(parts.path)}
    if parts.scheme != "s3":
        raise ValueError("is neither s3://... nor file:///...")
    return _from_s3_url(parts)


def _from_s3_url(parts: SplitResult) -> dict[str, object]:
    if "@" not in parts.netloc and "@" in (parts.path or parts.query):
        # What stands before the slash was taken for the host: a part of a secret may be in all that follows.
        raise ValueError("has a '/' or '?' before its '@': percent-encode the secret ('/' is %2F, '?' is %3F)")
    user, at, endpoint = parts.netloc.rpartition("@")
    if not endpoint:
        raise ValueError("names no host: s3://key:secret@host:port/bucket")
    fields: dict[str, object] = {"kind": "s3", "endpoint": endpoint}
    bucket, _, rest = parts.path.strip("/").partition("/")
    if not bucket:
        raise ValueError("names no bucket: s3://key:secret@host:port/bucket")
    if rest:
        raise ValueError("has more than a bucket as its path: use ?prefix=")
    fields["bucket"] = unquote(bucket)
    if at:
        access, colon, secret = user.partition(":")
        if not colon or not access or not secret:
            raise ValueError("needs key:secret before the @ (special characters percent-encoded)")
        fields |= {"access_key": unquote(access), "secret_key": unquote(secret)}
    for key, text in parse_qsl(parts.query, keep_blank_values=True):
        if key not in S3Store.model_fields or key in ("kind", "name", "endpoint", "bucket", "secret_key"):
            raise ValueError(f"{key}: is not a parameter of a store's URL")
        if key in fields:
            raise ValueError(f"{key}: is given twice")
        fields[key] = text
    if "tls" in fields:
        switch = _SWITCH.get(str(fields["tls"]).lower())
        if switch is None:
            raise ValueError("tls: is neither on nor off")
        fields["tls"] = switch
    return fields
