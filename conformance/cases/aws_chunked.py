"""Bodies in chunks: signed, signed with trailers, unsigned with trailers."""

from __future__ import annotations

from collections.abc import Iterable

from conformance.case import API, case
from conformance.cases.checksums import DIGESTS, value
from conformance.probe import Headers, Probe
from conformance.sigv4 import (
    SIGNED_CHUNKS,
    SIGNED_CHUNKS_TRAILER,
    UNSIGNED_TRAILER,
    Pairs,
    signed_chunks,
    trailer_signature,
    unsigned_chunks,
)
from conformance.verdict import check, equal
from conformance.wire import Answer

_SIGNED = API + "sigv4-streaming.html"
_TRAILERS = API + "sigv4-streaming-trailers.html"
_KIB64 = 64 * 1024
_CHUNKS = (b"a" * _KIB64, b"b" * _KIB64, b"c" * 100)
_WHOLE = b"".join(_CHUNKS)


class Upload:
    """A PUT in chunks, to be altered before it is sent."""

    def __init__(self, probe: Probe, bucket: str, mode: str, size: int | str, headers: Headers | None = None) -> None:
        """Sign the headers; `size` is what x-amz-decoded-content-length says, in bytes (nothing where empty)."""
        self.probe, self.signer = probe, probe.signer()
        self.path = probe.path(bucket, "key")
        declared = {"x-amz-decoded-content-length": str(size)} if size != "" else {}
        given = {"Content-Encoding": "aws-chunked", **declared, **(headers or {})}
        self.headers = probe.signed_headers("PUT", self.path, [], given, payload=mode, signer=self.signer)
        self.seed = self.headers[-1][1].rpartition("=")[2]

    def frames(self, chunks: Iterable[bytes] = _CHUNKS) -> tuple[list[bytes], str]:
        """The signed frames of the chunks, the closing one without its last line end; and the last signature."""
        pairs = list(signed_chunks(self.signer, self.seed, chunks))
        return [frame for frame, _ in pairs], pairs[-1][1]

    def send(self, body: bytes, *, cut: bool = False, length: int | None = None) -> Answer:
        """Send these bytes as the body; `cut` shuts the write side behind them."""
        sent = [*self.headers, ("Content-Length", str(len(body) if length is None else length))]
        return self.probe.exchange("PUT", self.path, [], sent, body, cut=cut)


def _trailer_lines(trailers: Pairs) -> bytes:
    return "".join(f"{name}:{text}\r\n" for name, text in trailers).encode()


def _signed_trailer(probe: Probe, bucket: str, trailers: Pairs, announced: str = "x-amz-checksum-crc32c") -> Answer:
    upload = Upload(probe, bucket, SIGNED_CHUNKS_TRAILER, len(_WHOLE), {"x-amz-trailer": announced})
    frames, last = upload.frames()
    signature = trailer_signature(upload.signer, last, trailers)
    end = _trailer_lines([*trailers, ("x-amz-trailer-signature", signature)])
    return upload.send(b"".join(frames) + end + b"\r\n")


def _unsigned_trailer(
    probe: Probe, bucket: str, end: bytes, announced: str = "x-amz-checksum-crc32", size: int | str = len(_WHOLE)
) -> Answer:
    upload = Upload(probe, bucket, UNSIGNED_TRAILER, size, {"x-amz-trailer": announced})
    return upload.send(unsigned_chunks(_CHUNKS) + end)


@case("PutObject", _SIGNED)
def signed_chunks_are_joined(probe: Probe) -> None:
    """The object is the decoded chunks; `aws-chunked` is no part of its Content-Encoding."""
    bucket = probe.bucket()
    upload = Upload(probe, bucket, SIGNED_CHUNKS, len(_WHOLE))
    upload.send(b"".join(upload.frames()[0]) + b"\r\n").succeeded()
    check(probe.body(bucket, "key") == _WHOLE, "the bytes differ")
    head = probe.send("HEAD", bucket, "key")
    one = head.header("Content-Encoding")
    equal(one or None, None, "Content-Encoding")
    upload = Upload(probe, bucket, SIGNED_CHUNKS, 4, {"Content-Encoding": "aws-chunked,gzip"})
    upload.send(b"".join(upload.frames([b"gzip"])[0]) + b"\r\n").succeeded()
    equal(probe.send("HEAD", bucket, "key").header("Content-Encoding"), "gzip", "Content-Encoding beside aws-chunked")


@case("PutObject", _SIGNED)
def signed_chunks_of_nothing(probe: Probe) -> None:
    """An empty body is one closing chunk."""
    bucket = probe.bucket()
    upload = Upload(probe, bucket, SIGNED_CHUNKS, 0)
    upload.send(b"".join(upload.frames([])[0]) + b"\r\n").succeeded()
    equal(probe.body(bucket, "key"), b"", "body")


@case("PutObject", _SIGNED)
def altered_chunks(probe: Probe) -> None:
    """A byte altered, a chunk signature altered, chunks swapped or left out: 403 SignatureDoesNotMatch; no object."""
    bucket = probe.bucket()
    for alter in ("byte", "last byte", "signature", "swap", "closing"):
        upload = Upload(probe, bucket, SIGNED_CHUNKS, len(_WHOLE))
        frames, _ = upload.frames([b"a" * _KIB64, b"b" * _KIB64, b"c" * 100])
        if alter == "byte":
            frames[1] = frames[1].replace(b"b" * 100, b"b" * 99 + b"x", 1)
        elif alter == "last byte":
            frames[2] = frames[2].replace(b"cc\r\n", b"cx\r\n")
        elif alter == "signature":
            head, _, rest = frames[0].partition(b"chunk-signature=")
            frames[0] = head + b"chunk-signature=" + b"0" * 64 + rest[64:]
        elif alter == "swap":
            frames[0], frames[1] = frames[1], frames[0]
        else:
            frames[-1] = b"0;chunk-signature=" + b"0" * 64 + b"\r\n"
        upload.send(b"".join(frames) + b"\r\n").refused(403, "SignatureDoesNotMatch")
    equal(probe.keys(bucket), [], "keys")


@case("PutObject", _SIGNED)
def truncated_chunks(probe: Probe) -> None:
    """Without the closing chunk, or cut inside one: 400 IncompleteBody (or no answer); no object."""
    bucket = probe.bucket()
    upload = Upload(probe, bucket, SIGNED_CHUNKS, len(_WHOLE))
    frames, _ = upload.frames()
    whole = b"".join(frames) + b"\r\n"
    answer = upload.send(b"".join(frames[:-1]))
    check(answer.status in (400, 403) and answer.code, f"without the closing chunk: {answer.status} {answer.code}")
    for end in (len(frames[0]), len(frames[0]) + 40, 10):
        with probe.open(timeout=20) as connection:
            connection.head("PUT", upload.path, [*upload.headers, ("Content-Length", str(len(whole)))])
            connection.body(whole[:end])
    equal(probe.keys(bucket), [], "keys")


@case("PutObject", _SIGNED)
def small_chunks(probe: Probe) -> None:
    """A chunk under 8 KiB that is not the last: 403 InvalidChunkSizeError (400 is seen too); no object."""
    bucket = probe.bucket()
    upload = Upload(probe, bucket, SIGNED_CHUNKS, 200)
    frames, _ = upload.frames([b"a" * 100, b"b" * 100])
    answer = upload.send(b"".join(frames) + b"\r\n")
    answer.refused_any((403, "InvalidChunkSizeError"), (400, "InvalidChunkSizeError"))
    equal(probe.keys(bucket), [], "keys")


@case("PutObject", _SIGNED)
def decoded_length_differs(probe: Probe) -> None:
    """x-amz-decoded-content-length that is not the sum of the chunks: 400 IncompleteBody; missing: 411
    MissingContentLength; rubbish: 400."""
    bucket = probe.bucket()
    for size in (len(_WHOLE) + 1, len(_WHOLE) - 1):
        upload = Upload(probe, bucket, SIGNED_CHUNKS, size)
        answer = upload.send(b"".join(upload.frames()[0]) + b"\r\n")
        check(answer.status == 400 and answer.code, f"{size}: {answer.status} {answer.code}")
    upload = Upload(probe, bucket, SIGNED_CHUNKS, "")
    upload.send(b"".join(upload.frames()[0]) + b"\r\n").refused(411, "MissingContentLength")
    upload = Upload(probe, bucket, SIGNED_CHUNKS, "many")
    equal(upload.send(b"".join(upload.frames()[0]) + b"\r\n").status, 400, "status for a length that is none")
    equal(probe.keys(bucket), [], "keys")


@case("PutObject", _SIGNED)
def framing_that_is_none(probe: Probe) -> None:
    """Chunk lines that are endless, negative, not hexadecimal or without a signature are a 4xx; no object."""
    bucket = probe.bucket()
    for body in (
        b"x" * 100_000,
        b"zz;chunk-signature=" + b"0" * 64 + b"\r\n",
        b"-5;chunk-signature=" + b"0" * 64 + b"\r\nhello\r\n",
        b"5\r\nhello\r\n0\r\n\r\n",
        b"FFFFFFFFFFFFFFFFFF;chunk-signature=" + b"0" * 64 + b"\r\n",
        b"5;chunk-signature=" + b"0" * 5000 + b"\r\nhello\r\n",
    ):
        answer = Upload(probe, bucket, SIGNED_CHUNKS, 5).send(body)
        check(400 <= answer.status < 500 and answer.code, f"{body[:40]!r}: {answer.status} {answer.code}")
    equal(probe.keys(bucket), [], "keys")


@case("PutObject", _SIGNED)
def any_valid_chunk_size(probe: Probe) -> None:
    """Chunks of 8 KiB, of odd sizes, and one big chunk are all the same to the server."""
    bucket = probe.bucket()
    body = bytes(range(256)) * 4096
    for size in (8192, 8193, 100_003, len(body)):
        chunks = [body[start : start + size] for start in range(0, len(body), size)]
        upload = Upload(probe, bucket, SIGNED_CHUNKS, len(body))
        upload.send(b"".join(upload.frames(chunks)[0]) + b"\r\n").succeeded()
        check(probe.body(bucket, "key") == body, f"the bytes differ with chunks of {size}")


@case("PutObject", _TRAILERS)
def signed_trailers(probe: Probe) -> None:
    """Each algorithm's checksum may come in a signed trailer; it is verified, answered and stored."""
    bucket = probe.bucket()
    for algorithm in DIGESTS:
        name = f"x-amz-checksum-{algorithm.lower()}"
        answer = _signed_trailer(probe, bucket, [(name, value(algorithm, _WHOLE))], name).succeeded()
        equal(answer.header(name), value(algorithm, _WHOLE), f"{name} of PUT")
        head = probe.send("HEAD", bucket, "key", headers={"x-amz-checksum-mode": "ENABLED"})
        equal(head.header(name), value(algorithm, _WHOLE), f"{name} of HEAD")
    check(probe.body(bucket, "key") == _WHOLE, "the bytes differ")


@case("PutObject", _TRAILERS)
def wrong_signed_trailers(probe: Probe) -> None:
    """A wrong checksum: 400 BadDigest; a wrong trailer signature: 403 SignatureDoesNotMatch; no object."""
    bucket = probe.bucket()
    name = "x-amz-checksum-crc32c"
    _signed_trailer(probe, bucket, [(name, value("CRC32C", b"other"))]).refused(400, "BadDigest")
    upload = Upload(probe, bucket, SIGNED_CHUNKS_TRAILER, len(_WHOLE), {"x-amz-trailer": name})
    frames, _ = upload.frames()
    end = _trailer_lines([(name, value("CRC32C", _WHOLE)), ("x-amz-trailer-signature", "0" * 64)])
    upload.send(b"".join(frames) + end + b"\r\n").refused(403, "SignatureDoesNotMatch")
    upload = Upload(probe, bucket, SIGNED_CHUNKS_TRAILER, len(_WHOLE), {"x-amz-trailer": name})
    frames, _ = upload.frames()
    unsigned = _trailer_lines([(name, value("CRC32C", _WHOLE))])
    answer = upload.send(b"".join(frames) + unsigned + b"\r\n")
    check(400 <= answer.status < 500 and answer.code, f"without a signature: {answer.status} {answer.code}")
    equal(probe.keys(bucket), [], "keys")


@case("PutObject", _TRAILERS)
def unsigned_trailers(probe: Probe) -> None:
    """STREAMING-UNSIGNED-PAYLOAD-TRAILER with each algorithm: verified, answered and stored."""
    bucket = probe.bucket()
    for algorithm in DIGESTS:
        name = f"x-amz-checksum-{algorithm.lower()}"
        end = _trailer_lines([(name, value(algorithm, _WHOLE))]) + b"\r\n"
        answer = _unsigned_trailer(probe, bucket, end, name).succeeded()
        equal(answer.header(name), value(algorithm, _WHOLE), f"{name} of PUT")
        head = probe.send("HEAD", bucket, "key", headers={"x-amz-checksum-mode": "ENABLED"})
        equal(head.header(name), value(algorithm, _WHOLE), f"{name} of HEAD")
    check(probe.body(bucket, "key") == _WHOLE, "the bytes differ")


@case("PutObject", _TRAILERS)
def wrong_unsigned_trailers(probe: Probe) -> None:
    """A wrong checksum: 400 BadDigest; a trailer that was announced and is missing, one that was not announced,
    endless ones: a 400; no object."""
    bucket = probe.bucket()
    right = _trailer_lines([("x-amz-checksum-crc32", value("CRC32", _WHOLE))])
    wrong = _trailer_lines([("x-amz-checksum-crc32", value("CRC32", b"other"))])
    _unsigned_trailer(probe, bucket, wrong + b"\r\n").refused(400, "BadDigest")
    for end in (
        b"\r\n",
        _trailer_lines([("x-amz-checksum-sha1", value("SHA1", _WHOLE))]) + b"\r\n",
        right + b"x-amz-meta-late:1\r\n\r\n",
        b"no colon\r\n\r\n",
        b"x-amz-checksum-crc32:" + b"x" * 100_000 + b"\r\n\r\n",
    ):
        answer = _unsigned_trailer(probe, bucket, end)
        check(answer.status == 400 and answer.code, f"{end[:40]!r}: {answer.status} {answer.code}")
    equal(probe.keys(bucket), [], "keys")


@case("PutObject", _TRAILERS)
def unsigned_length_differs(probe: Probe) -> None:
    """The decoded length is checked without signatures too."""
    bucket = probe.bucket()
    end = _trailer_lines([("x-amz-checksum-crc32", value("CRC32", _WHOLE))]) + b"\r\n"
    for size in (len(_WHOLE) - 1, len(_WHOLE) + 1):
        answer = _unsigned_trailer(probe, bucket, end, size=size)
        check(answer.status == 400 and answer.code, f"{size}: {answer.status} {answer.code}")
    equal(probe.keys(bucket), [], "keys")


@case("UploadPart", _TRAILERS)
def parts_in_chunks(probe: Probe) -> None:
    """Parts may come in chunks as objects do."""
    bucket = probe.bucket()
    identifier = probe.s3.create_multipart_upload(Bucket=bucket, Key="key")["UploadId"]
    query = [("partNumber", "1"), ("uploadId", identifier)]
    path, signer = probe.path(bucket, "key"), probe.signer()
    given = {"Content-Encoding": "aws-chunked", "x-amz-decoded-content-length": str(len(_WHOLE))}
    headers = probe.signed_headers("PUT", path, query, given, payload=SIGNED_CHUNKS, signer=signer)
    seed = headers[-1][1].rpartition("=")[2]
    body = b"".join(frame for frame, _ in signed_chunks(signer, seed, _CHUNKS)) + b"\r\n"
    answer = probe.exchange("PUT", path, query, [*headers, ("Content-Length", str(len(body)))], body).succeeded()
    part = {"PartNumber": 1, "ETag": answer.header("ETag")}
    probe.s3.complete_multipart_upload(Bucket=bucket, Key="key", UploadId=identifier, MultipartUpload={"Parts": [part]})
    check(probe.body(bucket, "key") == _WHOLE, "the bytes differ")


@case("PutObject", _TRAILERS)
def chunks_within_http_chunks(probe: Probe) -> None:
    """SDKs that stream send aws-chunked bodies with `Transfer-Encoding: chunked` and no Content-Length: accepted, for
    the decoded length is declared."""
    bucket = probe.bucket()
    upload = Upload(probe, bucket, UNSIGNED_TRAILER, len(_WHOLE), {"x-amz-trailer": "x-amz-checksum-crc32"})
    end = _trailer_lines([("x-amz-checksum-crc32", value("CRC32", _WHOLE))]) + b"\r\n"
    body = unsigned_chunks(_CHUNKS) + end
    pieces = [body[start : start + 10_000] for start in range(0, len(body), 10_000)]
    framed = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    headers = [*upload.headers, ("Transfer-Encoding", "chunked")]
    probe.exchange("PUT", upload.path, [], headers, framed).succeeded()
    check(probe.body(bucket, "key") == _WHOLE, "the bytes differ")


@case("PutObject", _TRAILERS)
def http_chunks_without_a_length(probe: Probe) -> None:
    """A plain body with `Transfer-Encoding: chunked` declares no length: 411 MissingContentLength or 501
    NotImplemented."""
    bucket = probe.bucket()
    path = probe.path(bucket, "key")
    headers = [*probe.signed_headers("PUT", path, payload="UNSIGNED-PAYLOAD"), ("Transfer-Encoding", "chunked")]
    answer = probe.exchange("PUT", path, [], headers, b"5\r\nhello\r\n0\r\n\r\n")
    answer.refused_any((411, "MissingContentLength"), (501, "NotImplemented"))
    equal(probe.keys(bucket), [], "keys")
