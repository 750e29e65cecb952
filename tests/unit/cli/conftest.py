"""Commands run in this process on a data folder of the test's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.cli import pixgate

Run = Callable[..., Result]


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder that is not there yet; no .env and no variables of ours."""
    monkeypatch.chdir(tmp_path)
    import os

    for name in [name for name in os.environ if name.startswith("PIXGATE_")]:
        monkeypatch.delenv(name)
    return tmp_path / "data"


@pytest.fixture
def run(data: Path) -> Run:
    """Run a command; by default it must exit with 0."""

    def run(*arguments: str, status: int = 0, folder: bool = True) -> Result:
        result = CliRunner().invoke(pixgate, [*arguments, *(["--data", str(data)] if folder else [])])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == status, result.output
        return result

    return run
