"""What a sandboxed process can still do, tried in one of its own."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

_PROGRAM = """
import os, resource, socket, sys, threading
from gateway.render import sandbox
attempts = {
    "open": lambda: open("/etc/passwd").close(),
    "create": lambda: os.open("/tmp/pixgate-sandbox-test", os.O_CREAT | os.O_WRONLY),
    "inet": lambda: socket.socket(socket.AF_INET),
    "unix": lambda: socket.socketpair(),
    "fork": os.fork,
    "exec": lambda: os.execv("/bin/true", ["true"]),
    "kill": lambda: os.kill(os.getppid(), 0),
    "unlink": lambda: os.unlink("/tmp/pixgate-sandbox-test"),
    "pidfd": lambda: os.pidfd_open(os.getppid()),
}
sandbox.forbid_privileges()
layer = getattr(sandbox, sys.argv[1])
if not layer():
    print("missing")
    sys.exit()
for name in sys.argv[2].split(","):
    try:
        attempts[name]()
    except PermissionError:
        continue
    print(name, "was allowed", flush=True)
done = []
thread = threading.Thread(target=done.append, args=(1,))
thread.start()
thread.join()
fd = os.memfd_create("x", os.MFD_ALLOW_SEALING)
os.write(fd, b"x")
print("works" if done and resource.getrlimit(resource.RLIMIT_CORE) == (0, 0) else "broken")
"""


def _try(layer: str, attempts: str) -> str:
    command = [sys.executable, "-c", _PROGRAM, layer, attempts]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout.strip()


def test_seccomp_denies_files_sockets_and_processes() -> None:
    if platform.machine() not in ("x86_64", "aarch64"):
        pytest.skip("the table of system calls is for x86-64 and AArch64")
    assert _try("filter_calls", "open,create,inet,unix,fork,exec,kill,unlink,pidfd") == "works"


def test_a_folder_can_stay_readable_and_nothing_else() -> None:
    program = (
        "import os; from gateway.render import sandbox\n"
        "folder = os.path.dirname(os.__file__)\n"
        "sandbox.forbid_privileges()\n"
        "if not sandbox.close_files([folder, '/no/such/folder']): raise SystemExit(print('missing'))\n"
        "sandbox.filter_calls(reading=True)\n"
        "print(len(open(os.__file__).read()) > 100, len(os.listdir(folder)) > 9)\n"
        "def refused(*arguments):\n"
        "    try: os.close(os.open(*arguments))\n"
        "    except PermissionError: return True\n"
        "print(refused('/etc/passwd', os.O_RDONLY), refused(os.__file__, os.O_RDWR), refused(os.__file__, os.O_WRONLY),\n"
        "      refused(folder + '/new', os.O_CREAT), refused(folder, os.O_TMPFILE | os.O_RDWR),\n"
        "      refused(folder + '/..' * 30 + '/etc/passwd', os.O_RDONLY), refused(os.__file__, os.O_APPEND))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    if done.stdout.strip() == "missing":
        pytest.skip("this kernel has no Landlock")
    assert done.stdout.split() == ["True"] * 9, done.stdout


def test_landlock_denies_paths() -> None:
    outcome = _try("close_files", "open,create")
    if outcome == "missing":
        pytest.skip("this kernel has no Landlock")
    assert outcome == "works"


def test_the_network_namespace_is_empty() -> None:
    program = (
        "import socket; from gateway.render import sandbox\n"
        "print(sandbox.leave_network(), [name for _, name in socket.if_nameindex()])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    if done.stdout.startswith("False"):
        pytest.skip("no network namespaces may be made here")
    assert done.stdout.strip() in ("True ['lo']", "True []")


def test_memory_is_bounded_beyond_what_is_used() -> None:
    program = (
        "from gateway.render import sandbox\n"
        "sandbox.limit_resources(sandbox.address_space(), 64 << 20, 5)\n"
        "kept = bytearray(32 << 20)\n"
        "try: bytearray(128 << 20); print('allowed')\n"
        "except MemoryError: print('refused')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "refused"


def test_processor_time_is_bounded() -> None:
    program = "from gateway.render import sandbox\nsandbox.limit_resources(1 << 40, 0, 0)\nwhile True: pass"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=120, check=False)
    assert done.returncode < 0
