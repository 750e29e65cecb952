"""Which operation a path and a method mean: a tree of the paths' segments."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from gateway.api.errors import ApiError
from gateway.api.operation import Operation


@dataclass(slots=True)
class _Node:
    """What may come behind the segments so far: names, a place that takes any value, or nothing more (`ends`, by method)."""

    named: dict[str, _Node] = field(default_factory=dict)
    place: _Node | None = None
    ends: dict[str, Operation] = field(default_factory=dict)


class Routes:
    """Operations by their paths. Raises ValueError where two have the same one and the same method."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        self._root = _Node()
        for operation in operations:
            node = self._root
            for segment in operation.path.split("/"):
                if segment[:1] == "{":
                    node.place = node.place or _Node()
                    node = node.place
                else:
                    node = node.named.setdefault(segment, _Node())
            if operation.method in node.ends:
                raise ValueError(f"{operation.name} and {node.ends[operation.method].name} are the same request")
            node.ends[operation.method] = operation

    def find(self, method: str, path: str) -> tuple[Operation, Mapping[str, str]]:
        """The operation of a path, decoded, and the values of its places. Raises ApiError NOT_FOUND, METHOD_NOT_ALLOWED.

        A slash at the end makes no difference. Where several match, the one that spells the earlier segment out is meant.
        """
        wanted = "GET" if method == "HEAD" else method
        methods: set[str] = set()
        for node, values in _ends(self._root, path.rstrip("/").split("/")):
            operation = node.ends.get(wanted)
            if operation is not None:
                return operation, dict(zip(operation.places, values, strict=True))
            methods |= node.ends.keys()
        if not methods:
            raise ApiError("NOT_FOUND")
        if "GET" in methods:
            methods.add("HEAD")
        raise ApiError("METHOD_NOT_ALLOWED", headers=(("Allow", ", ".join(sorted(methods))),))


def _ends(root: _Node, segments: list[str]) -> Iterator[tuple[_Node, tuple[str, ...]]]:
    """Where a path may end, names before places, and the values of the places on the way."""
    pending: list[tuple[_Node, int, tuple[str, ...]]] = [(root, 0, ())]
    while pending:
        node, first, values = pending.pop()
        for index, segment in enumerate(segments[first:], first + 1):
            named, place = node.named.get(segment), node.place if segment else None
            if named is not None:
                if place is not None:
                    pending.append((place, index, (*values, segment)))
                node = named
            elif place is not None:
                node, values = place, (*values, segment)
            else:
                break
        else:
            yield node, values
