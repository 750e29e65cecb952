"""The admin API and the command line do the same: each act of one is an act of the other, with the same things to say."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping

import click
import pytest
from pydantic import BaseModel

from gateway.api.access_keys import Scope
from gateway.api.admin import access_keys, accounts, audit, buckets, jobs, moderation, users
from gateway.api.admin.paging import ADMIN, PageQuery
from gateway.api.operation import Access
from gateway.api.table import OPERATIONS
from gateway.cli import COMMANDS

ACTS: Mapping[str, tuple[str, ...]] = {
    "AdminListAccounts": ("accounts list",),
    "AdminCreateAccount": ("accounts create",),
    "AdminGetAccount": ("accounts show",),
    "AdminChangeAccount": ("accounts set", "accounts enable", "accounts disable"),
    "AdminListUsers": ("users list",),
    "AdminCreateUser": ("users create",),
    "AdminGetUser": ("users show",),
    "AdminChangeUser": ("users set-role", "users set-password", "users move", "users enable", "users disable"),
    "AdminListKeys": ("keys list",),
    "AdminCreateKey": ("keys create",),
    "AdminGetKey": ("keys show",),
    "AdminChangeKey": ("keys narrow", "keys expire", "keys enable", "keys disable"),
    "AdminRotateKey": ("keys rotate",),
    "AdminDeleteKey": ("keys delete",),
    "AdminListBuckets": ("buckets list",),
    "AdminCreateBucket": ("buckets create",),
    "AdminGetBucket": ("buckets show",),
    "AdminChangeBucket": ("buckets set",),
    "AdminDeleteBucket": ("buckets delete",),
    "AdminListStores": ("stores list",),
    "AdminListModeration": ("moderation list",),
    "AdminApproveImage": ("moderation approve",),
    "AdminHideImage": ("moderation hide",),
    "AdminListAudit": ("audit list",),
    "AdminExportAudit": ("audit export",),
    "AdminListJobs": ("jobs list",),
    "AdminRetryJob": ("jobs retry",),
    "AdminRetryJobs": ("jobs retry",),
    "AdminDeleteJob": ("jobs delete",),
    "AdminDeleteJobs": ("jobs delete",),
}
"""Each operation, and the commands that do the same."""
AT_THE_MACHINE = {
    "keys root": "prints the secret of the root pair, which nobody gets over the network",
    "users import": "takes over hashes of passwords, which go over no network",
    "keys rotate-master": "changes the key that seals all others, which lies in a file or in the environment",
}
"""Commands of these groups that are no operation, and why."""
FIELDS: Mapping[type[BaseModel], Mapping[str, str]] = {
    accounts.NewAccount: {
        "account": "accounts create: name",
        "quota_bytes": "accounts set: --quota",
        "quota_images": "accounts set: --quota-images",
        "duplicates": "accounts set: --duplicates",
    },
    accounts.AccountChange: {
        "enabled": "accounts disable: name",
        "quota_bytes": "accounts set: --quota",
        "quota_images": "accounts set: --quota-images",
        "duplicates": "accounts set: --duplicates",
    },
    users.UserQuery: {"account": "users list: --account"},
    users.NewUser: {
        "email": "users create: email",
        "password": "users create: --password-stdin",
        "name": "users create: --name",
        "role": "users create: --role",
        "account": "users create: --account",
    },
    users.UserChange: {
        "role": "users set-role: role",
        "enabled": "users disable: user",
        "password": "users set-password: --password-stdin",
        "account": "users move: account",
    },
    access_keys.KeyQuery: {"account": "keys list: --account"},
    access_keys.NewKey: {
        "account": "keys create: --account",
        "kind": "keys create: --links",
        "admin": "keys create: --admin",
        "bucket": "keys create: --bucket",
        "prefix": "keys create: --prefix",
        "description": "keys create: --description",
        "expires_at": "keys create: --expires",
        "scope": "keys create: --only",
    },
    access_keys.KeyChange: {
        "enabled": "keys disable: access_key",
        "expires_at": "keys expire: --at",
        "scope": "keys narrow: --only",
    },
    access_keys.Rotation: {"end_old": "keys rotate: --end-old"},
    Scope: {
        "buckets": "keys narrow: --only",
        "read_only": "keys narrow: --read-only",
        "networks": "keys narrow: --network",
    },
    buckets.BucketQuery: {"account": "buckets list: --account"},
    buckets.NewBucket: {"bucket": "buckets create: name", "account": "buckets create: --account"},
    buckets.BucketChange: {
        "images": "buckets set: --images",
        "ladder": "buckets set: --ladder",
        "encryption": "buckets set: --encryption",
        "store": "buckets set: --store",
        "presets": "buckets set: --preset",
        "only_presets": "buckets set: --only-presets",
        "max_width": "buckets set: --max-width",
        "fallback": "buckets set: --fallback",
        "renditions": "buckets set: --rendition",
        "exif": "buckets set: --exif",
        "raw": "buckets set: --raw",
        "cors": "buckets set: --cors",
        "purge": "buckets set: --purge",
        "catalogue": "buckets set: --catalogue",
    },
    moderation.QueueQuery: {"state": "moderation list: --state"},
    audit.ExportQuery: {
        "action": "audit export: --action",
        "account": "audit export: --account",
        "user_id": "audit export: --user",
        "access_key": "audit export: --access-key",
        "target": "audit export: --target",
        "address": "audit export: --address",
        "since": "audit export: --since",
        "until": "audit export: --until",
        "format": "audit export: --format",
    },
    jobs.AdminJobQuery: {"failed": "jobs list: --failed"},
}
"""Everything that can be said in a body or a query, and where the command line says it."""
EVERYWHERE = {"data", "config_file", "as_json"}


def group(name: str) -> click.Group:
    module, _, attribute = COMMANDS[name][0].partition(":")
    found = getattr(importlib.import_module(module), attribute)
    assert isinstance(found, click.Group)
    return found


def commands() -> Iterator[tuple[str, click.Command]]:
    """All commands of the groups that administer."""
    for name in sorted({command.split()[0] for found in ACTS.values() for command in found}):
        yield from ((f"{name} {one}", command) for one, command in group(name).commands.items())


def test_every_operation_is_a_command_and_the_other_way_round() -> None:
    operations = {one.name for one in OPERATIONS if one.path.startswith(ADMIN)}
    assert set(ACTS) == operations
    assert {name for name, _ in commands()} == {name for found in ACTS.values() for name in found} | set(AT_THE_MACHINE)


def test_nothing_under_the_admin_api_is_for_everybody() -> None:
    for one in OPERATIONS:
        admin = one.access in (Access.ADMIN, Access.MODERATOR)
        assert one.path.startswith(ADMIN) == admin, one.name
        assert not (admin and one.narrowed), one.name


def models() -> set[type[BaseModel]]:
    """The models of what the admin API takes."""
    taken = {model for one in OPERATIONS if one.path.startswith(ADMIN) for model in (one.body, one.query)}
    return {model for model in taken if model is not None}


def test_every_model_is_listed() -> None:
    # The filters of the audit log are those of its export; a scope is a part of keys.
    assert models() - {PageQuery, audit.AuditQuery} == set(FIELDS) - {Scope}
    assert set(audit.Filters.model_fields) < set(audit.ExportQuery.model_fields)


@pytest.mark.parametrize("model", FIELDS, ids=lambda model: model.__name__)
def test_what_the_api_takes_the_command_line_takes(model: type[BaseModel]) -> None:
    known = dict(commands())
    assert set(FIELDS[model]) == set(model.model_fields) - set(PageQuery.model_fields)
    for place in FIELDS[model].values():
        name, _, parameter = place.partition(": ")
        spelled = {text for one in known[name].params for text in (*one.opts, one.name or "")}
        assert parameter in spelled, place


def test_what_the_command_line_takes_the_api_takes() -> None:
    said = {place for fields in FIELDS.values() for place in fields.values()}
    elsewhere = {
        # The user, the key and so on are in the path; `--all`, `--never` are null.
        "accounts enable: name",
        "accounts set: name",
        "accounts show: name",
        "buckets delete: name",
        "buckets set: name",
        "buckets show: name",
        "keys narrow: --all",
        "keys expire: --never",
        "moderation approve: image",
        "moderation hide: image",
        "audit list: --limit",
        "jobs list: --scheduled",
        *(f"jobs {act}: {one}" for act in ("retry", "delete") for one in ("job", "--all")),
        *(f"keys {act}: access_key" for act in ("delete", "enable", "expire", "narrow", "rotate", "show")),
        *(f"users {act}: user" for act in ("enable", "show", "set-role", "set-password", "move")),
        *(f"keys create: {one}" for one in ("--read-only", "--network")),
        *(one.replace("export", "list") for one in said if one.startswith("audit export") and "--format" not in one),
        "audit export: --output",
    }
    unsaid = []
    for name, command in commands():
        for parameter in command.params:
            if name in AT_THE_MACHINE or parameter.name in EVERYWHERE:
                continue
            spelled = {f"{name}: {text}" for text in (*parameter.opts, parameter.name or "")}
            if not spelled & (said | elsewhere):
                unsaid.append(sorted(spelled))
    assert unsaid == []
