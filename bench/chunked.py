"""How fast the aws-chunked decoder is by itself: `python -m bench.chunked`.

Prints the median over rounds in MB/s (10^6 bytes of payload) for each mode, chunk size and size of a socket read.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence

from signing.chunked import ChunkedDecoder, encode_chunked
from signing.sigv4.keys import Scope, SigningContext, SigningKey, signing_key
from signing.sigv4.payload import PayloadMode

KIB = 1024
TARGET_MB_S = 600
_MODES = (PayloadMode.STREAMING_UNSIGNED_TRAILER, PayloadMode.STREAMING_SIGNED)


def body(mode: PayloadMode, context: SigningContext, chunk: int, total: int) -> bytes:
    """An encoded body of `total` bytes of payload in chunks of `chunk` bytes."""
    data = bytes(range(256)) * (chunk // 256)
    trailers = {"x-amz-checksum-crc32": "AAAAAA=="} if mode is PayloadMode.STREAMING_UNSIGNED_TRAILER else None
    return b"".join(encode_chunked(mode, [data] * (total // chunk), trailers=trailers, context=context))


def decode(mode: PayloadMode, context: SigningContext, reads: Sequence[bytes], total: int) -> float:
    """Seconds to decode a body that arrives as `reads`."""
    trailers = ("x-amz-checksum-crc32",) if mode is PayloadMode.STREAMING_UNSIGNED_TRAILER else ()
    start = time.perf_counter()
    decoder = ChunkedDecoder(mode, decoded_length=total, trailers=trailers, context=context)
    received = 0
    for read in reads:
        for piece in decoder.feed(read):
            received += len(piece)
    decoder.finish()
    elapsed = time.perf_counter() - start
    if received != total:
        raise RuntimeError(f"decoded {received} of {total} bytes")
    return elapsed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--mib", type=int, default=32, help="payload of a round")
    arguments = parser.parse_args()
    total = arguments.mib * KIB * KIB
    scope = Scope("20130524", "us-east-1", "s3")
    key = SigningKey(signing_key("secret", scope.date, scope.region, scope.service))
    context = SigningContext(key, "20130524T000000Z", str(scope), "0" * 64)
    for mode in _MODES:
        for chunk in (8 * KIB, 64 * KIB, 256 * KIB, KIB * KIB):
            encoded = body(mode, context, chunk, total)
            for read in (16 * KIB, 64 * KIB, 256 * KIB):
                # Cut into bytes of their own, as a socket gives them.
                reads = [encoded[at : at + read] for at in range(0, len(encoded), read)]
                rates = [total / decode(mode, context, reads, total) / 1e6 for _ in range(arguments.rounds)]
                print(
                    f"{mode.value:36} chunk {chunk // KIB:5} KiB  read {read // KIB:4} KiB  "
                    f"{statistics.median(rates):9,.0f} MB/s"
                )
    print(f"wanted: {TARGET_MB_S} MB/s for {PayloadMode.STREAMING_UNSIGNED_TRAILER.value} from 64 KiB chunks up")


if __name__ == "__main__":
    main()
