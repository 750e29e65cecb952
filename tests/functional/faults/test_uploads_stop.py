"""Database and store stand still or die under uploads by apps: 503, nothing in half, and all goes on when they are back."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import images
from tests.deployment import Deployment
from tests.functional.api.client import Api
from tests.servers.minio import Minio
from tests.servers.postgresql import PostgreSQL
from tests.services import ROOT

SMALL, LARGE = images.jpeg((120, 90)), images.jpeg((900, 700), quality=92)


class _Uploads:
    """Uploads one by one, each of other bytes, and remembers those that were acknowledged."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._count = 0
        self.acknowledged: dict[str, bytes] = {}

    def send(self) -> int:
        self._count += 1
        data = (LARGE if self._count % 2 else SMALL) + self._count.to_bytes(4)
        answer = self._api.upload(data, visibility="private")
        if answer.status == 201:
            self.acknowledged[answer.json["id"]] = data
        else:
            assert answer.code == "SERVICE_UNAVAILABLE"
            assert int(answer.headers["retry-after"]) > 0
        return answer.status

    def until(self, status: int, seconds: float = 60) -> None:
        """Send until twice in a row that is the answer."""
        deadline = time.monotonic() + seconds
        row = 0
        while row < 2:
            assert time.monotonic() < deadline, f"no answer {status}"
            row = row + 1 if self.send() == status else 0

    def check(self) -> None:
        """All that were acknowledged are there, each with its bytes; whatever else is listed is whole, too."""
        listed = self._api.get("users/me/images", query={"limit": "100"}).json["images"]
        assert set(self.acknowledged) <= {image["id"] for image in listed}
        for image in listed:
            body = self._api.get(f"images/{image['id']}/file").body
            assert len(body) == image["file_size"]
            assert self.acknowledged.get(image["id"], body) == body
            assert self._api.get(f"images/jobs/{image['job_id']}").json["image_id"] == image["id"]


def _away(deployment: Deployment, faults: list[tuple[Callable[[], object], Callable[[], object]]]) -> None:
    try:
        (node,) = deployment.start("a")
        uploads = _Uploads(Api(node).with_keys(ROOT))
        uploads.until(201)
        for begin, end in faults:
            begin()
            uploads.until(503)
            end()
            uploads.until(201)
        uploads.check()
        assert len(uploads.acknowledged) >= 2 + 2 * len(faults)
    finally:
        deployment.kill()


def test_uploads_while_the_database_is_away(tmp_path: Path, own_postgresql: PostgreSQL, minio: Minio) -> None:
    deployment = Deployment.new(tmp_path, own_postgresql, minio)
    _away(deployment, [(own_postgresql.kill, own_postgresql.start)])


def test_uploads_while_the_store_is_away(tmp_path: Path, postgresql: PostgreSQL, own_minio: Minio) -> None:
    deployment = Deployment.new(tmp_path, postgresql, own_minio)
    _away(deployment, [(own_minio.kill, own_minio.start)])


@pytest.mark.long
def test_uploads_while_either_stands_still(tmp_path: Path, own_postgresql: PostgreSQL, own_minio: Minio) -> None:
    deployment = Deployment.new(tmp_path, own_postgresql, own_minio)
    pauses = [(own_postgresql.pause, own_postgresql.resume), (own_minio.pause, own_minio.resume)]
    _away(deployment, [*pauses, *pauses])
