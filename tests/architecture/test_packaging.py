"""What an installation without the repository needs is in the packages that setup.cfg names."""

from __future__ import annotations

from configparser import ConfigParser
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGES = ("gateway", "signing", "transforms", "migrations", "conformance")


def shipped() -> list[Path]:
    """Every file below the packages, links to folders followed, without what Python itself leaves there."""
    found: list[Path] = []
    waiting = [ROOT / package for package in PACKAGES]
    while waiting:
        for path in sorted(waiting.pop().iterdir()):
            if path.is_dir() and path.name != "__pycache__":
                waiting.append(path)
            elif path.is_file():
                found.append(path)
    return found


@pytest.fixture(scope="module")
def setup() -> ConfigParser:
    parser = ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def test_setup_names_the_packages(setup: ConfigParser) -> None:
    assert setup["options.packages.find"]["include"].split() == [f"{package}*" for package in PACKAGES]


def test_every_folder_with_code_is_a_package() -> None:
    # setuptools leaves out a folder without __init__.py, and says nothing.
    folders = {path.parent for path in shipped() if path.suffix == ".py"}
    assert [str(folder) for folder in sorted(folders) if not (folder / "__init__.py").exists()] == []


def test_every_other_file_is_named_as_data(setup: ConfigParser) -> None:
    patterns = [
        f"{package.replace('.', '/')}/{pattern}"
        for package, lines in setup["options.package_data"].items()
        for pattern in lines.split()
    ]
    others = [path.relative_to(ROOT).as_posix() for path in shipped() if path.suffix != ".py"]
    missing = [name for name in others if not any(fnmatch(name, pattern) for pattern in patterns)]
    assert missing == []
    assert "gateway/web/documents/guides/operator.md" in others
