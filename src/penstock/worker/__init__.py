"""The worker: takes jobs, renders and runs their tasks, reports what came of them.

In: jobs, and the answers of the platform and of internal storage. Out: starts, ends, log lines, metrics, task runs of
its own making. It knows no database and no engine: what an end means (a retry, an allowed failure) is decided
elsewhere.
"""

from penstock.worker.equipment import Equipment, WorkerSettings
from penstock.worker.queue import LocalQueue
from penstock.worker.trigger_runner import TriggerPlace, TriggerRunner
from penstock.worker.worker import Worker

__all__ = ["Equipment", "LocalQueue", "TriggerPlace", "TriggerRunner", "Worker", "WorkerSettings"]
