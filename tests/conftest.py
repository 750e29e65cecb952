"""What all tests share: the real servers, how much hypothesis tries, and where it remembers."""

from __future__ import annotations

import hypothesis
from hypothesis.database import DirectoryBasedExampleDatabase

from tests.servers.fixtures import own_postgresql, postgresql, postgresql_url, run_servers

__all__ = ["own_postgresql", "postgresql", "postgresql_url", "run_servers"]

# Time differs from run to run on a busy machine; a deadline would fail tests for what is no defect.
hypothesis.settings.register_profile(
    "default",
    deadline=None,
    database=DirectoryBasedExampleDatabase(".cache/hypothesis"),
    print_blob=True,
)
# `make test-quick` asks for it: a glance, where `make test` takes a look.
hypothesis.settings.register_profile("quick", hypothesis.settings.get_profile("default"), max_examples=15)
hypothesis.settings.load_profile("default")
