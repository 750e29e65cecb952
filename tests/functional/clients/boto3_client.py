"""boto3: its transfer manager for files, its client for the rest."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import boto3
import boto3.exceptions
import botocore.exceptions

from tests.functional.clients.port import Client, ClientFailed


class Boto3(Client):
    """The SDK at its very defaults, retries too."""

    name = "boto3"

    @functools.cached_property
    def _s3(self) -> Any:
        session = boto3.session.Session(self.keys.access_key, self.keys.secret_key, region_name="us-east-1")
        return session.client("s3", endpoint_url=self.server.url, verify=self.server.ca_file)

    def put(self, file: Path, bucket: str, key: str) -> None:
        try:
            self._s3.upload_file(str(file), bucket, key)
        except boto3.exceptions.S3UploadFailedError as error:
            raise ClientFailed(str(error)) from error

    def put_in_one_request(self, file: Path, bucket: str, key: str) -> None:
        try:
            with file.open("rb") as body:
                self._s3.put_object(Bucket=bucket, Key=key, Body=body)
        except botocore.exceptions.ClientError as error:
            raise ClientFailed(str(error)) from error

    def get(self, bucket: str, key: str, file: Path) -> None:
        self._s3.download_file(bucket, key, str(file))

    def copy(self, bucket: str, key: str, to: str) -> None:
        self._s3.copy({"Bucket": bucket, "Key": key}, bucket, to)

    def move(self, bucket: str, key: str, to: str) -> None:
        self.copy(bucket, key, to)
        self.delete(bucket, key)

    def delete(self, bucket: str, key: str) -> None:
        self._s3.delete_object(Bucket=bucket, Key=key)

    def list(self, bucket: str, prefix: str = "") -> Sequence[str]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def upload_tree(self, folder: Path, bucket: str, prefix: str) -> None:
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            self.put(file, bucket, prefix + file.relative_to(folder).as_posix())

    def download_tree(self, bucket: str, prefix: str, folder: Path) -> None:
        for key in self.list(bucket, prefix):
            file = folder / key.removeprefix(prefix)
            file.parent.mkdir(parents=True, exist_ok=True)
            self.get(bucket, key, file)
