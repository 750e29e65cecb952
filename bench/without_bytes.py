"""What is a matter of rows, whatever the size: CopyObject, and completing a multipart upload."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from bench.figure import Line, median
from bench.requests import completion, presigned
from bench.server import REGION, Endpoint
from conformance.load import run

MIB = 1024 * 1024


def timed(rounds: int, request: Callable[[], bytes], endpoint: Endpoint) -> float:
    """The median latency of single requests, in ms."""
    return median([run(endpoint.address, [request()]).latencies[0] * 1000 for _ in range(rounds)])


def without_bytes(endpoint: Endpoint, bucket: str, rounds: int, parts: int, part_bytes: int) -> list[Line]:
    """CopyObject of 1 GiB, and completing uploads of `parts` parts."""
    client = _client(endpoint)
    upload_id = client.create_multipart_upload(Bucket=bucket, Key="copied")["UploadId"]
    body = os.urandom(64 * MIB)
    done = [
        client.upload_part(Bucket=bucket, Key="copied", UploadId=upload_id, PartNumber=number, Body=body)["ETag"]
        for number in range(1, 17)
    ]
    run(endpoint.address, [completion(endpoint, bucket, "copied", upload_id, done)])
    source = {"x-amz-copy-source": f"/{bucket}/copied"}
    numbers = iter(range(rounds))
    copies = timed(
        rounds, lambda: presigned(endpoint, "PUT", bucket, f"copy/{next(numbers)}", headers=source), endpoint
    )
    # Parts of the smallest size, all copies of one: what counts is their number.
    part = client.put_object(Bucket=bucket, Key="part", Body=os.urandom(part_bytes))["ETag"]
    source = {"x-amz-copy-source": f"/{bucket}/part"}
    completions = []
    for number in range(max(3, rounds // 3)):
        key = f"parts/{number}"
        upload_id = client.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
        queries = [f"partNumber={one}&uploadId={upload_id}" for one in range(1, parts + 1)]
        run(
            endpoint.address,
            [presigned(endpoint, "PUT", bucket, key, query=query, headers=source) for query in queries],
        )
        figures = run(endpoint.address, [completion(endpoint, bucket, key, upload_id, [part] * parts)])
        completions.append(figures.latencies[0] * 1000)
    return [
        Line("CopyObject of 1 GiB", copies, "ms", "<= 30"),
        Line(f"CompleteMultipartUpload of {parts:,} parts", median(completions), "ms", "<= 30"),
    ]


def _client(endpoint: Endpoint) -> Any:
    import boto3
    from botocore.config import Config

    return boto3.client(
        "s3",
        endpoint_url=endpoint.url,
        aws_access_key_id=endpoint.access_key,
        aws_secret_access_key=endpoint.secret_key,
        region_name=REGION,
        config=Config(retries={"max_attempts": 1}, read_timeout=300),
    )
