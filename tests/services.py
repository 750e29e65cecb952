"""Start what tests talk to: our server as its own processes, over http or https, with accounts and keys."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import psutil
import trustme

from conformance.target import Keys, Target
from tests.backends import EMBEDDED, Make
from tests.servers.process import wait_until_still

ROOT = Keys("pixgate-test-root", "a-secret-that-only-tests-know-0123456789")
DOMAIN = "s3.pixgate.test"
READY_SECONDS = 90
STOP_SECONDS = 60


class ServerFailed(Exception):
    """The server did not start, or ended otherwise than it should; the message ends with its log."""


@dataclass(frozen=True, slots=True)
class Certificates:
    """A certificate for 127.0.0.1 and localhost, its key, and the CA that signed it, as PEM files."""

    ca: Path
    certificate: Path
    key: Path


def make_certificates(folder: Path) -> Certificates:
    """Make a CA and a certificate for this machine's loopback, valid for the length of a test run."""
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1", "localhost", f"*.{DOMAIN}")
    files = Certificates(folder / "ca.pem", folder / "server.pem", folder / "server-key.pem")
    authority.cert_pem.write_to_path(str(files.ca))
    issued.private_key_pem.write_to_path(str(files.key))
    files.certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    return files


def clean_environment(**more: str) -> dict[str, str]:
    """This process's environment without anything that steers a client or our server, and what is given."""
    strange = ("AWS_", "PIXGATE_", "MC_", "RCLONE_", "SSL_CERT")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(strange)}
    proxies = {"http_proxy", "https_proxy", "all_proxy", "no_proxy"}
    return {name: value for name, value in kept.items() if name.lower() not in proxies} | more


_environments: dict[Path, dict[str, str]] = {}
new_environment: Make = EMBEDDED.environment
"""Makes what a new deployment stands on; the option `--backends` exchanges it."""


def environment_of(data: Path) -> dict[str, str]:
    """The settings that name the database and the stores of a data folder: the same for whoever works on it."""
    if data not in _environments:
        _environments[data] = new_environment()
    return _environments[data]


def stand_on(data: Path, environment: dict[str, str]) -> None:
    """Say what a data folder's deployment stands on, before it is first used."""
    _environments[data] = environment


def pixgate(*arguments: str, data: Path, check: bool = True, timeout: float = 240) -> subprocess.CompletedProcess[str]:
    """Run a command of ours on a data folder, its output as text."""
    command = [sys.executable, "-m", "gateway", *arguments, "--data", str(data)]
    done = subprocess.run(
        command, env=clean_environment(**environment_of(data)), capture_output=True, text=True, timeout=timeout
    )
    if check and done.returncode != 0:
        raise ServerFailed(f"{' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done


class Server:
    """Our server in a process group of its own. `url` is known once it is ready; a restart takes another port."""

    def __init__(
        self,
        data: Path,
        *,
        certificates: Certificates | None = None,
        workers: int = 2,
        arguments: tuple[str, ...] = (),
        environment: dict[str, str] | None = None,
        wrapper: tuple[str, ...] = (),
    ) -> None:
        """Nothing is started yet. `wrapper` is a command that runs the server (strace)."""
        self.data = data
        self.certificates = certificates
        self.workers = workers
        self.url = ""
        self.log = data.with_name(data.name + ".log")
        self._arguments = arguments
        self._environment = environment or {}
        self._wrapper = wrapper
        self._process: subprocess.Popen[bytes] | None = None
        self._keys: dict[str, Keys] = {}

    # Life

    def start(self) -> None:
        """Start and wait until it is ready; raises ServerFailed with the log where it is not."""
        self.begin()
        self.wait()

    def begin(self) -> None:
        """Start it, and do not wait."""
        self.data.mkdir(parents=True, exist_ok=True)
        (self.data / "run" / "address").unlink(missing_ok=True)
        command = [*self._wrapper, sys.executable, "-m", "gateway", "serve", "--listen", "127.0.0.1:0"]
        command += ["--data", str(self.data), "--workers", str(self.workers), "--domain", DOMAIN]
        if self.certificates:
            command += ["--tls-cert", str(self.certificates.certificate), "--tls-key", str(self.certificates.key)]
        secrets = {"PIXGATE_ROOT_ACCESS_KEY": ROOT.access_key, "PIXGATE_ROOT_SECRET_KEY": ROOT.secret_key}
        # Tests upload more than anybody may; those of the limits switch them on.
        secrets["PIXGATE_RATE_LIMITS_ENABLED"] = "false"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, *self._arguments],
                env=clean_environment(**(secrets | environment_of(self.data) | self._environment)),
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def wait(self, seconds: float = READY_SECONDS) -> None:
        """Wait until it is ready; raises ServerFailed with the log where it is not, or ends."""
        assert self._process is not None
        address = self.data / "run" / "address"
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise ServerFailed(f"ended with {self._process.returncode} while starting\n{self.tail()}")
            if address.exists() and (url := address.read_text().strip()):
                self.url = url
                if self._ready():
                    return
            time.sleep(0.02)
        self.kill()
        raise ServerFailed(f"not ready within {seconds} s\n{self.tail()}")

    def _ready(self) -> bool:
        try:
            return self.fetch("/readyz")[0] == 200
        except OSError:
            return False

    def stop(self) -> None:
        """Ask it to end and wait; raises ServerFailed where it does not end in time, or not with 0."""
        if self._process is None:
            return
        # A wrapper would take the signal for itself: it ends when what it runs has ended.
        wrapped = psutil.Process(self._process.pid).children()[0] if self._wrapper else self._process
        wrapped.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise ServerFailed(f"did not end within {STOP_SECONDS} s after SIGTERM\n{self.tail()}") from None
        self._process = None
        if code != 0:
            raise ServerFailed(f"ended with {code} after SIGTERM\n{self.tail()}")

    def kill(self) -> None:
        """End every process of it at once, without any chance to tidy up."""
        if self._process is None:
            return
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.wait(60)
        self._process = None

    def pause(self) -> None:
        """SIGSTOP for every process of it."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGSTOP)
        wait_until_still(pid for pid in psutil.pids() if _group(pid) == self._process.pid)

    def resume(self) -> None:
        """Go on after `pause`."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGCONT)

    def ended(self, seconds: float = READY_SECONDS) -> int:
        """Wait for its end; gives its exit status."""
        assert self._process is not None
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise ServerFailed(f"did not end within {seconds} s\n{self.tail()}") from None

    @property
    def pid(self) -> int:
        """The process id of the supervisor."""
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the supervisor is there."""
        return self._process is not None and self._process.poll() is None

    def tail(self, lines: int = 80) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else ""

    # Talking to it

    @property
    def ca_file(self) -> str | None:
        """The CA that clients must trust, None over http."""
        return str(self.certificates.ca) if self.certificates else None

    def target(self, keys: Keys = ROOT, other: Keys | None = None) -> Target:
        """The server as the conformance checks see it."""
        return Target(self.url, keys, other=other, domain=DOMAIN, ca_file=self.ca_file, server="pixgate")

    def client(self, keys: Keys = ROOT, **config: Any) -> Any:
        """A boto3 client at default settings, but without retries; one for all who ask with the same settings."""
        return _client(self.target(keys), tuple(sorted(config.items())))

    def fetch(self, path: str, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
        """GET a path without a signature: status and body."""
        request = urllib.request.Request(self.url + path, headers=headers or {})
        context = self.target().ssl_context() if self.certificates else None
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), *([urllib.request.HTTPSHandler(context=context)] if context else [])
        )
        try:
            with opener.open(request, timeout=60) as response:
                return response.status, response.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples that have these labels now, 0 where there is none."""
        return sample(self.fetch("/metrics")[1].decode(), name, **labels)

    def keys(self, account: str) -> Keys:
        """A key of an account, which is made when it is new; the same for each who asks."""
        if account not in self._keys:
            self._keys[account] = self.new_keys(account)
        return self._keys[account]

    def new_keys(self, account: str, *options: str) -> Keys:
        """Another key of an account."""
        made = json.loads(pixgate("keys", "create", "--account", account, "--json", *options, data=self.data).stdout)
        return Keys(made["access_key"], made["secret_key"])

    def fsck(self) -> None:
        """Check the data folder; raises ServerFailed where anything is wrong."""
        pixgate("fsck", data=self.data)


def _group(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return 0


def sample(metrics: str, name: str, **labels: str) -> float:
    """The sum of a metric's samples that have these labels, in the text of a scrape."""
    total = 0.0
    for line in metrics.splitlines():
        series, _, value = line.rpartition(" ")
        found, _, rest = series.partition("{")
        if found == name and all(f'{label}="{text}"' in rest for label, text in labels.items()):
            total += float(value)
    return total


@cache
def _client(target: Target, config: tuple[tuple[str, Any], ...]) -> Any:
    return target.client(**dict(config))


@contextmanager
def running(server: Server) -> Iterator[Server]:
    """Start a server, and stop it at the end; what is not running any more then is left alone."""
    server.start()
    try:
        yield server
    finally:
        if server.running:
            server.stop()
