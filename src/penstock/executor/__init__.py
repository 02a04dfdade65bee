"""Commands in, steps of the engine, one commit per batch, and what the commit allows out again.

The room knows the engine, the ports and the catalog; no HTTP, no plugin. One thread steps and commits: it is the only writer of
executions, so nothing needs a lock, and nothing leaves before the commit that justifies it.
"""

from penstock.executor.executor import Executor, Parts
from penstock.executor.feed import LocalFeed
from penstock.executor.outputs import OutputKeeper

__all__ = ["Executor", "LocalFeed", "OutputKeeper", "Parts"]
