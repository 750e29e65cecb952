"""`pixgate worker` where there is nothing for it to do."""

from __future__ import annotations

from gateway.cli.worker import KINDS
from gateway.jobs import celery_app
from tests.unit.cli.conftest import Run


def test_without_celery_servers_do_their_work_themselves(run: Run) -> None:
    refused = run("worker", status=1)
    assert "PIXGATE_CELERY_URL" in refused.stderr


def test_a_worker_takes_every_kind_that_is_sent() -> None:
    assert KINDS == celery_app.KINDS
