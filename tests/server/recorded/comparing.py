"""Recorded answers beside ours: ids, instants and durations may differ, members beyond the recorded ones must be known.

An id is bound to ours where it is first seen and must be that one from then on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

ID = re.compile(r"[0-9A-Za-z]{20,22}$")
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?$")
DURATION = re.compile(r"PT?[\dDHMS.]+$")
EPOCH = frozenset({"lastModifiedTime", "creationTime", "size"})
VARYING = frozenset({"workerId", "thread", "uuid", "url", "operationId", "pluginsHash", "User-Agent", "Host"})

SUPERSET = frozenset({
    "tenantId", "deleted", "metadata", "executionId", "namespace", "flowId", "updated", "source", "inputs", "url",
    "draft", "outputs",
    "originalId", "variables", "type", "title", "status", "detail", "instance", "errors", "count", "revision", "labels",
    "nextExecutionDate", "updatedAt", "nextEvaluationDate", "lastTriggeredDate", "locked", "kind", "date", "state",
    "trigger", "evaluatedAt", "renderError", "checks", "lastModified", "flowables",
})  # fmt: skip
"""Members that we may send where Kestra's answer has none: those of the other generation (api.md 8 and 12)."""


@dataclass(slots=True)
class Comparing:
    """Differences of answers, with the ids of the recording bound to ours."""

    ids: dict[str, str] = field(default_factory=dict)

    def bind(self, recorded: str, ours: str) -> None:
        self.ids[recorded] = ours

    def ours(self, text: str) -> str:
        """Text with the ids of the recording replaced by ours."""
        for recorded, bound in self.ids.items():
            text = text.replace(recorded, bound)
        return text

    def differences(self, recorded: object, ours: object, path: str = "") -> Iterator[str]:
        """What differs, as `path: what`."""
        name = path.rpartition(".")[2]
        if name in VARYING or name in EPOCH:
            if type(recorded) is not type(ours):
                yield f"{path}: {recorded!r} is {ours!r}"
        elif isinstance(recorded, Mapping):
            yield from self._of_map(recorded, ours, path)
        elif isinstance(recorded, list):
            yield from self._of_list(recorded, ours, path)
        elif isinstance(recorded, str) and isinstance(ours, str):
            yield from self._of_text(recorded, ours, path)
        elif recorded != ours or isinstance(recorded, bool) is not isinstance(ours, bool):
            yield f"{path}: {recorded!r} is {ours!r}"

    def _of_map(self, recorded: Mapping[str, object], ours: object, path: str) -> Iterator[str]:
        if not isinstance(ours, Mapping):
            yield f"{path}: a map is {ours!r}"
            return
        for name, value in recorded.items():
            if name in ours:
                yield from self.differences(value, ours[name], f"{path}.{name}")
            elif value is not None:
                yield f"{path}.{name}: missing, recorded {value!r}"
        for name in ours:
            if name not in recorded and name not in SUPERSET:
                yield f"{path}.{name}: not recorded, ours {ours[name]!r}"

    def _of_list(self, recorded: list[object], ours: object, path: str) -> Iterator[str]:
        if not isinstance(ours, list):
            yield f"{path}: a list is {ours!r}"
            return
        if path.endswith("histories"):
            was, now = [h["state"] for h in recorded], [h["state"] for h in ours]
            if was != now:
                yield f"{path}: {was} is {now}"
            return
        if len(recorded) != len(ours):
            yield f"{path}: {len(recorded)} entries are {len(ours)}"
        for index, (was, now) in enumerate(zip(recorded, ours, strict=False)):
            yield from self.differences(was, now, f"{path}[{index}]")

    def _of_text(self, recorded: str, ours: str, path: str) -> Iterator[str]:
        if ID.match(recorded) and ID.match(ours):
            if self.ids.setdefault(recorded, ours) != ours:
                yield f"{path}: another id than before"
        elif any(p.match(recorded) and p.match(ours) for p in (INSTANT, DURATION)):
            return
        elif self.ours(recorded) != ours:
            yield f"{path}: {recorded!r} is {ours!r}"
