"""Cases: small functions, registered under the S3 operation they ask about."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from conformance.probe import Probe

API = "https://docs.aws.amazon.com/AmazonS3/latest/API/"
GUIDE = "https://docs.aws.amazon.com/AmazonS3/latest/userguide/"

Function = Callable[[Probe], None]


@dataclass(frozen=True, slots=True)
class Case:
    """One question to an endpoint. `says` is what AWS does, `source` the page that says so."""

    operation: str
    name: str
    says: str
    source: str
    function: Function

    @property
    def id(self) -> str:
        """`Operation/name`, by which known differences and --only refer to it."""
        return f"{self.operation}/{self.name}"


_registered: dict[str, Case] = {}


def case(operation: str, source: str = "") -> Callable[[Function], Function]:
    """Register a function as a case of an operation; the source defaults to the operation's own page."""

    def register(function: Function) -> Function:
        says = inspect.getdoc(function)
        if not says:
            raise ValueError(f"{function.__name__} does not say what AWS does")
        found = Case(operation, function.__name__, says, source or f"{API}API_{operation}.html", function)
        if found.id in _registered:
            raise ValueError(f"two cases are named {found.id}")
        _registered[found.id] = found
        return function

    return register


@cache
def all_cases() -> tuple[Case, ...]:
    """Every case, in the order of files and of lines."""
    package = importlib.import_module("conformance.cases")
    for module in sorted(info.name for info in pkgutil.iter_modules(package.__path__)):
        importlib.import_module(f"conformance.cases.{module}")
    return tuple(_registered.values())
