"""aws-chunked bodies: cut anywhere, altered anywhere, ended anywhere."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signing import errors
from signing.chunked import MAX_LINE, MAX_TRAILERS, MIN_CHUNK, ChunkedDecoder, encode_chunked, encoded_length
from signing.sigv4.keys import Scope, SigningContext, SigningKey, signing_key
from signing.sigv4.payload import PayloadMode

SIGNED = PayloadMode.STREAMING_SIGNED
SIGNED_TRAILER = PayloadMode.STREAMING_SIGNED_TRAILER
UNSIGNED = PayloadMode.STREAMING_UNSIGNED_TRAILER
MODES = [SIGNED, SIGNED_TRAILER, UNSIGNED]

SCOPE = Scope("20240102", "us-east-1", "s3")
CONTEXT = SigningContext(
    SigningKey(signing_key("secret", SCOPE.date, SCOPE.region, SCOPE.service)), "20240102T030405Z", str(SCOPE), "5" * 64
)
CRC = "x-amz-checksum-crc32"
TRAILERS = {CRC: "3q2+7w=="}


def encode(mode: PayloadMode, chunks: Iterable[bytes], trailers: dict[str, str] | None = None) -> bytes:
    if trailers is None and mode is not SIGNED:
        trailers = TRAILERS
    return b"".join(encode_chunked(mode, chunks, trailers=trailers, context=CONTEXT))


def decoder(mode: PayloadMode, length: int, announced: Sequence[str] | None = None) -> ChunkedDecoder:
    if announced is None:
        announced = () if mode is SIGNED else (CRC,)
    return ChunkedDecoder(mode, decoded_length=length, trailers=announced, context=CONTEXT)


def decode(mode: PayloadMode, body: bytes, length: int, announced: Sequence[str] | None = None) -> bytes:
    machine = decoder(mode, length, announced)
    payload = b"".join(machine.feed(body))
    machine.finish()
    return payload


def pieces(data: bytes, cuts: Iterable[int]) -> list[bytes]:
    edges = [0, *sorted(cuts), len(data)]
    return [data[start:stop] for start, stop in itertools.pairwise(edges)]


@given(st.data(), st.sampled_from(MODES), st.lists(st.integers(MIN_CHUNK, 9000), max_size=3), st.integers(0, 9000))
def test_any_cut_gives_the_same_payload(data: st.DataObject, mode: PayloadMode, sizes: list[int], last: int) -> None:
    payload = bytes(index * 7 % 251 for index in range(sum(sizes) + last))
    edges = list(itertools.accumulate(sizes))
    body = encode(mode, pieces(payload, edges))
    assert len(body) == encoded_length(mode, [*sizes, last], trailers=None if mode is SIGNED else TRAILERS)
    cuts = data.draw(st.lists(st.integers(0, len(body)), max_size=12))
    machine = decoder(mode, len(payload))
    received = []
    for read in pieces(body, cuts):
        received += [bytes(piece) for piece in machine.feed(read)]
    machine.finish()
    assert b"".join(received) == payload
    assert machine.complete
    assert machine.received == len(payload)
    assert machine.trailers == ({} if mode is SIGNED else TRAILERS)


@pytest.mark.parametrize("mode", MODES)
def test_byte_by_byte(mode: PayloadMode) -> None:
    payload = bytes(range(256))
    machine = decoder(mode, len(payload))
    received = b"".join(b"".join(machine.feed(bytes([byte]))) for byte in encode(mode, [payload]))
    machine.finish()
    assert received == payload


@pytest.mark.parametrize("mode", MODES)
def test_empty_body(mode: PayloadMode) -> None:
    assert decode(mode, encode(mode, []), 0) == b""


@pytest.mark.parametrize("mode", MODES)
def test_payload_is_not_copied(mode: PayloadMode) -> None:
    payload = b"x" * 20000
    body = encode(mode, [payload])
    for read in (body, bytearray(body), memoryview(body)):
        (piece,) = decoder(mode, len(payload)).feed(read)
        assert isinstance(piece, memoryview)
        assert piece.obj is (read.obj if isinstance(read, memoryview) else read)


@pytest.mark.parametrize("mode", MODES)
def test_truncation_anywhere_is_refused(mode: PayloadMode) -> None:
    body = encode(mode, [b"a" * MIN_CHUNK, b"b" * 40])
    length = MIN_CHUNK + 40
    assert decode(mode, body, length) == b"a" * MIN_CHUNK + b"b" * 40
    # Every place outside the long run of equal bytes, and some within it.
    for end in [*range(200), *range(1000, MIN_CHUNK, 1000), *range(MIN_CHUNK, len(body))]:
        machine = decoder(mode, length)
        machine.feed(body[:end])
        assert not machine.complete
        with pytest.raises(errors.IncompleteBody):
            machine.finish()
        with pytest.raises(errors.IncompleteBody):
            machine.feed(body[end:])


@pytest.mark.parametrize("mode", [SIGNED, SIGNED_TRAILER])
def test_no_flipped_bit_of_a_signed_body_changes_what_is_accepted(mode: PayloadMode) -> None:
    payload = b"The quick brown fox"
    body = encode(mode, [payload])
    accepted = 0
    for index, bit in itertools.product(range(len(body)), range(8)):
        altered = bytearray(body)
        altered[index] ^= 1 << bit
        machine = decoder(mode, len(payload))
        try:
            received = b"".join(machine.feed(altered))
            machine.finish()
        except errors.SigningError:
            continue
        # Only the case of a trailer's name is free.
        accepted += 1
        assert received == payload
        assert machine.trailers == ({} if mode is SIGNED else TRAILERS)
        assert body[index : index + 1].isalpha()
        assert bit == 5
    letters = sum(map(str.isalpha, CRC + "x-amz-trailer-signature"))
    assert accepted == (0 if mode is SIGNED else letters)


@settings(max_examples=300)
@given(st.data())
def test_no_flipped_bit_of_an_unsigned_body_is_accepted_outside_the_data(data: st.DataObject) -> None:
    payload = b"\0" * 50
    body = encode(UNSIGNED, [payload])
    start = body.index(payload)
    index = data.draw(st.integers(0, len(body) - 1))
    altered = bytearray(body)
    altered[index] ^= 1 << data.draw(st.integers(0, 7))
    machine = decoder(UNSIGNED, len(payload))
    try:
        received = b"".join(machine.feed(altered))
        machine.finish()
    except errors.SigningError:
        return
    if start <= index < start + len(payload):
        assert received != payload, "left to the checksum in the trailer"
    else:
        assert received == payload
        assert machine.trailers.keys() == TRAILERS.keys(), "a changed checksum is left to whoever compares it"


@settings(max_examples=300)
@given(st.sampled_from(MODES), st.binary(max_size=200), st.integers(0, 20))
def test_noise_is_refused_or_whole(mode: PayloadMode, noise: bytes, length: int) -> None:
    machine = decoder(mode, length, ())
    try:
        received = sum(len(piece) for piece in machine.feed(noise))
        machine.finish()
    except errors.SigningError:
        return
    assert received == length


@pytest.mark.parametrize("mode", [SIGNED, SIGNED_TRAILER])
def test_altered_data_does_not_match(mode: PayloadMode) -> None:
    body = encode(mode, [b"a" * MIN_CHUNK, b"b" * 10])
    with pytest.raises(errors.SignatureDoesNotMatch) as refused:
        decode(mode, body.replace(b"bbbb", b"bbbc", 1), MIN_CHUNK + 10)
    assert refused.value.fields == ()


def test_chunks_of_another_request_do_not_match() -> None:
    other = SigningContext(CONTEXT.key, CONTEXT.date, CONTEXT.scope, "6" * 64)
    body = b"".join(encode_chunked(SIGNED, [b"a"], context=other))
    with pytest.raises(errors.SignatureDoesNotMatch):
        decode(SIGNED, body, 1)


def test_swapped_and_dropped_chunks_do_not_match() -> None:
    first, second = b"a" * MIN_CHUNK, b"b" * MIN_CHUNK
    body = encode(SIGNED, [first, second])
    line = body.index(b"\r\n") + 2
    one = body[: line + MIN_CHUNK + 2]
    two = body[len(one) : 2 * len(one)]
    rest = body[2 * len(one) :]
    assert decode(SIGNED, one + two + rest, 2 * MIN_CHUNK) == first + second
    for altered, length in (
        (two + one + rest, 2 * MIN_CHUNK),
        (one + rest, MIN_CHUNK),
        (one + one + rest, 2 * MIN_CHUNK),
    ):
        with pytest.raises(errors.SignatureDoesNotMatch):
            decode(SIGNED, altered, length)


def test_altered_trailer_does_not_match() -> None:
    body = encode(SIGNED_TRAILER, [b"a"])
    with pytest.raises(errors.SignatureDoesNotMatch):
        decode(SIGNED_TRAILER, body.replace(b"3q2+7w==", b"3q2+7w=A"), 1)
    without = body[: body.index(b"x-amz-trailer-signature")] + b"\r\n"
    with pytest.raises(errors.MalformedTrailerError):
        decode(SIGNED_TRAILER, without, 1)


@pytest.mark.parametrize("mode", MODES)
def test_small_chunk_that_is_not_the_last(mode: PayloadMode) -> None:
    for sizes in ([MIN_CHUNK, MIN_CHUNK - 1, 1], [MIN_CHUNK, 5, MIN_CHUNK]):
        body = encode(mode, [b"a" * size for size in sizes])
        with pytest.raises(errors.InvalidChunkSizeError) as refused:
            decode(mode, body, sum(sizes))
        assert refused.value.fields == (("Chunk", "2"), ("BadChunkSize", str(sizes[1])))


@pytest.mark.parametrize("mode", MODES)
def test_length_that_is_not_the_announced_one(mode: PayloadMode) -> None:
    body = encode(mode, [b"a" * 100])
    for length in (99, 101, 0):
        with pytest.raises(errors.IncompleteBody):
            decode(mode, body, length)


def test_too_long_a_chunk_is_refused_before_its_data_arrives() -> None:
    machine = decoder(UNSIGNED, 1 << 20)
    with pytest.raises(errors.IncompleteBody, match="longer"):
        machine.feed(b"ffffffffffffffff\r\n")


@pytest.mark.parametrize("mode", MODES)
def test_more_after_the_end(mode: PayloadMode) -> None:
    body = encode(mode, [b"abc"])
    for extra in (b"x", b"\r\n", b"\n", b"0\r\n\r\n", body):
        with pytest.raises(errors.IncompleteBody):
            decode(mode, body + extra, 3)


BROKEN = [
    b"A\ndummy data\r\n0\r\n\r\n",
    b"A\r\ndummy data0\r\n\r\n",
    b"A\r\ndummy data\n0\r\n\r\n",
    b"A\r\ndummy data\r\r\n0\r\n\r\n",
    b"B\r\ndummy data\r\n0\r\n\r\n",
    b"A\r\nXYZ\r\ndummy data\r\n0\r\n\r\n",
    b"A\r\ndummy data\r\n0\r\n",
    b"A\r\n",
    b"A",
    b"",
    b"\r\n",
    b"0\r\n\r\n",
    b"zz\r\ndummy data\r\n0\r\n\r\n",
    b"0xA\r\ndummy data\r\n0\r\n\r\n",
    b"+A\r\ndummy data\r\n0\r\n\r\n",
    b"-A\r\ndummy data\r\n0\r\n\r\n",
    b" A\r\ndummy data\r\n0\r\n\r\n",
    b"A \r\ndummy data\r\n0\r\n\r\n",
    b"A;name=value\r\ndummy data\r\n0\r\n\r\n",
    b"A;\r\ndummy data\r\n0\r\n\r\n",
    b"0000000000000000A\r\ndummy data\r\n0\r\n\r\n",
    b"A\r\ndummy data\r\n0\r\n\r\n\r\n",
]


@pytest.mark.parametrize("body", BROKEN)
def test_broken_framing(body: bytes) -> None:
    assert decode(UNSIGNED, b"00A\r\ndummy data\r\n0\r\n\r\n", 10, ()) == b"dummy data"
    with pytest.raises(errors.IncompleteBody):
        decode(UNSIGNED, body, 10, ())


@pytest.mark.parametrize(
    "line",
    [
        b"1\r\n",
        b"1;\r\n",
        b"1;chunk-signature=\r\n",
        b"1;chunk-signature=" + b"0" * 63 + b"\r\n",
        b"1;chunk-signature=" + b"0" * 65 + b"\r\n",
        b"1;chunk-signature=" + b"\xe9" * 64 + b"\r\n",
        b"1;other=" + b"0" * 64 + b"\r\n",
        b"1;chunk-signature=" + b"0" * 64 + b";other=1\r\n",
    ],
)
def test_broken_chunk_signature(line: bytes) -> None:
    with pytest.raises(errors.IncompleteBody):
        decode(SIGNED, line + b"a\r\n", 1)


@pytest.mark.parametrize("mode", MODES)
def test_endless_chunk_line_is_refused_at_its_limit(mode: PayloadMode) -> None:
    machine = decoder(mode, 1)
    with pytest.raises(errors.IncompleteBody):
        machine.feed(b"0" * 1_000_000)
    machine = decoder(mode, 1)
    for _ in range(MAX_LINE - 1):
        machine.feed(b"0")
    with pytest.raises(errors.IncompleteBody):
        machine.feed(b"0")


def _trailer(*lines: bytes, end: bytes = b"\r\n") -> bytes:
    return b"1\r\na\r\n0\r\n" + b"".join(line + b"\r\n" for line in lines) + end


def test_trailers_are_read_in_any_case_and_spacing() -> None:
    machine = decoder(UNSIGNED, 1, (" X-Amz-Checksum-CRC32 ", "x-amz-other", ""))
    machine.feed(_trailer(b"X-Amz-Checksum-Crc32 : 3q2+7w== ", b"x-amz-other:"))
    machine.finish()
    assert machine.trailers == {CRC: "3q2+7w==", "x-amz-other": ""}


@pytest.mark.parametrize(
    ("announced", "body"),
    [
        pytest.param((CRC,), _trailer(), id="announced but missing"),
        pytest.param((), _trailer(b"x-amz-checksum-crc32:3q2+7w=="), id="not announced"),
        pytest.param((CRC,), _trailer(b"x-amz-checksum-crc32:3q2+7w==", b"x-amz-other:1"), id="one too many"),
        pytest.param((CRC,), _trailer(b"x-amz-checksum-crc32:1", b"x-amz-checksum-crc32:1"), id="repeated"),
        pytest.param((CRC,), _trailer(b":3q2+7w=="), id="no name"),
        pytest.param((CRC,), _trailer(b"x-amz-checksum-crc32"), id="no value"),
        pytest.param((CRC,), _trailer(b"x-amz-checksum-crc32:\xc3\xa9"), id="not ASCII"),
        pytest.param((CRC,), _trailer(b"x-amz-checksum-crc32:a\x00b"), id="control character"),
        pytest.param((CRC,), _trailer(b"x-amz-checksum-crc32:a\rb"), id="carriage return inside"),
        pytest.param(
            (CRC,), _trailer(b"x-amz-checksum-crc32:1", b"x-amz-trailer-signature:" + b"0" * 64), id="signed unasked"
        ),
        pytest.param((CRC,), _trailer(b"x-amz-checksum-crc32:" + b"a" * MAX_TRAILERS), id="too long"),
        pytest.param((CRC,), b"1\r\na\r\n0\r\n" + b"a" * 1_000_000, id="endless"),
    ],
)
def test_malformed_trailers(announced: tuple[str, ...], body: bytes) -> None:
    with pytest.raises(errors.MalformedTrailerError):
        decode(UNSIGNED, body, 1, announced)


def test_all_trailers_together_are_bounded() -> None:
    names = [f"x-amz-{index:03}" for index in range(100)]
    lines = [f"{name}:{'v' * 100}".encode() for name in names]
    with pytest.raises(errors.MalformedTrailerError):
        decode(UNSIGNED, _trailer(*lines), 1, names)
    assert decode(UNSIGNED, _trailer(*lines[:30]), 1, names[:30]) == b"a"


def test_signed_trailer_mode_without_trailers() -> None:
    body = b"".join(encode_chunked(SIGNED_TRAILER, [b"abc"], context=CONTEXT))
    assert decode(SIGNED_TRAILER, body, 3, ()) == b"abc"


def test_line_ends_of_minio_clients() -> None:
    """They write `name:value LF CRLF` before the trailer's signature, and a second CRLF if nothing is signed."""
    unsigned = b"1\r\na\r\n0\r\nx-amz-checksum-crc32:3q2+7w==\n\r\n\r\n"
    assert decode(UNSIGNED, unsigned, 1) == b"a"
    signed = encode(SIGNED_TRAILER, [b"a"]).replace(b"3q2+7w==\r\n", b"3q2+7w==\n\r\n")
    assert decode(SIGNED_TRAILER, signed, 1) == b"a"
    for mode, body in ((UNSIGNED, unsigned), (SIGNED_TRAILER, signed)):
        machine = decoder(mode, 1)
        assert b"".join(b"".join(machine.feed(bytes([byte]))) for byte in body) == b"a"
        machine.finish()
        for extra in (b"\r\n", b"x"):
            with pytest.raises(errors.IncompleteBody):
                decode(mode, body + extra, 1)
    with pytest.raises(errors.IncompleteBody):
        decode(UNSIGNED, unsigned[:-1], 1)
    with pytest.raises(errors.MalformedTrailerError):
        decode(SIGNED_TRAILER, signed.replace(b"\n\r\n", b"\n\r\n\r\n", 1), 1)


def test_error_stays() -> None:
    machine = decoder(UNSIGNED, 3)
    with pytest.raises(errors.IncompleteBody) as first:
        machine.feed(b"nonsense\r\n")
    for again in (lambda: machine.feed(encode(UNSIGNED, [b"abc"])), machine.finish):
        with pytest.raises(errors.IncompleteBody) as second:
            again()
        assert second.value is first.value
    assert not machine.complete


def test_what_cannot_be_decoded() -> None:
    for mode in (PayloadMode.HASHED, PayloadMode.UNSIGNED):
        with pytest.raises(ValueError, match="chunked"):
            ChunkedDecoder(mode, decoded_length=0)
        with pytest.raises(ValueError, match="chunked"):
            next(encode_chunked(mode, []))
    with pytest.raises(ValueError, match="context"):
        ChunkedDecoder(SIGNED, decoded_length=0)
    with pytest.raises(ValueError, match="context"):
        next(encode_chunked(SIGNED_TRAILER, []))
    with pytest.raises(ValueError, match="trailers"):
        next(encode_chunked(SIGNED, [], trailers=TRAILERS, context=CONTEXT))
    with pytest.raises(errors.InvalidRequest):
        ChunkedDecoder(SIGNED, decoded_length=0, trailers=[CRC], context=CONTEXT)
