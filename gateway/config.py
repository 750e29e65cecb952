"""Settings from their four sources, every mistake reported at once.

Sources, the stronger first: command-line flags, environment (`PIXGATE_<NAME>`), `.env` in the working directory, a TOML
file (`--config` or `PIXGATE_CONFIG`). Only this module reads the environment. `docs/reference/settings.md` and
`.env.example` are generated from the fields of `gateway.settings`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import ValidationError

from gateway.settings.contradictions import contradictions
from gateway.settings.settings import Settings
from gateway.settings.shown import PREFIX, variable

CONFIG_VARIABLE = "PIXGATE_CONFIG"


class SettingsError(Exception):
    """All that is wrong with the settings. Each problem starts with the setting's name as it was given."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


def load(
    flags: Mapping[str, object] | None = None,
    *,
    config_file: Path | None = None,
    env_file: Path = Path(".env"),
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """Merge the sources into settings. `flags` are by field name, None means not given.

    Raises SettingsError with every problem found.
    """
    environ = os.environ if environ is None else environ
    problems: list[str] = []
    given: dict[str, tuple[str, object]] = {}
    if config_file is None and environ.get(CONFIG_VARIABLE):
        config_file = Path(environ[CONFIG_VARIABLE])
    if config_file is not None:
        _gather_toml(config_file, given, problems)
    if env_file.is_file():
        _gather_variables(_read_env_file(env_file, problems), f" in {env_file}", given, problems)
    _gather_variables(environ, "", given, problems)
    for name, value in (flags or {}).items():
        if value is not None:
            given[name] = ("--" + name.replace("_", "-"), value)

    settings, wrong = _validate({name: value for name, (_, value) in given.items()})
    problems += [f"{given[name][0]}: {message}" for name, message in wrong.items()]
    for names, message in contradictions(settings):
        if not wrong.keys() & set(names):
            shown = [given[name][0] if name in given else variable(name) for name in names]
            problems.append(f"{' / '.join(shown)}: {message}")
    if problems:
        raise SettingsError(problems)
    return settings


def _gather_toml(path: Path, given: dict[str, tuple[str, object]], problems: list[str]) -> None:
    import tomllib

    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        problems.append(f"--config {path}: {error.strerror}")
        return
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        problems.append(f"--config {path}: {error}")
        return
    for shown, name, value in _flattened(document):
        if name not in Settings.model_fields:
            problems.append(f"{shown} in {path}: there is no such setting{_suggest(name, list(Settings.model_fields))}")
        elif name in given:
            problems.append(f"{shown} in {path}: is there twice, as {given[name][0].partition(' ')[0]} besides")
        else:
            given[name] = (f"{shown} in {path}", value)


def _flattened(table: Mapping[str, object], *outer: str) -> Iterator[tuple[str, str, object]]:
    """Name as written, setting and value of each: `enabled` in a table `rate_limits` is `rate_limits_enabled`.

    A table that is a setting itself is its value.
    """
    for key, value in table.items():
        path = (*outer, key)
        name = "_".join(path)
        if isinstance(value, dict) and value and name not in Settings.model_fields:
            yield from _flattened(value, *path)
        else:
            yield ".".join(path), name, value


def _read_env_file(path: Path, problems: list[str]) -> dict[str, str | None]:
    from dotenv.parser import parse_stream

    try:
        with path.open(encoding="utf-8") as file:
            statements = list(parse_stream(file))
    except OSError as error:
        problems.append(f"{path}: {error.strerror}")
        return {}
    except UnicodeDecodeError:
        problems.append(f"{path}: is not UTF-8")
        return {}
    for statement in statements:
        # The file may be others' as well. A line is named by its number, never quoted: it may hold a secret.
        text = statement.original.string
        if statement.error and "pixgate" in text.lower():
            line = statement.original.line + len(text) - len(text.lstrip("\n"))
            problems.append(f"line {line} in {path}: is not NAME=value")
    return {one.key: one.value for one in statements if one.key is not None and not one.error}


def _gather_variables(
    variables: Mapping[str, str | None], where: str, given: dict[str, tuple[str, object]], problems: list[str]
) -> None:
    known = {variable(name): name for name in Settings.model_fields}
    for shown, value in variables.items():
        if not shown.startswith(PREFIX) or shown == CONFIG_VARIABLE:
            continue
        if shown not in known:
            problems.append(f"{shown}{where}: there is no such setting{_suggest(shown, list(known))}")
        elif value:  # set but empty is unset: compose files write it so
            given[known[shown]] = (shown + where, value)


def _suggest(name: str, known: list[str]) -> str:
    import difflib

    close = difflib.get_close_matches(name, known, n=1, cutoff=0.7)
    return f"; did you mean {close[0]}?" if close else ""


def _validate(values: dict[str, object]) -> tuple[Settings, dict[str, str]]:
    """Settings from what is valid, and what is wrong with the rest, by field name."""
    # Else pydantic looks for plugins in every installed distribution. There are none for us.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    try:
        return Settings.model_validate(values), {}
    except ValidationError as error:
        wrong: dict[str, str] = {}
        for detail in error.errors():
            name = str(detail["loc"][0])
            wrong.setdefault(name, detail["msg"].removeprefix("Value error, "))
        return Settings.model_validate({key: value for key, value in values.items() if key not in wrong}), wrong
