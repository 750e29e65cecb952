"""What a process imports: a command what it uses, a server all that it makes, and nothing of what its settings leave out.

Not a matter of time: which modules are there is the same on every machine.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOORS = {
    "aiohttp",
    "gateway.api.endpoint",
    "gateway.app",
    "gateway.img.endpoint",
    "gateway.s3.endpoint",
    "gateway.web.endpoint",
    "limits",
    "uvloop",
}
SERVICES = {"_awscrt", "bcrypt", "gateway.services", "jwt", "sqlite3", "transforms.options"}
MIGRATIONS = {"alembic", "sqlalchemy"}
OTHER_ADAPTERS = {"aiobotocore", "asyncpg", "botocore", "celery", "gateway.cache.redis", "redis"}
DECODERS = {"PIL", "cffi", "numpy", "pyvips"}


def loaded_by(program: str, *arguments: object) -> dict[str, list[str]]:
    """What a program in a process of its own prints as JSON on its last line; `modules()` are those that are loaded."""
    begin = "import json, sys\ndef modules():\n    return sorted(sys.modules)\n"
    # What measures coverage would be found loaded as well.
    others = ("PIXGATE_", "COVERAGE_", "COV_CORE_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(others)}
    done = subprocess.run(
        [sys.executable, "-c", begin + program, *map(str, arguments)],
        cwd="/",
        env={**environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, list[str]] = json.loads(done.stdout.splitlines()[-1])
    return found


COMMANDS = """
from gateway.cli import COMMANDS, pixgate

def run(*arguments):
    try:
        pixgate.main([*arguments], standalone_mode=False)
    except SystemExit as end:
        assert not end.code, arguments

run("keys", "--help")
keys = modules()
for name in COMMANDS:
    run(name, "--help")
helped = modules()
data = ["--data", sys.argv[1]]
run("keys", "create", "--account", "shop", *data)
run("keys", "list", *data)
run("accounts", "list", *data)
run("buckets", "create", "photos", "--account", "shop", *data)
run("sweep", *data)
made = modules()
run("fsck", *data)
fsck = modules()
run("users", "list", *data)
print()
print(json.dumps({"keys --help": keys, "help": helped, "commands": made, "fsck": fsck, "users": modules()}))
"""


def test_commands_load_what_they_use(tmp_path: Path) -> None:
    loaded = loaded_by(COMMANDS, tmp_path)
    others = DOORS | MIGRATIONS | OTHER_ADAPTERS | DECODERS
    assert (others | SERVICES) & {*loaded["keys --help"]} == set()
    assert (others | {"_awscrt", "bcrypt", "jwt", "rich"}) & {*loaded["help"]} == set()
    # The schema of an empty folder is made on the way.
    assert (others | {"_awscrt", "jwt", "rich"}) & {*loaded["commands"]} == set()
    assert (others | {"_awscrt", "jwt"}) & {*loaded["fsck"]} == set()
    assert others & {*loaded["users"]} == set()
    assert "jwt" in loaded["users"]
    assert "rich" in loaded["fsck"], "a name that is not loaded is told from one that is no name"


FIRST_START = """
import gateway.cli.serve, gateway.startup, gateway.supervisor.supervisor
from gateway.config import load
from gateway.settings.address import Address

supervisor = modules()
settings = load({"data": sys.argv[1]})
assert gateway.startup._prepare(settings, Address("127.0.0.1", 1), False) == 0
print(json.dumps({"supervisor": supervisor, "preparation": modules()}))
"""


def test_a_first_start_is_prepared_without_the_doors(tmp_path: Path) -> None:
    loaded = loaded_by(FIRST_START, tmp_path)
    others = DOORS | MIGRATIONS | OTHER_ADAPTERS | DECODERS
    assert (others | SERVICES) & {*loaded["supervisor"]} == set()
    assert (others | {"_awscrt", "jwt"}) & {*loaded["preparation"]} == set()


WORKER = """
import os, signal, socket, threading
from gateway import startup
from gateway.config import load
from gateway.settings.address import Address
from gateway.supervisor.roles import WorkerContext

settings = load({"data": sys.argv[1], "drain_delay": 0})
metrics = startup._load(settings)
before = modules()

metrics.adopt(0)
ready, say = os.pipe()
listening = socket.create_server(("127.0.0.1", 0))
listening.setblocking(False)
address = Address(*listening.getsockname())
found = {}

def stop():
    assert os.read(ready, 1) == b"R"
    found.update(before=before, after=modules())
    os.kill(os.getpid(), signal.SIGTERM)

threading.Thread(target=stop, daemon=True).start()
with listening:
    assert startup._work(WorkerContext(0, settings, listening, address, metrics, say)) == 0
print()
print(json.dumps(found))
"""


def test_a_worker_finds_loaded_what_it_makes_and_nothing_that_no_setting_names(tmp_path: Path) -> None:
    loaded_by(FIRST_START, tmp_path)
    loaded = loaded_by(WORKER, tmp_path)
    before, after = {*loaded["before"]}, {*loaded["after"]}
    assert (MIGRATIONS | OTHER_ADAPTERS | DECODERS) & after == set()
    assert before > DOORS
    # Each worker would import it by itself, or the first request would.
    late = {name for name in after - before if name.partition(".")[0] not in sys.stdlib_module_names}
    assert late == set()


NAMED = """
from gateway import startup
from gateway.config import load

startup._load(load({"data": sys.argv[1], "redis_url": "redis://127.0.0.1:1", "jobs_engine": "celery",
                    "database_url": "postgresql://u:p@127.0.0.1:1/d", "store_url": "s3://k:s@127.0.0.1:1/bytes?tls=off"}))
print(json.dumps({"loaded": modules()}))
"""


def test_what_the_settings_name_is_loaded_before_workers_are_forked(tmp_path: Path) -> None:
    loaded = {*loaded_by(NAMED, tmp_path)["loaded"]}
    named = {"gateway.blobs.upstream.store", "gateway.cache.upstream", "gateway.metadata.postgres"}
    assert {"gateway.cache.redis", "gateway.jobs.celery_queue", "asyncpg", "celery"} | named <= loaded
