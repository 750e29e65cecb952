"""Runs of `pixgate adopt` that are killed, doubled, watched or left without their store; pictures and checks."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pytest
from botocore.exceptions import ClientError
from PIL import Image

from tests import images
from tests.functional.adopt.source import (
    adopt,
    body,
    changes,
    command,
    headers,
    keys,
    put,
    rendered,
    some,
    status_of,
    wait_for,
)
from tests.servers.minio import Minio
from tests.services import Server, clean_environment, environment_of, pixgate, running, stand_on

T = TypeVar("T")


def test_killed_in_the_middle_and_run_again(gateway: Server, minio: Minio, upstream: Any) -> None:
    bucket = minio.new_bucket()
    names = [f"k{number:05}" for number in range(600)]
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda name: put(upstream, bucket, **{name: name.encode()}), names))
    client = gateway.client()
    for attempt in range(10):
        name = f"{bucket}-{attempt}"
        before = _killed_at_its_first_keys(gateway, bucket, name)
        assert before == names[: len(before)]
        if 0 < len(before) < len(names):
            break
    assert 0 < len(before) < len(names)
    # Before where it ended and behind it: both are looked at.
    put(upstream, bucket, k00000=b"changed", k00599=b"changed too")
    upstream.delete_object(Bucket=bucket, Key="k00001")
    report = adopt(gateway, bucket, "--as", name)
    assert changes(report) == (len(names) - len(before), 1, 1)
    assert keys(client, name) == [key for key in names if key != "k00001"]
    assert body(client, name, "k00000") == b"changed"
    assert body(client, name, "k00599") == b"changed too"
    report = adopt(gateway, bucket, "--as", name)
    assert (report["listed"], *changes(report)) == (len(names) - 1, 0, 0, 0)
    command(gateway, "fsck")


def _killed_at_its_first_keys(server: Server, bucket: str, name: str) -> list[str]:
    """What a run wrote that was killed as soon as there was anything."""
    line = [sys.executable, "-m", "gateway", "adopt", "--bucket", bucket, "--as", name, "--data", str(server.data)]
    run = subprocess.Popen(line, env=clean_environment(**environment_of(server.data)))
    client = server.client()
    try:
        deadline = time.monotonic() + 60
        while not some(client, name) and run.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
    finally:
        run.kill()
        run.wait()
    return keys(client, name)


def test_two_runs_at_once(gateway: Server, minio: Minio, upstream: Any) -> None:
    bucket = minio.new_bucket()
    names = [f"k{number:03}" for number in range(300)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda name: put(upstream, bucket, **{name: name.encode()}), names))
    line = [sys.executable, "-m", "gateway", "adopt", "--bucket", bucket, "--data", str(gateway.data)]
    environment = clean_environment(**environment_of(gateway.data))
    adopt(gateway, bucket, "--prefix", "nothing-yet")
    runs = [subprocess.Popen([*line, "--prefix", "k"], env=environment) for _ in range(2)]
    assert [run.wait(120) for run in runs] == [0, 0]
    assert keys(gateway.client(), bucket) == names
    assert changes(adopt(gateway, bucket, "--prefix", "k")) == (0, 0, 0)
    command(gateway, "fsck", "--no-adopted")


def test_a_store_that_goes_away_in_the_middle(tmp_path: Path, own_minio: Minio) -> None:
    data = tmp_path / "data"
    stand_on(data, {"PIXGATE_STORE_URL": own_minio.store_url(own_minio.new_bucket())})
    bucket = own_minio.new_bucket()
    upstream = own_minio.client()
    put(upstream, bucket, a=b"a")
    with running(Server(data, workers=1)) as server:
        adopt(server, bucket)
        line = [sys.executable, "-m", "gateway", "adopt", "--bucket", bucket, "--watch", "--every", "1s"]
        environment = clean_environment(**environment_of(data))
        with (tmp_path / "errors").open("w") as errors:
            run = subprocess.Popen([*line, "--data", str(data)], env=environment, stderr=errors)
        try:
            put(upstream, bucket, b=b"b")
            wait_for(lambda: keys(server.client(), bucket) == ["a", "b"])
            own_minio.pause()
            wait_for(lambda: "Trying again" in (tmp_path / "errors").read_text())
            own_minio.resume()
            put(upstream, bucket, c=b"c")
            wait_for(lambda: keys(server.client(), bucket) == ["a", "b", "c"])
        finally:
            own_minio.resume()
            run.kill()
            run.wait()
        assert "Traceback" not in (tmp_path / "errors").read_text()
    upstream.close()


def test_watch(gateway: Server, minio: Minio, upstream: Any) -> None:
    bucket = minio.new_bucket()
    put(upstream, bucket, a=b"a")
    line = [sys.executable, "-m", "gateway", "adopt", "--bucket", bucket, "--watch", "--every", "1s"]
    run = subprocess.Popen(
        [*line, "--data", str(gateway.data)],
        env=clean_environment(**environment_of(gateway.data)),
        # Who runs the tests in the background has it ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    client = gateway.client()
    try:
        wait_for(lambda: some(client, bucket))
        put(upstream, bucket, b=b"b")
        wait_for(lambda: keys(client, bucket) == ["a", "b"])
        upstream.delete_object(Bucket=bucket, Key="a")
        wait_for(lambda: keys(client, bucket) == ["b"])
        run.send_signal(signal.SIGINT)
        assert run.wait(60) == 0
    finally:
        run.kill()
        run.wait()


def test_images(gateway: Server, minio: Minio, upstream: Any) -> None:
    bucket = minio.new_bucket()
    upstream.put_object(Bucket=bucket, Key="p.jpg", Body=images.jpeg((200, 100), seed=1))
    put(upstream, bucket, text=b"no image at all")
    adopt(gateway, bucket)
    pixgate("buckets", "set", bucket, "--images", "public", data=gateway.data)
    client = gateway.client()
    assert "x-pixgate-image-id" not in headers(client, bucket, "p.jpg")

    def shown(path: str) -> tuple[int, str, Image.Image | None]:
        try:
            with urllib.request.urlopen(f"{gateway.url}/img/{path}?w=150", timeout=60) as answer:
                return answer.status, answer.headers["ETag"], Image.open(io.BytesIO(answer.read()))
        except urllib.error.HTTPError as error:
            with error:
                return error.code, "", None

    status, etag, picture = shown(f"{bucket}/p.jpg")
    assert (status, picture is not None and picture.size) == (200, (150, 75))
    image_id = headers(client, bucket, "p.jpg")["x-pixgate-image-id"]
    assert shown(image_id)[:2] == (200, etag)
    assert shown(f"{bucket}/text")[0] == 415

    def later(show: Callable[[], T], but: T) -> T:
        """What is shown when a second is over that an image may be behind, and longer while the store does not answer."""
        time.sleep(1.1)
        deadline = time.monotonic() + 60
        while (found := show()) == but and time.monotonic() < deadline:
            time.sleep(0.1)
        return found

    # The picture is another one as soon as the object is, though its rendition was in every memory.
    upstream.put_object(Bucket=bucket, Key="p.jpg", Body=images.jpeg((100, 100), seed=2))
    other = later(lambda: shown(f"{bucket}/p.jpg")[1], etag)
    assert other != etag
    status, again, picture = shown(f"{bucket}/p.jpg")
    assert (status, again, picture is not None and picture.size) == (200, other, (100, 100))
    assert rendered(gateway, bucket, "p.jpg").size == (50, 50)
    upstream.put_object(Bucket=bucket, Key="p.jpg", Body=images.jpeg((300, 100), seed=3))
    assert later(lambda: rendered(gateway, bucket, "p.jpg").size, (50, 50)) == (50, 17)
    assert shown(image_id)[0] in (403, 404)
    upstream.delete_object(Bucket=bucket, Key="p.jpg")
    assert later(lambda: shown(f"{bucket}/p.jpg")[0], 200) in (403, 404)


def test_fsck_tells_what_others_changed(gateway: Server, minio: Minio, upstream: Any) -> None:
    bucket = minio.new_bucket()
    put(upstream, bucket, same=b"1", changed=b"2", gone=b"3")
    adopt(gateway, bucket)
    put(upstream, bucket, changed=b"22")
    upstream.delete_object(Bucket=bucket, Key="gone")
    report = json.loads(command(gateway, "fsck", "--json"))
    assert report["clean"]
    assert {name for name in report["changed"] if name.startswith(bucket)} == {f"{bucket}/changed", f"{bucket}/gone"}
    skipped = json.loads(command(gateway, "fsck", "--json", "--no-adopted"))
    assert (skipped["changed"], skipped["adopted"]) == ([], 0)
    assert skipped["adopted_skipped"] == report["adopted"] >= 3
    adopt(gateway, bucket)


def test_while_the_store_is_away(tmp_path: Path, own_minio: Minio) -> None:
    """Nothing is said of an object whose store cannot be asked, but that its picture is in a memory."""
    data = tmp_path / "data"
    stand_on(data, {"PIXGATE_STORE_URL": own_minio.store_url(own_minio.new_bucket())})
    bucket = own_minio.new_bucket()
    upstream = own_minio.client()
    upstream.put_object(Bucket=bucket, Key="p.jpg", Body=images.jpeg((200, 100)))
    put(upstream, bucket, k=b"k")
    with running(Server(data, workers=1)) as server:
        adopt(server, bucket)
        client = server.client(read_timeout=30)
        assert rendered(server, bucket, "p.jpg").size == (50, 25)
        own_minio.pause()
        try:
            time.sleep(1.1)
            began = time.monotonic()
            assert rendered(server, bucket, "p.jpg").size == (50, 25)
            assert time.monotonic() - began < 10
            for ask in (client.get_object, client.head_object):
                began = time.monotonic()
                with pytest.raises(ClientError) as raised:
                    ask(Bucket=bucket, Key="k")
                assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
                assert time.monotonic() - began < 12
            assert keys(client, bucket) == ["k", "p.jpg"]
            client.delete_object(Bucket=bucket, Key="p.jpg")
        finally:
            own_minio.resume()
        wait_for(lambda: status_of(client, bucket, "k") == 200)
        assert body(client, bucket, "k") == b"k"
        assert keys(upstream, bucket) == ["k", "p.jpg"]
    upstream.close()
