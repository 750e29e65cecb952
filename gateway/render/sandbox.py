"""What a decoder gives up before it sees a stranger's bytes.

Layers, each independent of the others and each named when it is missing:

    network    an own, empty network namespace
    landlock   no path of the file system can be opened but for reading below the folder of fonts (Linux 5.13)
    seccomp    no sockets, no programs, no new processes, no tracing, no mounts, no opening of files; for reading where
               Landlock says which

`leave_network` comes first (a process with threads cannot do it), `close_files` and `filter_calls` after everything is
imported. Resource limits are set for each job by `limit_resources`.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import resource
import signal
import struct
from collections.abc import Sequence

LAYERS = ("network", "landlock", "seccomp")

_libc = ctypes.CDLL(None, use_errno=True)

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38
_CLONE_NEWUSER, _CLONE_NEWNET, _CLONE_THREAD = 0x10000000, 0x40000000, 0x00010000
_LANDLOCK_CREATE_RULESET, _LANDLOCK_ADD_RULE, _LANDLOCK_RESTRICT_SELF = 444, 445, 446
_LANDLOCK_PATH_BENEATH, _LANDLOCK_READ = 1, 1 << 2 | 1 << 3
_SECCOMP = {"x86_64": 317, "aarch64": 277}
_SECCOMP_SET_MODE_FILTER, _SECCOMP_FILTER_FLAG_TSYNC = 1, 1
_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_LOAD, _EQUAL, _ANY_BIT, _AT_LEAST, _RETURN = 0x20, 0x15, 0x45, 0x35, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_CLONE = {"x86_64": 56, "aarch64": 220}
_CLONE3 = 435
_ARGUMENT = 16
"""Where the arguments start in struct seccomp_data, 8 bytes each; flags are in the lower half."""
_OPENS: dict[str, dict[int, int]] = {"x86_64": {2: 1, 257: 2}, "aarch64": {56: 2}}
"""`open` and `openat`, and which of their arguments has the flags."""
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | (os.O_TMPFILE & ~os.O_DIRECTORY)

# Numbers: the kernel's tables for each architecture (arch/x86/entry/syscalls/syscall_64.tbl, asm-generic/unistd.h).
_DENIED: dict[str, tuple[int, ...]] = {
    "x86_64": (
        41, 42, 43, 49, 50, 53, 288,  # socket connect accept bind listen socketpair accept4
        57, 58, 59, 322,  # fork vfork execve execveat
        62, 101, 310, 311, 424, 434, 438,  # kill ptrace process_vm_readv/writev pidfd_send_signal/open/getfd
        2, 85, 257, 437, 304,  # open creat openat openat2 open_by_handle_at
        76, 82, 83, 86, 87, 88, 90, 92, 263, 264, 316,  # truncate rename mkdir link unlink symlink chmod chown ...at
        155, 161, 165, 166, 272, 308,  # pivot_root chroot mount umount2 unshare setns
        175, 246, 248, 249, 250, 298, 313, 321, 323, 425, 426, 427,  # modules keys perf bpf userfaultfd io_uring
    ),
    "aarch64": (
        198, 199, 200, 201, 202, 203, 242,
        221, 281,
        129, 117, 270, 271, 424, 434, 438,
        56, 437, 265,
        45, 34, 35, 36, 37, 38, 53, 54, 276,
        41, 51, 40, 39, 97, 268,
        105, 104, 217, 218, 219, 241, 273, 280, 282, 425, 426, 427,
    ),
}  # fmt: skip


def die_with_parent(parent_pid: int, signal_number: int = signal.SIGKILL) -> None:
    """Has the kernel send this process a signal when its parent dies; ends it if that has happened already.

    The kernel means the thread that started this process: parents start brokers from their main thread.
    """
    _libc.prctl(_PR_SET_PDEATHSIG, int(signal_number), 0, 0, 0)
    if parent_pid and os.getppid() != parent_pid:
        raise SystemExit(0)


def forbid_privileges() -> None:
    """No privileges by way of a program, no core dumps (they would hold users' images), few descriptors."""
    _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    _libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))


def leave_network() -> bool:
    """Moves into an empty network namespace, by privilege or by a user namespace. False where neither is allowed."""
    return any(_libc.unshare(flags) == 0 for flags in (_CLONE_NEWNET, _CLONE_NEWUSER | _CLONE_NEWNET))


def close_files(readable: Sequence[str] = ()) -> bool:
    """Takes away every right on the file system by path, but to read below the folders `readable`.

    Open descriptors stay. False without Landlock: then nothing has changed.
    """
    version = _libc.syscall(_LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), 1)
    if version < 1:
        return False
    rights = (1 << {1: 13, 2: 14, 3: 15, 4: 15}.get(version, 16)) - 1
    attributes = struct.pack("=Q", rights)
    ruleset = _libc.syscall(_LANDLOCK_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0)
    if ruleset < 0:
        return False
    try:
        for folder in readable:
            _allow_reading(ruleset, folder)
        return bool(_libc.syscall(_LANDLOCK_RESTRICT_SELF, ruleset, 0) == 0)
    finally:
        os.close(ruleset)


def _allow_reading(ruleset: int, folder: str) -> None:
    try:
        fd = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        # There is nothing to read.
        return
    try:
        rule = struct.pack("=Qi", _LANDLOCK_READ, fd)
        _libc.syscall(_LANDLOCK_ADD_RULE, ruleset, _LANDLOCK_PATH_BENEATH, rule, 0)
    finally:
        os.close(fd)


def filter_calls(*, reading: bool = False) -> bool:
    """Denies the system calls of the table above to all threads. False where the kernel or the machine is unknown.

    `reading`: files may be opened for that alone; only where Landlock says which.
    """
    machine = platform.machine()
    if machine not in _DENIED:
        return False
    program = _filter(machine, reading)
    buffer = ctypes.create_string_buffer(program, len(program))
    # struct sock_fprog: the number of instructions, then (after padding) where they are.
    prog = struct.pack("@HxxxxxxQ", len(program) // 8, ctypes.addressof(buffer))
    number = _SECCOMP[machine]
    return bool(_libc.syscall(number, _SECCOMP_SET_MODE_FILTER, _SECCOMP_FILTER_FLAG_TSYNC, prog) == 0)


def limit_resources(idle_address_space: int, memory_bytes: int, cpu_seconds: int) -> None:
    """Bounds for the next job: address space beyond the idle decoder's, and processor time beyond what is used."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu = int(used.ru_utime + used.ru_stime) + 1 + cpu_seconds
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_AS, (idle_address_space + memory_bytes, resource.RLIM_INFINITY))


def address_space() -> int:
    """Bytes of address space that this process has now."""
    with open("/proc/self/statm", encoding="ascii") as statm:
        return int(statm.read().split()[0]) * resource.getpagesize()


def _filter(machine: str, reading: bool) -> bytes:
    """A classic BPF program over struct seccomp_data: number at 0, architecture at 4, first argument at 16."""
    opens = _OPENS[machine] if reading else {}
    denied = sorted(set(_DENIED[machine]) - set(opens))
    rules = [
        _step(_LOAD, 4),
        _step(_EQUAL, _AUDIT_ARCH[machine], 1, 0),
        _step(_RETURN, _KILL),
        _step(_LOAD, 0),
        # The x32 calls of x86-64 carry this bit: a second set of numbers for the same things.
        _step(_AT_LEAST, 0x40000000, 0, 1),
        _step(_RETURN, _ERRNO | errno.EPERM),
    ]
    for number in denied:
        rules += [_step(_EQUAL, number, 0, 1), _step(_RETURN, _ERRNO | errno.EPERM)]
    for number, flags in opens.items():
        rules += [
            _step(_EQUAL, number, 0, 4),
            _step(_LOAD, _ARGUMENT + 8 * flags),
            _step(_ANY_BIT, _WRITING, 0, 1),
            _step(_RETURN, _ERRNO | errno.EPERM),
            _step(_RETURN, _ALLOW),
        ]
    rules += [
        # Its flags are behind a pointer, so threads are made with clone: libc falls back to it.
        _step(_EQUAL, _CLONE3, 0, 1),
        _step(_RETURN, _ERRNO | errno.ENOSYS),
        _step(_EQUAL, _CLONE[machine], 0, 3),
        _step(_LOAD, _ARGUMENT),
        _step(_ANY_BIT, _CLONE_THREAD, 1, 0),
        _step(_RETURN, _ERRNO | errno.EPERM),
        _step(_RETURN, _ALLOW),
    ]
    return b"".join(rules)


def _step(code: int, operand: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, operand)
