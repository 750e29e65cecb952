"""Three ways to take a file out of a multipart form as it streams: seconds of the processor a gigabyte (docs/adr/0051)."""

from __future__ import annotations

import asyncio
import random
import time

from aiohttp import MultipartReader, StreamReader
from python_multipart.multipart import MultipartParser

from gateway.api.form import FormReader

BOUNDARY = b"----WebKitFormBoundary7MA4YWxkTrZu0gW"
PIECE = 64 * 1024
ROUNDS = 5


class Pieces:
    """A body as a socket gives it."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    async def read(self) -> bytes:
        piece = self._body[self._at : self._at + PIECE]
        self._at += PIECE
        return piece


async def own(body: bytes) -> int:
    form = FormReader(Pieces(body).read, BOUNDARY)
    size = 0
    while await form.next() is not None:
        while piece := await form.read():
            size += len(piece)
    return size


async def python_multipart(body: bytes) -> int:
    size = 0

    def data(_data: bytes, start: int, end: int) -> None:
        nonlocal size
        size += end - start

    parser = MultipartParser(BOUNDARY, {"on_part_data": data})
    pieces = Pieces(body)
    while piece := await pieces.read():
        parser.write(piece)
    parser.finalize()
    return size


async def aiohttp_reader(body: bytes) -> int:
    class Protocol:
        _reading_paused = False

        def pause_reading(self) -> None: ...
        def resume_reading(self, resume_parser: bool = True) -> None: ...

    stream = StreamReader(Protocol(), 2**16, loop=asyncio.get_running_loop())
    for start in range(0, len(body), PIECE):
        stream.feed_data(body[start : start + PIECE])
    stream.feed_eof()
    reader = MultipartReader({"Content-Type": f"multipart/form-data; boundary={BOUNDARY.decode()}"}, stream)
    size = 0
    while (part := await reader.next()) is not None:
        while piece := await part.read_chunk(PIECE):
            size += len(piece)
    return size


async def main() -> None:
    for name, amount in (("500 KB", 500_000), ("5 MB", 5_000_000)):
        file = random.Random(1).randbytes(amount)
        head = b'--%b\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n' % BOUNDARY
        body = head + file + b"\r\n--" + BOUNDARY + b"--\r\n"
        for parse in (own, python_multipart, aiohttp_reader):
            best = 1e9
            for _ in range(ROUNDS):
                began = time.process_time()
                for _ in range(20):
                    assert await parse(body) == amount
                best = min(best, time.process_time() - began)
            print(f"{name:>7} {parse.__name__:<18} {best / 20 * 1000:8.3f} ms   {best / 20 / amount * 1e9:6.3f} s/GB")


if __name__ == "__main__":
    asyncio.run(main())
