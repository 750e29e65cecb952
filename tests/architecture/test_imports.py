"""Who may import whom, read from the source: below never knows above."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OURS = ("gateway", "signing", "transforms", "migrations", "conformance")

LAYERS: tuple[frozenset[str], ...] = (
    frozenset({"signing", "transforms", "migrations"}),
    frozenset(
        {
            "gateway",
            "gateway.errors",
            "gateway.model",
            "gateway.collector",
            "gateway.config",
            "gateway.redis_address",
            "gateway.settings",
        }
    ),
    frozenset({"gateway.policy", "gateway.telemetry"}),
    frozenset({"gateway.metadata", "gateway.blobs", "gateway.render", "gateway.cache"}),
    frozenset({"gateway.services"}),
    frozenset(
        {"gateway.auth", "gateway.http", "gateway.jobs", "gateway.backends", "gateway.data_folder", "gateway.tls"}
    ),
    frozenset({"gateway.s3", "gateway.img", "gateway.web", "gateway.api"}),
    frozenset(
        {
            "gateway.supervisor",
            "gateway.first_start",
            "gateway.reference",
            "gateway.doors",
            "gateway.refusals",
            "gateway.waiting",
        }
    ),
    frozenset({"gateway.app"}),
    frozenset({"gateway.startup", "gateway.worker"}),
    frozenset({"gateway.cli"}),
    frozenset({"gateway.__main__"}),
)
"""From the bottom: a part imports its own layer and those below it."""
DOORS = ("gateway.s3", "gateway.img", "gateway.web", "gateway.api")


def modules() -> Iterator[tuple[str, Path]]:
    for package in OURS:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def imports(path: Path, module: str) -> Iterator[str]:
    """Every module that a file imports, wherever in it, also for types only."""
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            assert node.module is not None
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def part(name: str) -> str | None:
    """The part of the architecture that a module, or a name in it, belongs to; None for what is not ours."""
    pieces = name.split(".")
    if pieces[0] not in OURS:
        return None
    if pieces[0] != "gateway":
        return pieces[0]
    candidate = ".".join(pieces[:2])
    return candidate if any(candidate in layer for layer in LAYERS) else "gateway"


def layer(name: str) -> int:
    return next(index for index, parts in enumerate(LAYERS) if name in parts)


EDGES = sorted(
    {
        (module, target)
        for module, path in modules()
        for name in imports(path, module)
        if (target := part(name)) is not None and target != part(module)
    }
)


def test_every_part_has_its_layer() -> None:
    found = {part(module) for module, _ in modules()} - {"conformance"}
    unplaced = [name for name, _ in modules() if name.startswith("gateway.") and part(name) == "gateway"]
    assert not unplaced
    assert found == frozenset().union(*LAYERS)


@pytest.mark.parametrize("package", ["signing", "transforms", "migrations"])
def test_the_pure_packages_import_nothing_of_ours(package: str) -> None:
    assert [edge for edge in EDGES if edge[0].partition(".")[0] == package] == []


def test_conformance_never_imports_the_server() -> None:
    # Black box: what it shares with the server would share its mistakes.
    assert [edge for edge in EDGES if edge[0].partition(".")[0] == "conformance"] == []
    assert [edge for edge in EDGES if edge[1] == "conformance"] == []


def test_nothing_imports_what_is_above_it() -> None:
    wrong = [
        (module, target)
        for module, target in EDGES
        if target != "conformance" and not module.startswith("conformance") and layer(target) > layer(str(part(module)))
    ]
    assert wrong == []


def test_doors_never_import_each_other() -> None:
    assert [(module, target) for module, target in EDGES if target in DOORS and str(part(module)) in DOORS] == []


def test_only_the_metadata_and_the_migrations_write_sql() -> None:
    statements = ("SELECT ", "INSERT INTO", "DELETE FROM", "UPDATE ")
    allowed = ("gateway.metadata", "migrations", "gateway.cli.doctor")
    wrong = []
    for module, path in modules():
        if module.startswith(allowed):
            continue
        for node in nodes(path):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith(statements):
                wrong.append((module, node.value[:40]))
    # The check of a connection is the one statement that names no table.
    assert [one for one in wrong if one[1] != "SELECT 1"] == []


def test_only_the_settings_read_the_environment() -> None:
    allowed = {"gateway.config"}
    wrong = []
    for module, path in modules():
        if module in allowed or module.startswith("conformance"):
            continue
        for node in nodes(path):
            if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv"):
                wrong.append(module)
    assert wrong == []


def test_transforms_know_no_server() -> None:
    for module, path in modules():
        if module.partition(".")[0] in ("transforms", "signing"):
            roots = {name.partition(".")[0] for name in imports(path, module)}
            assert not roots & {"aiohttp", "asyncio", "click", "sqlite3"}, module
