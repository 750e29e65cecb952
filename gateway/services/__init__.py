"""Use cases: what the doors, the jobs and the command line do, whatever the protocol."""

from gateway.services.directory import RootCredentials
from gateway.services.services import Services

__all__ = ["RootCredentials", "Services"]
