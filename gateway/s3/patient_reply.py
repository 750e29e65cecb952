"""An answer to work that may take long: after some seconds it begins, and white space keeps the line open.

As S3 does for CopyObject and CompleteMultipartUpload: the status is then 200 whatever comes, and an error stands in the
body. Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from aiohttp.http_writer import HttpVersion11
from aiohttp.web import BaseRequest

from gateway.http.reply import Reply, cut, drain, write
from gateway.s3.call import Call
from gateway.s3.errors import translate
from gateway.s3.render import XML_TYPE
from gateway.s3.xml import DECLARATION

PATIENCE = 5.0
"""Seconds until the answer begins without its end, and between spaces."""


async def patiently(call: Call, work: Coroutine[Any, Any, Reply]) -> Reply:
    """The answer that `work` makes; one that begins before it where that takes long.

    The work goes on to its end even where the client leaves.
    """
    task = asyncio.ensure_future(work)
    if call.request._message.version != HttpVersion11:
        return await asyncio.shield(task)
    done, _ = await asyncio.wait((task,), timeout=PATIENCE)
    if done:
        return task.result()
    return PatientReply(call, task)


class PatientReply(Reply):
    """Sent in HTTP chunks: the XML declaration, spaces, and at last the document."""

    __slots__ = ("_call", "_task")

    def __init__(self, call: Call, task: asyncio.Future[Reply]) -> None:
        super().__init__(200, [XML_TYPE, ("Transfer-Encoding", "chunked")])
        self._length = None
        self._call = call
        self._task = task

    async def send(self, request: BaseRequest) -> int:
        self.begin(request)
        self._chunk(request, DECLARATION.encode())
        while True:
            done, _ = await asyncio.wait((self._task,), timeout=PATIENCE)
            if done:
                break
            self._chunk(request, b" ")
            await drain(request)
        try:
            document = self._task.result().body
        except Exception as error:
            known = translate(error)
            if known is None:
                raise cut(request) from error
            self._call.record.error_code = known.code
            document = self._call.error_document(known)
        self._chunk(request, document.removeprefix(DECLARATION.encode()))
        write(request, b"0\r\n\r\n")
        await drain(request)
        self.finished(self.sent)
        return self.sent

    def _chunk(self, request: BaseRequest, data: bytes) -> None:
        write(request, b"%x\r\n%b\r\n" % (len(data), data))
        self.sent += len(data)
