"""Request ids."""

from __future__ import annotations

import os
import re

from gateway.telemetry.request import new_request_id, seed_request_ids


def test_ids_are_16_upper_case_hexadecimal_digits_and_differ() -> None:
    ids = {new_request_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(re.fullmatch(r"[0-9A-F]{16}", one) for one in ids)


def test_forked_workers_do_not_repeat_each_other() -> None:
    reading, writing = os.pipe()
    for _ in range(2):
        pid = os.fork()
        if pid == 0:
            seed_request_ids()
            os.write(writing, new_request_id().encode())
            os.kill(os.getpid(), 9)
        os.waitpid(pid, 0)
    both = os.read(reading, 64)
    os.close(reading)
    os.close(writing)
    assert both[:16] != both[16:]
