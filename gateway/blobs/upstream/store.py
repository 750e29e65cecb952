"""The store: blobs as objects of one bucket of an S3 service. What the database needs of it is `gateway.blobs.port.Store`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence

from gateway.blobs.adopted import is_adopted, parse_adopted
from gateway.blobs.lost import LostBlobs
from gateway.blobs.port import Entry, Placed
from gateway.blobs.upstream.client import Client
from gateway.blobs.upstream.errors import Refused, UpstreamError
from gateway.blobs.upstream.explain import locate, place_of
from gateway.blobs.upstream.features import Features, find_features
from gateway.blobs.upstream.get import UpstreamReader, open_range
from gateway.blobs.upstream.listing import list_objects, list_prefixes, list_uploads
from gateway.blobs.upstream.marker import claim
from gateway.blobs.upstream.multipart import MULTIPART_BYTES, MultipartWriter, abort
from gateway.blobs.upstream.names import LEASE, Layout
from gateway.blobs.upstream.pack import Packer
from gateway.blobs.upstream.probes import Probes
from gateway.blobs.upstream.put import BodyUpload, PutWriter, put_whole
from gateway.blobs.upstream.removal import remove_each, remove_object, remove_objects
from gateway.blobs.upstream.request import Request
from gateway.blobs.upstream.source import UpstreamSource, version_query
from gateway.errors import InvalidValue, StoreUnavailable
from gateway.model.contents import Segment
from gateway.settings.stores import S3Store

PROBE_BODY = b"pixgate"
CLOSE_SECONDS = 5.0


class UpstreamStore:
    """Made and used on one event loop; it connects when it is first asked for something.

    `source` is what else lies in the service, to be adopted.
    """

    kind = "s3"

    def __init__(self, settings: S3Store, deployment: str) -> None:
        self.name = settings.name
        self.settings = settings
        self.features = Features()
        self._deployment = deployment
        self._bucket = settings.bucket
        self._layout = Layout(settings.prefix, deployment)
        self._client = Client(settings)
        self.probes = Probes(self._client, settings.bucket, self._layout.root)
        self.source = UpstreamSource(self._client, settings.bucket, self._layout)
        self._write_headers = () if settings.sse is None else (("x-amz-server-side-encryption", settings.sse),)
        self._lease: int | None = None
        self._next = 0
        self._packer = Packer(self._send)
        self._reads: dict[UpstreamReader, int] = {}
        self._lost = LostBlobs(settings.name)
        self._tasks: set[asyncio.Task[object]] = set()

    @property
    def client(self) -> Client:
        return self._client

    # Writing.

    async def append(self, data: bytes) -> Placed:
        """Store a small blob; it is durable then. Bodies that come while others are on their way share an object."""
        name, offset = await self._packer.add(data)
        return Placed(self.name, name, offset, len(data), None)

    async def _send(self, data: bytes, shared: bool) -> str:
        name = self._new_name("p" if shared else "")
        await put_whole(self._client, self.features, self._bucket, self._layout.key(name), data, self._write_headers)
        return name

    async def create(self, length: int) -> PutWriter | MultipartWriter:
        """Begin a blob of `length` bytes, at most 5 GiB. Nothing is sent before its first bytes are there."""
        name = self._new_name()
        key = self._layout.key(name)
        if length > MULTIPART_BYTES:
            placed = Placed(self.name, name, 0, length, None)
            return MultipartWriter(
                self._client, self.features, placed, self._bucket, key, self._write_headers, self._spawn
            )
        request = Request("PutObject", "PUT", self._bucket, key, headers=self._write_headers)
        body = BodyUpload(self._client, self.features, request, length)
        return PutWriter(self.name, name, body, length, gives_md5=self.features.md5_etags)

    def _new_name(self, kind: str = "") -> str:
        if self._lease is None:
            raise StoreUnavailable("This process may not write to the store.")
        self._next += 1
        return f"{self._lease}/{kind}{self._next}"

    async def begin_lease(self, lease: int) -> None:
        self._lease = lease
        self._next = 0

    def check_room(self) -> None:
        """A service says only when it is asked to store something that it is full."""

    # Reading.

    async def open(self, segment: Segment) -> UpstreamReader:
        """Raises StoreUnavailable, and AdoptedChanged where an adopted object is no longer what its row says."""
        if not is_adopted(segment.name):
            key = self._layout.key(segment.name)
            try:
                return await open_range(self._client, self._bucket, key, segment.offset, segment.length, self._reads)
            except StoreUnavailable as error:
                cause = error.__cause__
                if isinstance(cause, Refused) and cause.status == 404 and cause.code != "NoSuchBucket":
                    self._lost.tell(segment.name)
                raise
        name = parse_adopted(segment.name)
        return await open_range(
            self._client,
            name.bucket,
            name.key,
            segment.offset,
            segment.length,
            self._reads,
            query=version_query(name.version_id),
            adopted_etag=name.etag,
            adopted=True,
        )

    def oldest_read_ms(self) -> int | None:
        """When the oldest read began that still goes on, in ms since the epoch."""
        return next((began // 1_000_000 for began in self._reads.values()), None)

    def release_idle(self) -> None:
        self._client.release_idle()

    async def size(self, name: str) -> int | None:
        """The length in bytes; None where there is none, or an adopted object is another now. Raises UpstreamError."""
        if is_adopted(name):
            found = await self.source.check(parse_adopted(name))
            return None if found is None else found.size
        answer = await self._client.call(
            Request("HeadObject", "HEAD", self._bucket, self._layout.key(name)), accept=(404,)
        )
        text = answer.headers.get("content-length", "")
        if answer.status == 404:
            return None
        if not (text.isascii() and text.isdigit()):
            raise StoreUnavailable("The store does not say how long a blob is.")
        return int(text)

    # What the sweep and fsck ask for.

    async def entries(self, lease: int) -> AsyncIterator[list[Entry]]:
        """What lies under a lease, in pages. Raises UpstreamError."""
        async for page in list_objects(self._client, self._bucket, self._layout.lease(lease)):
            entries = [
                Entry(name, found.size, found.modified_ms)
                for found in page
                if (name := self._layout.name(found.key)) is not None
            ]
            if entries:
                yield entries

    async def leases(self) -> list[int]:
        """The leases under which something lies. Raises UpstreamError."""
        base = self._layout.base
        prefixes = await list_prefixes(self._client, self._bucket, base)
        texts = [prefix.removeprefix(base).rstrip(b"/") for prefix in prefixes]
        return sorted(int(text) for text in texts if LEASE.fullmatch(text))

    async def remove(self, names: Sequence[str]) -> None:
        """Raises UpstreamError."""
        await remove_objects(self._client, self._bucket, [self._layout.key(name) for name in names])

    async def strays(self) -> AsyncIterator[list[Entry]]:
        """Lists all that the deployment has here. Raises UpstreamError."""
        async for page in list_objects(self._client, self._bucket, self._layout.base):
            entries = [
                Entry(name, found.size, found.modified_ms)
                for found in page
                if (name := self._layout.stray(found.key)) is not None
            ]
            if entries:
                yield entries

    async def remove_strays(self, names: Sequence[str]) -> list[str]:
        """Raises UpstreamError."""
        keys = {name: key for name in names if (key := self._layout.stray_key(name)) is not None}
        # One by one: a document that names many at once cannot hold every byte that a key may have.
        await remove_each(self._client, self._bucket, list(keys.values()))
        return list(keys)

    async def remove_lease(self, lease: int) -> None:
        """Abort what was begun under it and never finished. Raises UpstreamError."""
        prefix = self._layout.lease(lease)
        before: list[str] = []
        while True:
            listed = await list_uploads(self._client, self._bucket, prefix)
            uploads = [one for one in listed if one.key.startswith(prefix)]
            found = [one.upload_id for one in uploads]
            if not uploads or found == before:
                return
            before = found
            for one in uploads:
                await abort(self._client, self._bucket, one.key, one.upload_id)

    async def punch(self, name: str, offset: int, length: int) -> None:
        """An object cannot lose a part: a pack is freed when all in it are gone."""

    def may_grow(self, name: str) -> bool:  # noqa: ARG002 - the port's signature
        """An object never grows."""
        return False

    # Where it stands.

    async def claim(self, *, used: bool) -> None:
        """Find out what the service can do, and mark the place as this deployment's; make the bucket where it is missing.

        Raises InvalidValue where it is another's, or has no mark or no bucket although it was `used`; DiskFull;
        UpstreamError, whose note names the place.
        """
        try:
            await self._claim(used=used)
        except UpstreamError as error:
            locate(error, self.settings)
            raise

    async def _claim(self, *, used: bool) -> None:
        try:
            await self.learn()
        except Refused as error:
            if error.code != "NoSuchBucket":
                raise
            if used:
                raise InvalidValue(
                    f"the database names blobs, but the bucket of {place_of(self.settings)} is missing: "
                    "is the name mistyped, or is it another service?"
                ) from error
            await self.create_bucket()
            await self.learn()
        await claim(
            self._client,
            self.features,
            self._bucket,
            self._layout.marker,
            self._deployment,
            used=used,
            headers=self._write_headers,
        )

    async def learn(self) -> Features:
        """Try out what the service can do; until then the least is assumed. Raises UpstreamError, DiskFull."""

        async def find(key: bytes) -> Features:
            return await find_features(self._client, self._bucket, key, self._write_headers)

        self.features = await self.probes.run(find)
        return self.features

    async def probe(self) -> None:
        """Write, read and delete a small object. Raises UpstreamError, DiskFull."""

        async def write_and_read(key: bytes) -> bytes:
            await put_whole(self._client, self.features, self._bucket, key, PROBE_BODY, self._write_headers)
            try:
                return (await self._client.call(Request("GetObject", "GET", self._bucket, key))).body
            finally:
                await remove_object(self._client, self._bucket, key)

        if await self.probes.run(write_and_read) != PROBE_BODY:
            raise StoreUnavailable("The store gave back other bytes than it was given.")

    async def remove_old_probes(self, before_ms: int) -> int:
        """Raises UpstreamError."""
        return await self.probes.remove_old(before_ms)

    async def create_bucket(self) -> bool:
        """Make the bucket; gives False where it is there already. Raises UpstreamError."""
        region = self.settings.effective_region
        body = b""
        if region != "us-east-1":
            body = (
                '<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
                f"<LocationConstraint>{region}</LocationConstraint></CreateBucketConfiguration>"
            ).encode()
        try:
            await self._client.call(Request("CreateBucket", "PUT", self._bucket, body=body))
        except Refused as error:
            if error.code in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
                return False
            raise
        return True

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        task: asyncio.Task[object] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Wait for what is on its way, for some seconds, and drop all connections."""
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._packer.close()
                await asyncio.gather(self.probes.settle(), *self._tasks, return_exceptions=True)
        except TimeoutError:
            pass
        await self._client.close()
        self.probes.cancel()
        for task in self._tasks:
            task.cancel()


__all__ = ["UpstreamError", "UpstreamStore"]
