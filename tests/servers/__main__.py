"""`python -m tests.servers postgresql minio redis`: start them, print where they are, and stay until a signal."""

from __future__ import annotations

import argparse
import signal
import sys
import uuid

from tests.servers.kept import ServerFailed
from tests.servers.kinds import SHARED
from tests.servers.programs import ProgramMissing
from tests.servers.provide import provide
from tests.servers.s3 import S3Server


def main() -> int:
    """Print a shell assignment a server on standard output."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.servers", description="Start servers, and stay until a signal."
    )
    parser.add_argument(
        "kinds", nargs="*", choices=[*SHARED, []], metavar="KIND", help=", ".join(SHARED) + "; all of them"
    )
    parser.add_argument("--provide", action="store_true", help="only get the programs that this machine lacks")
    chosen = parser.parse_args()
    names = chosen.kinds or list(SHARED)
    # From here on a signal ends this in good order, and what it started with it.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(0))
    try:
        provide(names)
        if chosen.provide:
            return 0
        run = uuid.uuid4().hex[:12]
        servers = [SHARED[name](run) for name in names]
        for server in servers:
            server.wait()
            if isinstance(server, S3Server):
                print(f"{server.kind.upper()}_URL='{server.store_url('')}'", flush=True)
            else:
                print(f"{server.kind.upper()}_URL='{server.details['url']}'", flush=True)
    except (ProgramMissing, ServerFailed) as error:
        print(error, file=sys.stderr)
        return 1
    print("running; Ctrl-C ends them", file=sys.stderr, flush=True)
    while True:
        signal.pause()


if __name__ == "__main__":
    sys.exit(main())
