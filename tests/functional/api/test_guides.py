"""The sessions that the guides show, as they stand there: every curl answers with the status that is written above it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from gateway.web.docs import EXAMPLE_URL
from tests.functional.api.client import SECRET
from tests.functional.api.conftest import ENVIRONMENT
from tests.services import Server, clean_environment, running

ROOT = Path(__file__).resolve().parents[3]
GUIDES = ROOT / "docs" / "guides"

PRELUDE = r"""
set -euo pipefail
curl() { command curl -sS --max-time 120 -w '%{stderr}\nSTATUS %{http_code}\n' "$@" 2>> statuses || [ $? = 22 ]; }
"""
JQ = r"""#!/usr/bin/env python3
import json, re, sys
value = [json.load(sys.stdin if len(sys.argv) < 4 else open(sys.argv[3]))]
for name, each in re.findall(r"\.(\w*)(\[\])?", sys.argv[2]):
    value = [one[name] if name else one for one in value]
    value = [piece for one in value for piece in one] if each else value
for one in value:
    print(one if isinstance(one, str) else json.dumps(one))
"""


def blocks(guide: str, language: str) -> str:
    """All blocks of a guide in that language, as one text."""
    text = (GUIDES / f"{guide}.md").read_text(encoding="utf-8")
    found = re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)
    assert found, f"{guide} has no {language}"
    return "\n".join(found)


@pytest.fixture(scope="module")
def chitram(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server as the guide for who comes from Chitram has it set."""
    environment = {**ENVIRONMENT, "PIXGATE_ANONYMOUS_UPLOADS": "true", "PIXGATE_PROFILE": "chitram"}
    with running(Server(tmp_path_factory.mktemp("guides") / "data", workers=1, environment=environment)) as found:
        yield found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where somebody follows a guide: a photo, and something that is none."""
    Image.effect_noise((1600, 1200), 40).convert("RGB").save(tmp_path / "photo.jpg", quality=85)
    (tmp_path / "notes.txt").write_text("no picture at all\n")
    tools = tmp_path / "bin"
    tools.mkdir()
    if shutil.which("jq") is None:
        (tools / "jq").write_text(JQ)
        (tools / "jq").chmod(0o755)
    return tmp_path


def run(command: list[str], folder: Path) -> None:
    path = os.pathsep.join([str(folder / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = clean_environment(PATH=path, PIXGATE_JWT_SECRET=SECRET)
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    statuses = (folder / "statuses").read_text() if (folder / "statuses").exists() else ""
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{statuses}"


@pytest.mark.parametrize("guide", ["apps", "coming-from-chitram", "coming-from-image-api"])
def test_the_session_of_a_guide(request: pytest.FixtureRequest, folder: Path, guide: str) -> None:
    server: Server = request.getfixturevalue("chitram" if guide == "coming-from-chitram" else "api_server")
    script = blocks(guide, "sh")
    expected = re.findall(r"^# (\d{3})\b", script, re.M)
    assert len(expected) == len(re.findall(r"\bcurl\b", script)), "each curl has a status above it"
    (folder / "session.sh").write_text(PRELUDE + script.replace(EXAMPLE_URL, server.url))
    run(["bash", "session.sh"], folder)
    got = re.findall(r"^STATUS (\d{3})$", (folder / "statuses").read_text(), re.M)
    assert got == expected


def test_the_python_of_the_guide_for_apps(api_server: Server, folder: Path) -> None:
    (folder / "session.py").write_text(blocks("apps", "python").replace(EXAMPLE_URL, api_server.url))
    run([sys.executable, "-W", "error::UserWarning", "session.py"], folder)


@pytest.mark.parametrize("guide", ["coming-from-chitram", "coming-from-image-api"])
def test_the_settings_of_a_guide_are_settings(guide: str, tmp_path: Path) -> None:
    from gateway.config import load
    from gateway.settings.settings import Settings

    (tmp_path / "pixgate.toml").write_text(blocks(guide, "toml"))
    environ = {"PIXGATE_JWT_SECRET": SECRET}
    load(config_file=tmp_path / "pixgate.toml", env_file=tmp_path / "none", environ=environ)
    text = (GUIDES / f"{guide}.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^\|.*\| (.*) \|$", text.split("## Settings")[1].split("## Scripts")[0], re.M))
    for setting in {name for line in named for name in re.findall(r"`([a-z_]+)[` ]", line)}:
        assert setting in Settings.model_fields, setting
