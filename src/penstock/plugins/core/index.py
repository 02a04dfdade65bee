"""Type names of the family, and where their classes are."""

from __future__ import annotations

_CORE = "io.kestra.plugin.core."
_OLD = "io.kestra.core.tasks."

TYPES = {
    _CORE + "debug.Echo": ".debug:Echo",
    _CORE + "debug.Return": ".debug:Return",
    _CORE + "execution.Assert": ".execution:Assert",
    _CORE + "execution.Fail": ".execution:Fail",
    _CORE + "flow.Sleep": ".flow:Sleep",
    _CORE + "http.Download": ".http:Download",
    _CORE + "http.Request": ".http:Request",
    _CORE + "http.SseRequest": ".http:SseRequest",
    _CORE + "http.Trigger": ".http:Trigger",
    _CORE + "log.Log": ".log:Log",
    _CORE + "output.OutputValues": ".output:OutputValues",
    _CORE + "runner.Process": ".runner:Process",
}

ALIASES = {
    "io.kestra.plugin.fs.http.Download": _CORE + "http.Download",
    "io.kestra.plugin.fs.http.Request": _CORE + "http.Request",
    "io.kestra.plugin.fs.http.Trigger": _CORE + "http.Trigger",
    "io.kestra.core.models.tasks.runners.types.ProcessTaskRunner": _CORE + "runner.Process",
    _OLD + "debugs.Echo": _CORE + "debug.Echo",
    _OLD + "debugs.Return": _CORE + "debug.Return",
    _OLD + "executions.Fail": _CORE + "execution.Fail",
    _OLD + "log.Log": _CORE + "log.Log",
}
