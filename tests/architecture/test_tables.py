"""The tables are complete, and what is made from them is current."""

from __future__ import annotations

import re

import botocore.session
import pytest

from gateway import reference
from gateway.api.errors import CODES as API_CODES
from gateway.app import _operations
from gateway.cli import COMMANDS, pixgate
from gateway.img.errors import CODES as IMAGE_CODES
from gateway.s3.errors import CODES as S3_CODES
from gateway.s3.table import OPERATIONS
from gateway.services.buckets import RESERVED
from gateway.settings.settings import Settings
from gateway.settings.shown import variable
from gateway.telemetry.metrics import STATUSES
from gateway.web.endpoint import RESERVED_PAGES, SHORT_NAMES


@pytest.mark.parametrize("name", reference.files())
def test_what_is_generated_is_current(name: str) -> None:
    path = reference.ROOT / name
    assert path.exists(), "run make docs"
    assert path.read_text(encoding="utf-8") == reference.files()[name](), "run make docs"


def test_every_setting_is_documented_and_in_the_example() -> None:
    page, example = reference.settings_page(), reference.env_example()
    for name in Settings.model_fields:
        assert f"| `{variable(name)}` |" in page
        assert f"\n#{variable(name)}=" in example


def test_the_example_reads_as_an_env_file_that_changes_nothing() -> None:
    for line in reference.env_example().splitlines():
        assert not line or line.startswith("#")


def test_every_operation_of_s3_has_a_row() -> None:
    model = botocore.session.get_session().get_service_model("s3")
    rows = {name for row in OPERATIONS for name in (row.name, *row.aliases)}
    # Only in reach of AWS's own clients: an endpoint of its own, or answered inside the SDK.
    elsewhere = {"WriteGetObjectResponse", "CreateSession"}
    assert set(model.operation_names) - rows - elsewhere == set()


def test_metric_rows_are_unique_and_cover_every_door() -> None:
    rows = _operations()
    assert len(rows) == len(set(rows))
    assert {row.door for row in rows} == {"s3", "img", "web", "api"}


@pytest.mark.parametrize("codes", [S3_CODES, IMAGE_CODES, API_CODES], ids=["s3", "img", "api"])
def test_every_error_has_a_status_that_the_metrics_know_and_a_message(codes: dict) -> None:
    for name, code in codes.items():
        assert re.fullmatch(r"[A-Z][A-Za-z0-9_]+", name)
        assert code.status in STATUSES
        assert code.message


def test_no_bucket_can_have_a_reserved_name_and_short_names_can() -> None:
    assert {*RESERVED_PAGES, "img"} <= RESERVED
    assert not RESERVED & SHORT_NAMES.keys()


def test_every_command_is_what_it_is_called() -> None:
    for name in COMMANDS:
        command = pixgate.get_command(None, name)  # type: ignore[arg-type]
        assert command is not None
        assert command.name == name
