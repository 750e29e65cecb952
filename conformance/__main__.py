"""`python -m conformance --endpoint URL --access-key K --secret-key S`: check an S3 endpoint, print a matrix."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from conformance.known import KNOWN
from conformance.report import as_json, matrix
from conformance.runner import Outcome, Result, run, select
from conformance.target import Keys, Target


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the cases asked for; 0 where every one passed or is known to differ, 1 otherwise."""
    parser = argparse.ArgumentParser(prog="python -m conformance", description=__doc__)
    parser.add_argument("--endpoint", required=True, help="URL, e.g. http://127.0.0.1:9090")
    parser.add_argument("--access-key", required=True)
    parser.add_argument("--secret-key", required=True)
    parser.add_argument("--region", default="us-east-1")
    parser.add_argument("--other-access-key", help="an access key of a second account")
    parser.add_argument("--other-secret-key")
    parser.add_argument("--domain", help="the domain of virtual-host style requests, where the endpoint has one")
    parser.add_argument("--ca-file", help="PEM file with the CA that signed the endpoint's certificate")
    parser.add_argument("--server", default="", choices=["", *sorted(KNOWN)], help="whose known differences to allow")
    parser.add_argument(
        "--only", action="append", default=[], metavar="PATTERN", help="PutObject, 'List*', 'GetObject/range_*'"
    )
    parser.add_argument("--list", action="store_true", help="name the cases and stop")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    cases = select(options.only)
    if options.list:
        print("\n".join(f"{case.id}\n    {case.says}" for case in cases))
        return 0
    other = Keys(options.other_access_key, options.other_secret_key) if options.other_access_key else None
    target = Target(
        endpoint=options.endpoint.rstrip("/"),
        keys=Keys(options.access_key, options.secret_key),
        region=options.region,
        other=other,
        domain=options.domain,
        ca_file=options.ca_file,
        server=options.server,
    )
    results: list[Result] = []
    for number, result in enumerate(run(cases, target, KNOWN.get(options.server, {})), 1):
        results.append(result)
        if sys.stderr.isatty():
            print(f"\r\033[K{number}/{len(cases)} {result.case.id}", end="", file=sys.stderr, flush=True)
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr)
    print(as_json(results) if options.json else matrix(results))
    return int(any(result.outcome in (Outcome.FAILED, Outcome.UNEXPECTED) for result in results))


if __name__ == "__main__":
    sys.exit(main())
