"""The server as processes: what dies is replaced, what stalls is closed, what stops finishes its work."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import select
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
import trustme

from tests.functional.conftest import StartServer
from tests.services import ROOT, Certificates, Server, ServerFailed, clean_environment, pixgate

PATIENCE = 60.0


def wait_until(true: Callable[[], bool], seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def children(server: Server, name: str) -> list[psutil.Process]:
    """The processes below the supervisor whose command line or name has `name`."""
    found = []
    for process in psutil.Process(server.pid).children():
        with contextlib.suppress(psutil.NoSuchProcess):
            if name in process.name() or name in " ".join(process.cmdline()):
                found.append(process)
    return found


def workers(server: Server) -> list[psutil.Process]:
    return [process for process in children(server, "pixgate") if "render" not in " ".join(process.cmdline())]


def alive(process: psutil.Process) -> bool:
    """Whether it runs. Nobody may be there to collect an orphan, so one that has ended counts as gone."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def refuses(server: Server) -> bool:
    """Whether the door is closed."""
    try:
        connect(server).close()
    except OSError:
        return True
    return False


def begun(server: Server) -> None:
    """Wait until a request is in flight; the scrape itself is one."""
    wait_until(lambda: server.metric("pixgate_in_flight") == 2)


def connect(server: Server) -> socket.socket:
    parts = urlsplit(server.url)
    assert parts.hostname
    assert parts.port
    return socket.create_connection((parts.hostname, parts.port), timeout=PATIENCE)


def read_all(connection: socket.socket) -> bytes:
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(65536):
            data += piece
    return data


def put_head(server: Server, bucket: str, key: str, size: int) -> bytes:
    """The head of a presigned PUT."""
    url = server.client(signature_version="s3v4").generate_presigned_url(
        "put_object", Params={"Bucket": bucket, "Key": key}, ExpiresIn=600
    )
    parts = urlsplit(url)
    return (
        f"PUT {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Length: {size}\r\n\r\n"
    ).encode()


def test_a_killed_worker_is_replaced_and_the_others_go_on(start_server: StartServer) -> None:
    server = start_server(workers=2)
    wait_until(lambda: len(workers(server)) == 2)
    before = {process.pid for process in workers(server)}
    os.kill(min(before), signal.SIGKILL)
    served = 0
    until = time.monotonic() + PATIENCE
    while served < 20:
        assert time.monotonic() < until, "the other worker does not answer"
        with contextlib.suppress(OSError):  # The dying one may have taken one more.
            assert server.fetch("/livez")[0] == 200
            served += 1
    wait_until(lambda: len(workers(server)) == 2 and {process.pid for process in workers(server)} != before)
    wait_until(lambda: server.metric("pixgate_workers") == 2)
    assert "worker" in server.tail()


def test_a_killed_render_broker_is_replaced(start_server: StartServer) -> None:
    server = start_server(workers=1)

    def status() -> str:
        return str(json.loads(server.fetch("/health")[1])["renders"]["status"])

    wait_until(lambda: status() == "healthy")
    (broker,) = children(server, "gateway.render.broker")
    broker.kill()
    # S3 is not touched: degraded is 200, unhealthy would be 503.
    assert server.fetch("/health")[0] == 200
    wait_until(lambda: status() == "healthy")


def test_nothing_outlives_the_supervisor(start_server: StartServer) -> None:
    server = start_server(workers=2)
    family = psutil.Process(server.pid).children(recursive=True)
    assert len(family) >= 3
    os.kill(server.pid, signal.SIGKILL)
    wait_until(lambda: not any(alive(process) for process in family))


def test_a_request_in_flight_is_finished_before_the_end(start_server: StartServer) -> None:
    server = start_server(workers=2)
    server.client().create_bucket(Bucket="in-flight")
    with connect(server) as connection:
        connection.sendall(put_head(server, "in-flight", "slow", 10) + b"01234")
        begun(server)
        os.kill(server.pid, signal.SIGTERM)
        wait_until(lambda: refuses(server))
        assert server.running
        connection.sendall(b"56789")
        assert read_all(connection).startswith(b"HTTP/1.1 200 ")
    wait_until(lambda: not server.running)
    server.stop()
    server.start()
    assert server.client().get_object(Bucket="in-flight", Key="slow")["Body"].read() == b"0123456789"


def test_readiness_drops_before_the_door_closes(start_server: StartServer) -> None:
    server = start_server(workers=1, arguments=("--drain-delay", "300"))
    assert server.fetch("/readyz")[0] == 200
    os.kill(server.pid, signal.SIGTERM)
    wait_until(lambda: server.fetch("/readyz")[0] == 503)
    assert server.fetch("/livez")[0] == 200
    # A second signal does not wait for that.
    os.kill(server.pid, signal.SIGTERM)
    wait_until(lambda: not server.running)


def test_a_second_signal_ends_it_at_once(start_server: StartServer) -> None:
    # Else the request would be waited for as long as it may stall.
    patient = ("--body-stall-timeout", "600", "--stop-timeout", "600")
    server = start_server(workers=1, arguments=patient)
    server.client().create_bucket(Bucket="stuck")
    with connect(server) as connection:
        connection.sendall(put_head(server, "stuck", "slow", 10) + b"01234")
        begun(server)
        os.kill(server.pid, signal.SIGTERM)
        wait_until(lambda: refuses(server))
        assert server.running
        os.kill(server.pid, signal.SIGTERM)
        wait_until(lambda: not server.running)


def test_the_longest_times_that_can_be_set_are_waited_for(start_server: StartServer) -> None:
    """Which the kernel's timers do not take at once."""
    names = (
        "STOP_TIMEOUT",
        "HEADER_TIMEOUT",
        "KEEPALIVE_TIMEOUT",
        "BODY_STALL_TIMEOUT",
        "IMAGE_TIMEOUT",
        "IMAGE_QUEUE_TIME",
    )
    server = start_server(workers=1, environment={f"PIXGATE_{name}": "1e9" for name in names})
    assert server.fetch("/livez")[0] == 200
    server.stop()


def test_a_data_folder_has_one_server(start_server: StartServer, tmp_path: Path) -> None:
    server = start_server(workers=1)
    with pytest.raises(ServerFailed, match="another server runs on the data folder"):
        Server(server.data).start()
    assert server.fetch("/livez")[0] == 200


def test_a_port_that_is_taken_is_said_in_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ServerFailed, match=f"cannot listen on 127.0.0.1:{port}: Address already in use") as caught:
            Server(tmp_path / "data", arguments=("--listen", f"127.0.0.1:{port}")).start()
    assert "Traceback" not in str(caught.value)


@pytest.mark.parametrize("sent", [b"", b"GET / HTT", b"GET / HTTP/1.1\r\nHost: x\r\nA: b"])
def test_a_header_must_be_complete_in_time(start_server: StartServer, sent: bytes) -> None:
    server = start_server(workers=1, arguments=("--header-timeout", "1"))
    began = time.monotonic()
    with connect(server) as connection:
        connection.sendall(sent)
        assert read_all(connection) == b""
        # The default is ten.
        assert 0.5 < time.monotonic() - began < 9


def test_the_header_of_a_second_request_must_be_complete_in_time_too(start_server: StartServer) -> None:
    server = start_server(workers=1, arguments=("--header-timeout", "1"))
    with connect(server) as connection:
        for pause in (1.5, 0):  # idle is fine: that is what keep-alive is for
            connection.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = b""
            while not answer.endswith(b"alive\n"):
                answer += (piece := connection.recv(65536))
                assert piece
            assert answer.startswith(b"HTTP/1.1 200 ")
            time.sleep(pause)
        began = time.monotonic()
        connection.sendall(b"GET /livez HT")
        assert read_all(connection) == b""
        assert time.monotonic() - began < 9


def test_a_body_that_stalls_is_closed_and_a_slow_one_is_not(start_server: StartServer) -> None:
    server = start_server(
        workers=1, arguments=("--body-stall-timeout", "3", "--body-min-rate", "50", "--header-timeout", "2")
    )
    server.client().create_bucket(Bucket="stalls")
    # To sign the first takes a while, and a line that says nothing is closed.
    heads = put_head(server, "stalls", "stalled", 1000), put_head(server, "stalls", "slow", 4000)
    with connect(server) as stalled, connect(server) as slow:
        stalled.sendall(heads[0] + b"some")
        slow.sendall(heads[1])
        for _ in range(20):
            slow.sendall(b"x" * 200)
            time.sleep(0.2)
        assert slow.recv(65536).startswith(b"HTTP/1.1 200 ")
        assert b"200 OK" not in read_all(stalled)
    assert "Contents" in (page := server.client().list_objects_v2(Bucket="stalls"))
    assert [entry["Key"] for entry in page["Contents"]] == ["slow"]


def test_a_reader_that_stalls_is_closed(start_server: StartServer) -> None:
    server = start_server(workers=1, arguments=("--body-stall-timeout", "4"))
    client = server.client()
    client.create_bucket(Bucket="stalls")
    client.put_object(Bucket="stalls", Key="big", Body=bytes(40_000_000))
    url = urlsplit(
        server.client(signature_version="s3v4").generate_presigned_url(
            "get_object", Params={"Bucket": "stalls", "Key": "big"}
        )
    )
    with connect(server) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        connection.sendall(f"GET {url.path}?{url.query} HTTP/1.1\r\nHost: {url.netloc}\r\n\r\n".encode())
        begun(server)
        wait_until(lambda: server.metric("pixgate_in_flight") == 1)


def test_stalled_sockets_do_no_harm(start_server: StartServer) -> None:
    # Not one of them is closed before the end.
    server = start_server(workers=2, arguments=("--header-timeout", "600", "--body-stall-timeout", "600"))
    client = server.client()
    client.create_bucket(Bucket="busy")
    client.put_object(Bucket="busy", Key="a", Body=b"a")
    with contextlib.ExitStack() as stack:
        for number in range(500):
            connection = stack.enter_context(connect(server))
            connection.sendall(
                (b"", b"GET / HT", put_head(server, "busy", "never", 100) if number < 30 else b"P")[number % 3]
            )
        for _ in range(50):
            assert client.get_object(Bucket="busy", Key="a")["Body"].read() == b"a"


def test_a_new_certificate_is_read_on_sighup(
    start_server: StartServer, certificates: Certificates, tmp_path: Path
) -> None:
    files = Certificates(certificates.ca, tmp_path / "cert.pem", tmp_path / "key.pem")
    files.certificate.write_bytes(certificates.certificate.read_bytes())
    files.key.write_bytes(certificates.key.read_bytes())
    server = start_server(workers=2, certificates=files)

    def served() -> bytes:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with connect(server) as plain, context.wrap_socket(plain) as secured:
            return secured.getpeercert(binary_form=True) or b""

    before = served()
    files.certificate.write_text("not a certificate")
    os.kill(server.pid, signal.SIGHUP)
    # Both workers, each of which reads them when it comes to it.
    wait_until(lambda: server.log.read_text().count("the one before stays") == 2)
    assert served() == before

    issued = trustme.CA().issue_cert("127.0.0.1")
    issued.private_key_pem.write_to_path(str(files.key))
    files.certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    os.kill(server.pid, signal.SIGHUP)
    wait_until(lambda: server.log.read_text().count("certificate read again") == 2)
    assert before not in (now := {served() for _ in range(12)})
    assert len(now) == 1


def test_a_running_server_follows_a_rotated_master_key(start_server: StartServer) -> None:
    server = start_server(workers=2)
    keys = server.new_keys("anna")
    client = server.client(keys)
    client.create_bucket(Bucket="annas")
    pixgate("keys", "rotate-master", data=server.data)
    for _ in range(8):
        client.head_bucket(Bucket="annas")
    new = server.new_keys("anna")
    server.client(new).head_bucket(Bucket="annas")


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    ours, theirs = pty.openpty()
    yield ours, theirs
    os.close(ours)
    with contextlib.suppress(OSError):
        os.close(theirs)


def start_first(data: Path, stdout: int, stderr: int) -> subprocess.Popen[bytes]:
    command = [
        sys.executable,
        "-m",
        "gateway",
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--workers",
        "1",
        "--data",
        str(data),
    ]
    return subprocess.Popen(command, env=clean_environment(), stdout=stdout, stderr=stderr, stdin=subprocess.DEVNULL)


def end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    assert process.wait(PATIENCE) == 0


@pytest.mark.embedded
def test_root_credentials_are_shown_on_a_terminal_once_and_not_in_the_log(
    tmp_path: Path, terminal: tuple[int, int]
) -> None:
    data, log = tmp_path / "data", tmp_path / "log"
    ours, theirs = terminal

    def start() -> tuple[str, str]:
        with log.open("wb") as out:
            process = start_first(data, out.fileno(), theirs)
            shown = b""
            deadline = time.monotonic() + PATIENCE
            while b"is ready at" not in shown and time.monotonic() < deadline:
                if select.select([ours], [], [], 0.2)[0]:
                    shown += os.read(ours, 65536)
            end(process)
        return shown.decode(), log.read_text()

    shown, logged = start()
    pair = json.loads(pixgate("keys", "root", "--show", "--json", data=data).stdout)
    assert pair["secret_key"] in shown
    assert f"export AWS_SECRET_ACCESS_KEY={pair['secret_key']}" in shown
    assert f"secret_access_key = {pair['secret_key']}" in shown
    assert pair["secret_key"] not in logged
    shown, _ = start()
    assert pair["secret_key"] not in shown


@pytest.mark.embedded
def test_root_credentials_are_not_written_where_no_terminal_is(tmp_path: Path) -> None:
    data, log = tmp_path / "data", tmp_path / "log"
    with log.open("wb") as out:
        process = start_first(data, out.fileno(), out.fileno())
        wait_until(lambda: b"is ready at" in log.read_bytes())
        end(process)
    pair = json.loads(pixgate("keys", "root", "--show", "--json", data=data).stdout)
    assert pair["secret_key"] not in log.read_text()
    assert "pixgate keys root --show" in log.read_text()


def test_a_blocked_output_stops_no_request(tmp_path: Path) -> None:
    data = tmp_path / "data"
    reading, writing = os.pipe()
    process = start_first(data, writing, subprocess.DEVNULL)
    os.close(writing)
    server = Server(data)
    address = data / "run" / "address"
    wait_until(lambda: address.exists() and bool(address.read_text().strip()))
    server.url = address.read_text().strip()
    with connect(server) as connection:
        for _ in range(30):  # far more than a pipe holds
            connection.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n" * 20)
            taken = b""
            while taken.count(b"alive\n") < 20:
                taken += connection.recv(65536)
    wait_until(lambda: server.metric("pixgate_requests_total", operation="Livez") == 600)
    process.terminate()
    assert process.wait(PATIENCE) == 0
    os.close(reading)


def test_a_log_line_a_request_without_secrets(start_server: StartServer) -> None:
    server = start_server(workers=2)
    client = server.client()
    client.create_bucket(Bucket="logged")
    url = server.client(signature_version="s3v4").generate_presigned_url(
        "put_object", Params={"Bucket": "logged", "Key": "the-key-of-it"}
    )
    parts = urlsplit(url)
    with connect(server) as connection:
        head = f"PUT {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        connection.sendall((head + "Content-Length: 4\r\nConnection: close\r\n\r\nbody").encode())
        answer = read_all(connection).decode()
    request_id = answer.split("x-amz-request-id: ")[1].split("\r\n")[0]
    wait_until(lambda: any(request_id in text and text.endswith("}") for text in server.tail(400).splitlines()))
    lines = [json.loads(line) for line in server.tail(400).splitlines() if line.startswith("{") and line.endswith("}")]
    (line,) = [line for line in lines if line.get("request_id") == request_id]
    expected = {
        "operation": "PutObject",
        "bucket": "logged",
        "status": 200,
        "bytes_in": 4,
        "access_key": ROOT.access_key,
    }
    assert {name: line[name] for name in expected} == expected
    assert line["ms"] >= 0
    log = server.log.read_text()
    for secret in (ROOT.secret_key, parts.query.split("X-Amz-Signature=")[1][:20], "the-key-of-it"):
        assert secret not in log
