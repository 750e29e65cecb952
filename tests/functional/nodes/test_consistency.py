"""What is done on one node is so for the next request on every other."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle

import pytest
from botocore.exceptions import ClientError

from conformance.probe import Probe, etag_of_parts
from tests.functional.nodes.conftest import Cluster
from tests.ledger import Ledger
from tests.services import pixgate
from tests.traffic import Traffic, ask


def _refused(code: str, call: object, **parameters: object) -> None:
    with pytest.raises(ClientError) as caught:
        call(**parameters)  # type: ignore[operator]
    assert caught.value.response["Error"]["Code"] == code


def _write_and_read(cluster: Cluster, rounds: int) -> None:
    dice = random.Random(rounds)
    bucket = f"written-{rounds}"
    assert ask(cluster.nodes[0], "PUT", bucket).status == 200
    there: dict[str, bytes] = {}
    for number in range(rounds):
        writer, reader, other = dice.sample(cluster.nodes, 3)
        key = f"k{number % 20:02}"
        if key in there and dice.random() < 0.3:
            assert ask(writer, "DELETE", bucket, key).status == 204
            del there[key]
            assert ask(reader, "GET", bucket, key).status == 404
        else:
            there[key] = dice.randbytes(dice.choice((0, 100, 5000, 200_000)))
            assert ask(writer, "PUT", bucket, key, there[key]).status == 200
            assert ask(reader, "GET", bucket, key).body == there[key]
        listed = ask(other, "GET", bucket, query=[("list-type", "2")])
        assert listed.texts("Contents/Key") == sorted(there)


def test_reads_and_lists_after_writes_at_other_nodes(cluster: Cluster) -> None:
    _write_and_read(cluster, 60)


@pytest.mark.long
def test_many_reads_and_lists_after_writes_at_other_nodes(cluster: Cluster) -> None:
    _write_and_read(cluster, 2000)


def test_a_load_on_all_nodes_at_once(cluster: Cluster) -> None:
    assert ask(cluster.nodes[0], "PUT", "load").status == 200
    traffic = Traffic(cluster.nodes, "load", Ledger())
    with traffic.flowing():
        traffic.until("PUT 200", 60, 60)
        traffic.until("multipart 200", 5, 60)
    assert set(traffic.outcomes) <= {
        *("PUT 200", "GET 200", "GET 404", "DELETE 204", "LIST 200", "multipart 200"),
    }, traffic.outcomes


def test_buckets_hold_everywhere(cluster: Cluster) -> None:
    a, b, c = (node.client() for node in cluster.nodes)
    for number in range(5):
        name = f"bucket-{number}"
        a.create_bucket(Bucket=name)
        b.put_object(Bucket=name, Key="key", Body=b"x")
        assert c.get_bucket_versioning(Bucket=name).get("Status") is None
        c.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        version = a.put_object(Bucket=name, Key="key", Body=b"y")["VersionId"]
        assert version != "null", "versioning was switched on at another node"
        b.delete_object(Bucket=name, Key="key", VersionId=version)
        c.delete_object(Bucket=name, Key="key", VersionId="null")
        b.delete_bucket(Bucket=name)
        _refused("NoSuchBucket", a.put_object, Bucket=name, Key="key", Body=b"z")
        _refused("NoSuchBucket", c.list_objects_v2, Bucket=name)
        c.create_bucket(Bucket=name)
        assert "Contents" not in a.list_objects_v2(Bucket=name), "what was put before belongs to another bucket"
        a.delete_bucket(Bucket=name)


def test_keys_hold_everywhere(cluster: Cluster) -> None:
    """Each change is made beside one node, and holds at the next request of every other."""
    nodes = cluster.nodes
    keys = nodes[0].new_keys("owner")
    clients = [node.client(keys) for node in nodes]
    clients[1].create_bucket(Bucket="owned")
    for client in clients:
        client.put_object(Bucket="owned", Key="key", Body=b"x")
    pixgate("keys", "disable", keys.access_key, data=nodes[1].data)
    for client in clients:
        _refused("InvalidAccessKeyId", client.get_object, Bucket="owned", Key="key")
    pixgate("keys", "enable", keys.access_key, data=nodes[2].data)
    for client in clients:
        assert client.get_object(Bucket="owned", Key="key")["Body"].read() == b"x"


def test_versions_are_in_one_order_at_all_nodes(cluster: Cluster) -> None:
    first = cluster.nodes[0].client()
    first.create_bucket(Bucket="versioned")
    first.put_bucket_versioning(Bucket="versioned", VersioningConfiguration={"Status": "Enabled"})
    made = []
    turns = cycle(cluster.nodes)
    for number in range(30):
        made.append(next(turns).client().put_object(Bucket="versioned", Key="key", Body=b"%d" % number)["VersionId"])
    for node in cluster.nodes:
        listed = node.client().list_object_versions(Bucket="versioned")["Versions"]
        assert [version["VersionId"] for version in listed] == made[::-1]
        assert [version["IsLatest"] for version in listed] == [True] + [False] * 29

    # Several at once: whatever the order is, it is the same everywhere, and the newest is the current one.
    with ThreadPoolExecutor(6) as threads:
        list(
            threads.map(
                lambda n: ask(cluster.nodes[n % 3], "PUT", "versioned", "race", b"%d" % n).succeeded(), range(36)
            )
        )
    orders = [
        [
            version["VersionId"]
            for version in node.client().list_object_versions(Bucket="versioned", Prefix="race")["Versions"]
        ]
        for node in cluster.nodes
    ]
    assert orders[0] == orders[1] == orders[2]
    assert len(set(orders[0])) == 36
    heads = [node.client().head_object(Bucket="versioned", Key="race")["VersionId"] for node in cluster.nodes]
    assert set(heads) == {orders[0][0]}


def test_parts_over_all_nodes(cluster: Cluster) -> None:
    """Begun on one node, parts on all, one replaced on another, listed and completed on the third; and aborted anywhere."""
    a, b, c = (Probe(node.target()) for node in cluster.nodes)
    a.s3.create_bucket(Bucket="parts")
    parts = [bytes([number]) * (5 << 20 if number < 4 else 1000) for number in range(1, 5)]
    upload = a.s3.create_multipart_upload(Bucket="parts", Key="joined")["UploadId"]
    c.part("parts", "joined", upload, 2, b"replaced before the end" * 300_000)
    done = [
        probe.part("parts", "joined", upload, number, part)
        for number, (probe, part) in enumerate(zip((a, b, c, a), parts, strict=True), 1)
    ]
    listed = b.s3.list_parts(Bucket="parts", Key="joined", UploadId=upload)["Parts"]
    assert [part["ETag"] for part in listed] == [part["ETag"] for part in done]
    answer = b.s3.complete_multipart_upload(
        Bucket="parts", Key="joined", UploadId=upload, MultipartUpload={"Parts": done}
    )
    assert answer["ETag"] == etag_of_parts(parts)
    assert c.body("parts", "joined") == b"".join(parts)
    # Completing again, as a client does whose answer was lost, elsewhere.
    again = c.s3.complete_multipart_upload(
        Bucket="parts", Key="joined", UploadId=upload, MultipartUpload={"Parts": done}
    )
    assert again["ETag"] == answer["ETag"]

    upload = a.s3.create_multipart_upload(Bucket="parts", Key="given up")["UploadId"]
    b.part("parts", "given up", upload, 1, b"x")
    c.s3.abort_multipart_upload(Bucket="parts", Key="given up", UploadId=upload)
    with a.refused("NoSuchUpload", 404):
        a.part("parts", "given up", upload, 2, b"x")
