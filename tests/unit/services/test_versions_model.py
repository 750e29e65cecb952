"""Puts, deletions, copies and versioning, in any order, against a model; and the rows add up after each run."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gateway.errors import (
    GatewayError,
    IsDeleteMarker,
    ObjectNotFound,
    PreconditionFailed,
    VersionNotFound,
)
from gateway.model.buckets import Bucket, Versioning
from gateway.model.objects import WriteConditions
from gateway.services import Services
from tests.data_folder import open_services, put, read

T = TypeVar("T")

KEYS = st.sampled_from([b"a", b"a/b", b"b", "ü".encode()])
BODIES = st.sampled_from([b"", b"x", b"yy" * 50, bytes(70_000)])


@dataclass
class Version:
    id: str
    data: bytes | None
    tags: tuple[tuple[str, str], ...] = ()


@dataclass
class Key:
    versions: list[Version] = field(default_factory=list)

    @property
    def current(self) -> Version | None:
        return self.versions[-1] if self.versions and self.versions[-1].data is not None else None

    def drop_null(self) -> None:
        self.versions = [version for version in self.versions if version.id != "null"]


class Model(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.runner = asyncio.Runner()
        self.opened = open_services(Path(self.folder.name) / "data", grace_ms=-1000)
        self.services: Services = self.run(self.opened.__aenter__())
        self.run(self.services.buckets.create("model", self.services.directory.root_account))
        self.versioning = Versioning.UNVERSIONED
        self.keys: dict[bytes, Key] = {}
        self.all_ids: set[str] = set()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    @property
    def bucket(self) -> Bucket:
        self.run(self.services.directory.refresh())
        found = self.run(self.services.directory.bucket("model"))
        assert found is not None
        return found

    def key(self, name: bytes) -> Key:
        return self.keys.setdefault(name, Key())

    def added(self, name: bytes, version_id: str | None, data: bytes | None, tags: Any = ()) -> None:
        key = self.key(name)
        if self.versioning is Versioning.UNVERSIONED:
            assert version_id is None
        elif self.versioning is Versioning.SUSPENDED:
            assert version_id == "null"
        else:
            assert version_id is not None
            assert version_id not in self.all_ids
            self.all_ids.add(version_id)
        stored = version_id or "null"
        if stored == "null":
            key.drop_null()
        key.versions.append(Version(stored, data, tags))

    @rule(name=KEYS, data=BODIES, tags=st.sampled_from([(), (("t", "1"), ("ü", ""))]))
    def put(self, name: bytes, data: bytes, tags: Any) -> None:
        result = self.run(put(self.services, self.bucket, name, data, tags=tags))
        self.added(name, result.version_id, data, tags)

    @rule(name=KEYS, data=BODIES)
    def put_if_new(self, name: bytes, data: bytes) -> None:
        work = put(self.services, self.bucket, name, data, conditions=WriteConditions(if_none_match=True))
        if self.key(name).current is not None:
            with pytest.raises(PreconditionFailed):
                self.run(work)
        else:
            self.added(name, self.run(work).version_id, data)

    @rule(name=KEYS, data=BODIES, right=st.booleans())
    def put_if_match(self, name: bytes, data: bytes, right: bool) -> None:
        current = self.key(name).current
        etag = "0" * 32
        if current is not None and right:
            etag = self.run(self.services.objects.get(self.bucket, name)).content.etag  # type: ignore[union-attr]
        work = put(self.services, self.bucket, name, data, conditions=WriteConditions(if_match=etag))
        if current is None:
            with pytest.raises(ObjectNotFound):
                self.run(work)
        elif not right:
            with pytest.raises(PreconditionFailed):
                self.run(work)
        else:
            self.added(name, self.run(work).version_id, data)

    @rule(name=KEYS)
    def delete(self, name: bytes) -> None:
        result = self.run(self.services.objects.delete(self.bucket, name))
        if self.versioning is Versioning.UNVERSIONED:
            assert (result.delete_marker, result.version_id) == (False, None)
            self.key(name).drop_null()
        else:
            assert result.delete_marker
            self.added(name, result.version_id, None)

    @rule(name=KEYS, which=st.integers(0, 5))
    def delete_version(self, name: bytes, which: int) -> None:
        key = self.key(name)
        if which < len(key.versions):
            version = key.versions.pop(which)
            result = self.run(self.services.objects.delete(self.bucket, name, version.id))
            assert (result.delete_marker, result.version_id) == (version.data is None, version.id)
        else:
            missing = "0" * 15 + "1" + "f" * 16
            result = self.run(self.services.objects.delete(self.bucket, name, missing))
            assert (result.delete_marker, result.version_id) == (False, missing)

    @rule(names=st.lists(KEYS, min_size=1, max_size=4))
    def delete_many(self, names: list[bytes]) -> None:
        bucket = self.bucket
        entries: list[tuple[bytes, str | None]] = [(name, None) for name in names]
        results = self.run(
            self.services.objects.delete_many(bucket, [*entries, (b"a", "not a version id"), (b"", None)])
        )
        assert [isinstance(result, GatewayError) for result in results] == [False] * len(names) + [True, True]
        for name, result in zip(names, results, strict=False):
            assert not isinstance(result, GatewayError)
            if self.versioning is Versioning.UNVERSIONED:
                self.key(name).drop_null()
            else:
                self.added(name, result.version_id, None)

    @rule(source=KEYS, name=KEYS, which=st.integers(0, 5))
    def copy(self, source: bytes, name: bytes, which: int) -> None:
        versions = self.key(source).versions
        if which >= len(versions) or versions[which].data is None:
            return
        chosen = versions[which]
        found = self.run(self.services.objects.get(self.bucket, source, chosen.id))
        result = self.run(
            self.services.copying.copy(
                found,
                self.bucket,
                name,
                headers=None,
                tags=None,
                checksum_algorithm=None,
                conditions=WriteConditions(),
            )
        )
        self.added(name, result.version_id, chosen.data, chosen.tags)

    @rule(versioning=st.sampled_from([Versioning.ENABLED, Versioning.SUSPENDED]))
    def set_versioning(self, versioning: Versioning) -> None:
        self.run(self.services.buckets.set_versioning(self.bucket, versioning))
        self.versioning = versioning

    @rule()
    def sweep(self) -> None:
        self.run(self.services.sweep.run_once())

    @rule(name=KEYS, tags=st.sampled_from([(), (("new", "v"),)]))
    def set_tags(self, name: bytes, tags: Any) -> None:
        current = self.key(name).current
        work = self.services.objects.set_tags(self.bucket, name, None, tags)
        if current is None:
            with pytest.raises(ObjectNotFound):
                self.run(work)
        else:
            assert self.run(work) == current.id
            current.tags = tags

    @precondition(lambda self: hasattr(self, "services"))
    @invariant()
    def the_same_as_the_model(self) -> None:
        bucket = self.bucket
        objects = size = 0
        for name, key in self.keys.items():
            if key.current is None:
                with pytest.raises(ObjectNotFound) as raised:
                    self.run(self.services.objects.get(bucket, name))
                marker = key.versions[-1].id if key.versions else None
                assert raised.value.delete_marker_version == marker
            else:
                objects += 1
                found = self.run(self.services.objects.get(bucket, name))
                assert found.version_id == key.current.id
                assert found.is_latest
                assert self.run(read(self.services, bucket, name)) == key.current.data
            size += sum(len(version.data or b"") for version in key.versions)
            for number, version in enumerate(key.versions):
                if version.data is None:
                    with pytest.raises(IsDeleteMarker):
                        self.run(self.services.objects.get(bucket, name, version.id))
                    continue
                assert self.run(read(self.services, bucket, name, version.id)) == version.data
                found = self.run(self.services.objects.get(bucket, name, version.id))
                assert found.is_latest == (number == len(key.versions) - 1)
                assert found.tag_count == len(version.tags)
                assert self.run(self.services.objects.get_tags(bucket, name, version.id)) == (version.id, version.tags)
            with pytest.raises(VersionNotFound):
                self.run(self.services.objects.get(bucket, name, "0" * 15 + "1" + "f" * 16))
        assert self.run(self.services.buckets.totals()) == (objects, size)
        page = self.run(self.services.listing.objects(bucket, limit=1000))
        present = {name: key.current for name, key in self.keys.items() if key.current is not None}
        assert [entry.key for entry in page.objects] == sorted(present)
        assert [entry.size for entry in page.objects] == [len(present[name].data or b"") for name in sorted(present)]
        listed = self.run(self.services.listing.versions(bucket, limit=1000))
        assert [(entry.key, entry.version_id, entry.delete_marker, entry.is_latest) for entry in listed.versions] == [
            (name, version.id, version.data is None, number == 0)
            for name in sorted(self.keys)
            for number, version in enumerate(reversed(self.keys[name].versions))
        ]

    def teardown(self) -> None:
        if not hasattr(self, "services"):
            return
        report = self.run(self.services.fsck.run())
        self.run(self.services.sweep.run_once())
        swept = self.run(self.services.fsck.run())
        left = sum(len(version.data or b"") for key in self.keys.values() for version in key.versions)
        self.run(self.opened.__aexit__(None, None, None))
        self.runner.close()
        self.folder.cleanup()
        assert report.problems == []
        assert swept.problems == []
        assert swept.bytes <= left


Model.TestCase.settings = settings(
    max_examples=25,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestModel = Model.TestCase
