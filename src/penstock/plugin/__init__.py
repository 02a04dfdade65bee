"""The public API for plugin authors.

In: a package's own classes (a `RunnableTask`, a trigger, a task runner, a condition), typed by pydantic properties.
Out: what the worker needs to run them and what the definition room needs to check flows. The room shows a task the
system only through Protocols (`RunContext`, `RunPlatform`); it does not know the worker, the stores or the engine.
"""

from penstock.errors import TaskFailed
from penstock.model.authored import Authored, Dynamic, Free
from penstock.model.conditions import Condition
from penstock.model.triggers import Trigger
from penstock.plugin.context import Data, RunContext, RunLogger, RunMetrics, RunStorage, WorkingDirectory
from penstock.plugin.dynamic_run import DynamicRun
from penstock.plugin.platform import RunPlatform
from penstock.plugin.registry import PluginRegistry, TypeIndex, installed
from penstock.plugin.runner import AnyTaskRunner, Command, Ran, TaskRunner
from penstock.plugin.task import Ended, Output, Outputs, Returned, RunnableTask, outputs_map, plain
from penstock.plugin.trigger import PollingTrigger, RealtimeTrigger

__all__ = [
    "AnyTaskRunner",
    "Authored",
    "Command",
    "Condition",
    "Data",
    "Dynamic",
    "DynamicRun",
    "Ended",
    "Free",
    "Output",
    "Outputs",
    "PluginRegistry",
    "PollingTrigger",
    "Ran",
    "RealtimeTrigger",
    "Returned",
    "RunContext",
    "RunLogger",
    "RunMetrics",
    "RunPlatform",
    "RunStorage",
    "RunnableTask",
    "TaskFailed",
    "TaskRunner",
    "Trigger",
    "TypeIndex",
    "WorkingDirectory",
    "installed",
    "outputs_map",
    "plain",
]
