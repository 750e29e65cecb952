"""The database goes away in the middle of a batch of uploads: who sent it learns what is there, and what is not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import images
from tests.deployment import Deployment
from tests.functional.api.client import Answer, Api, File
from tests.servers.line_proxy import LineProxy
from tests.servers.minio import Minio
from tests.servers.postgresql import PostgreSQL

FILES = [images.jpeg((60 + n, 40)) for n in range(3)]


@pytest.fixture
def line(postgresql: PostgreSQL) -> Iterator[LineProxy]:
    with LineProxy(postgresql.port) as proxy:
        yield proxy


@pytest.fixture
def nobody(tmp_path: Path, postgresql: PostgreSQL, minio: Minio, line: LineProxy) -> Iterator[Api]:
    """Somebody without an account, at a node whose line to the database is cut where that is told a doomed name."""
    deployment = Deployment.new(tmp_path, postgresql, minio)
    behind = deployment.database_url.replace(f":{postgresql.port}/", f":{line.port}/")
    try:
        (node,) = deployment.start("a", database_url=behind, anonymous_uploads="on")
        line.when(b"doomed", by="client", count=None)
        yield Api(node)
    finally:
        deployment.kill()


def batch(nobody: Api, *names: str) -> Answer:
    form = [("files", File(data, name)) for data, name in zip(FILES, names, strict=True)]
    return nobody.post("images/batch/upload", form=form)


def test_what_is_there_is_told_with_its_delete_token(nobody: Api) -> None:
    answer = batch(nobody, "first.jpg", "doomed.jpg", "last.jpg")
    assert answer.status == 200, answer.body
    (image,) = answer.json["images"]
    assert (image["filename"], nobody.get(f"images/{image['id']}/file").body) == ("first.jpg", FILES[0])
    assert [(one["index"], one["code"]) for one in answer.json["failed"]] == [
        (1, "SERVICE_UNAVAILABLE"),
        (2, "SERVICE_UNAVAILABLE"),
    ]
    gone = nobody.delete(f"images/{image['id']}", query={"delete_token": image["delete_token"]})
    assert gone.status == 204, gone.body


def test_where_nothing_is_there_all_can_be_sent_again(nobody: Api) -> None:
    answer = batch(nobody, "doomed.jpg", "second.jpg", "last.jpg")
    assert (answer.status, answer.code) == (503, "SERVICE_UNAVAILABLE")
    assert int(answer.headers["retry-after"]) > 0
    again = batch(nobody, "first.jpg", "second.jpg", "last.jpg")
    assert (again.status, len(again.json["images"]), again.json["failed"]) == (200, 3, [])
