"""HTTP in, answers out: Kestra's REST API over the catalog and the ports.

Handlers turn requests into questions and commands and records into Kestra's JSON. The room knows no store, no scheduler
and no engine but its commands; what it needs is handed in as `Services`.
"""

from penstock.server.application import create_app
from penstock.server.services import Services

__all__ = ["Services", "create_app"]
