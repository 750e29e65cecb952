"""What goes wrong between us and an S3 service. All of it is StoreUnavailable to whoever asked the store.

StoreUnavailable
├── Failed: a fault of the way or of the service, counted by the circuit breaker
│   ├── Broken        no connection, or it ended early
│   ├── TimedOut      nothing came in time
│   ├── Busy          all our connections are in use: no fault, and not counted
│   ├── BadResponse   what came is no HTTP/1.1, or not what was asked for
│   └── ServerError   5xx
├── Refused           any other answer that is an error: it names the status and S3's code
└── BreakerOpen       not even tried

The text is what a client may see and names no host. `detail` is for logs and for who looks after the store.
"""

from __future__ import annotations

from gateway.errors import DiskFull, StoreUnavailable

NOT_ANSWERING = "The store does not answer."


class UpstreamError(StoreUnavailable):
    """The root of what is raised here."""

    def __init__(self, detail: str, message: str = NOT_ANSWERING) -> None:
        super().__init__(message)
        self.detail = detail
        self.add_note(detail)


class Failed(UpstreamError):
    pass


class Broken(Failed):
    """`reused`: the connection had served before, so the service may just have closed an idle one."""

    def __init__(self, detail: str, *, reused: bool = False) -> None:
        super().__init__(detail)
        self.reused = reused


class TimedOut(Failed):
    pass


class Busy(Failed):
    pass


class BadResponse(Failed):
    """Hostile, garbled or contradictory."""


class ServerError(Failed):
    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code


class Refused(UpstreamError):
    """`code` is S3's error code, empty where the answer had none."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail, "The store refused the request.")
        self.status = status
        self.code = code


class BreakerOpen(UpstreamError):
    pass


FULL_CODES = frozenset({"XMinioStorageFull", "InsufficientStorage", "QuotaExceeded", "XMinioAdminBucketQuotaExceeded"})


def from_answer(operation: str, status: int, code: str, text: str) -> UpstreamError | DiskFull:
    """The fact behind an answer that is no success."""
    detail = f"{operation}: {status} {code or 'without a code'}" + (f" ({text})" if text else "")
    if status == 507 or code in FULL_CODES:
        return DiskFull("The store has no space left.")
    if status >= 500:
        return ServerError(status, code, detail)
    return Refused(status, code, detail)
