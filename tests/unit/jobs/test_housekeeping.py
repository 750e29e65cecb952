"""What is swept now and then: every task runs over a real deployment, and removes what its time is over for, nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.app import metrics, rendering_services
from gateway.config import load
from gateway.data_folder import open_services
from gateway.jobs.housekeeping import DAY_MS, FAILED_KEPT_MS, tasks
from gateway.metadata import audit, image_jobs, jobs, shares, upload_windows
from gateway.metadata.audit import Action, Actor, Event
from gateway.metadata.port import Transaction
from gateway.metadata.shares import ShareRow
from gateway.render.client import RenderClient
from gateway.services import Services
from gateway.services.clock import now_ms
from gateway.services.variants import Variants
from gateway.settings.settings import Settings
from tests.data_folder import new_data_folder


def settings_for(data: Path, **values: object) -> Settings:
    return load({"data": data, **values}, environ={}, env_file=data / "none")


@pytest.fixture
async def services(tmp_path: Path) -> AsyncIterator[Services]:
    opened = await open_services(settings_for(new_data_folder(tmp_path / "data")))
    yield opened
    await opened.close()


@pytest.fixture
async def variants(services: Services, tmp_path: Path) -> AsyncIterator[Variants]:
    settings = settings_for(tmp_path / "data")
    render = RenderClient(tmp_path / "nobody.sock", hot_bytes=0)
    _, made = rendering_services(settings, services, render, metrics(1))
    yield made
    await made.close()
    await render.close()


async def test_what_is_old_is_swept_and_the_rest_stays(services: Services, variants: Variants, tmp_path: Path) -> None:
    moment = now_ms()
    settings = settings_for(tmp_path / "data", jobs_kept_days=10, audit_retention_days=20)

    async def fill(tx: Transaction) -> None:
        for age in (0, 9, 11, 21, 31):
            at = moment - age * DAY_MS
            await image_jobs.insert(tx, f"{age}", "i", at)
            await image_jobs.complete(tx, f"{age}", 1, {}, at)
            await audit.note(tx, Event(Action.LOGIN, Actor("api"), at, target=f"{age}"))
            await shares.insert(tx, f"{age}".encode(), ShareRow(f"{age}", "i", None, at, at, None))
            await upload_windows.take(tx, f"{age}", at, 10)
            job = await jobs.add(tx, "k", {"age": age}, at)
            await tx.run("UPDATE jobs SET run_at_ms = NULL WHERE id = ?", (job,))

    await services.database.write(fill)
    for task in tasks(settings, services, variants):
        await task.action()
    database = services.database
    assert {row[0] for row in await database.all("SELECT id FROM image_jobs")} == {"0", "9"}
    assert {row[0] for row in await database.all("SELECT target FROM audit")} == {"0", "9", "11"}
    assert {row[0] for row in await database.all("SELECT who FROM upload_windows")} == {"0"}
    assert {row[0] for row in await database.all("SELECT id FROM shares")} == {"0", "9", "11", "21"}
    ages = {job.payload["age"] for job in await jobs.page(database, failed=True, after=0, limit=99)}
    assert ages == {age for age in (0, 9, 11, 21, 31) if age * DAY_MS < FAILED_KEPT_MS}


def test_what_is_kept_for_ever_has_no_task(services: Services, variants: Variants, tmp_path: Path) -> None:
    def names(**values: object) -> set[str]:
        return {task.name for task in tasks(settings_for(tmp_path / "data", **values), services, variants)}

    assert names() - names(jobs_kept_days=0, audit_retention_days=0) == {"image jobs", "audit log"}
    everything = tasks(settings_for(tmp_path / "data"), services, variants)
    assert len({task.name for task in everything}) == len(everything)
    assert all(task.seconds >= 60 for task in everything)
