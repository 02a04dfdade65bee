"""The line protocol of scripts: a line `::{json}::` is no log line but carries outputs, metrics or log entries."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta

from penstock.model.duration import parse_duration
from penstock.model.task import LogLevel
from penstock.plugin.context import RunContext

DEBUG_MARK = "##kestra:log:debug##"
INFO_MARK = "##kestra:log:info##"


class ScriptLines:
    """Takes the lines of a process: logs them, and gathers what `::{…}::` lines carry in `variables`."""

    def __init__(self, ctx: RunContext) -> None:
        self._ctx = ctx
        self._stdout_level = LogLevel.INFO
        self.variables: dict[str, object] = {}
        self.stderr_lines = 0

    def take(self, line: str, is_stderr: bool) -> None:
        """One line without its end: stderr is logged at ERROR, stdout at INFO (DEBUG inside `beforeCommands`)."""
        if is_stderr:
            self.stderr_lines += 1
            self._ctx.logger.log(LogLevel.ERROR, line)
        elif line in (DEBUG_MARK, INFO_MARK):
            self._stdout_level = LogLevel.DEBUG if line == DEBUG_MARK else LogLevel.INFO
        elif not self._message(line):
            self._ctx.logger.log(self._stdout_level, line)

    def _message(self, line: str) -> bool:
        """Whether the line is a message; one whose JSON is broken only warns."""
        text = line.strip()
        if len(text) < 6 or not text.startswith("::{") or not text.endswith("}::"):
            return False
        try:
            found = json.loads(text[2:-2])
        except json.JSONDecodeError as problem:
            self._ctx.logger.warn(f"Invalid outputs '{text}': {problem}")
            return True
        self._take_message(found)
        return True

    def _take_message(self, found: Mapping[str, object]) -> None:
        outputs = found.get("outputs")
        if isinstance(outputs, Mapping):
            self.variables.update({str(name): value for name, value in outputs.items()})
        for entry in _maps(found.get("metrics")):
            self._metric(entry)
        for entry in _maps(found.get("logs")):
            self._ctx.logger.log(_level(entry.get("level")), str(entry.get("message", "")))

    def _metric(self, entry: Mapping[str, object]) -> None:
        name, kind, value = str(entry.get("name", "")), str(entry.get("type", "")).lower(), entry.get("value")
        found = entry.get("tags")
        tags = {str(k): str(v) for k, v in found.items()} if isinstance(found, Mapping) else {}
        try:
            if kind == "counter":
                self._ctx.metrics.counter(name, _number(value), **tags)
            elif kind == "gauge":
                self._ctx.metrics.gauge(name, _number(value), **tags)
            elif kind == "timer":
                self._ctx.metrics.timer(name, _length(value), **tags)
            else:
                raise ValueError(f"expected counter, timer or gauge, found {kind!r}")
        except ValueError as problem:
            self._ctx.logger.warn(f"Invalid metric '{json.dumps(entry)}': {problem}")


def _maps(value: object) -> list[Mapping[str, object]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _number(value: object) -> float:
    if isinstance(value, (int, float)):
        return float(value)
    return float(str(value))


def _length(value: object) -> timedelta:
    """A timer's value: an ISO 8601 duration, or seconds."""
    if isinstance(value, (int, float)):
        return timedelta(seconds=value)
    text = str(value)
    return parse_duration(text) if text.upper().lstrip("+-").startswith("P") else timedelta(seconds=float(text))


def _level(value: object) -> LogLevel:
    name = str(value or "INFO").upper()
    return LogLevel(name) if name in LogLevel.__members__ else LogLevel.INFO
