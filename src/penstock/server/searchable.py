"""What each kind of thing can be searched by: fields, operations, and the flat parameters of older clients (api.md 5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

_SAME = ("EQUALS", "NOT_EQUALS")
_LISTS = (*_SAME, "IN", "NOT_IN")
_NULLS = ("IS_NULL", "IS_NOT_NULL")
_NAMES = (*_LISTS, "CONTAINS", "NOT_CONTAINS", "STARTS_WITH", "ENDS_WITH", "REGEX", "PREFIX", *_NULLS)
_IDS = (*_LISTS, "CONTAINS", "NOT_CONTAINS", "STARTS_WITH", "ENDS_WITH", *_NULLS)
_LABELS = (*_LISTS, "CONTAINS", "NOT_CONTAINS")
_STATES = (*_LISTS, *_NULLS)
_DATES = (
    *_SAME, "GREATER_THAN", "LESS_THAN", "GREATER_THAN_OR_EQUAL_TO", "LESS_THAN_OR_EQUAL_TO", *_NULLS,
)  # fmt: skip

OPERATIONS = frozenset({*_NAMES, *_IDS, *_LABELS, *_STATES, *_DATES})

FIELDS: Mapping[str, tuple[str, ...]] = {
    "attemptNumber": _DATES, "childFilter": _SAME, "metadata": _LABELS, "triggerState": _SAME, "endDate": _DATES,
    "parentPath": (*_SAME, "STARTS_WITH"), "source": _IDS, "type": _NAMES, "taskRunId": _IDS,
    "path": (*_LISTS, "STARTS_WITH"), "flowRevision": (*_DATES, *_LISTS), "id": _NAMES, "state": _STATES,
    "locked": _SAME, "timeRange": ("EQUALS",), "workerId": _IDS,
    "level": ("GREATER_THAN_OR_EQUAL_TO", "LESS_THAN_OR_EQUAL_TO", "IN", "NOT_IN", *_SAME),
    "kind": _STATES, "created": _DATES, "triggerId": _IDS, "version": _SAME, "labels": _LABELS, "tags": _NAMES,
    "executionId": _IDS, "updated": _DATES, "startDate": _DATES, "nextExecutionDate": _DATES,
    "triggerExecutionId": _IDS, "assetId": _NAMES, "scope": _LISTS, "flowId": _NAMES, "parentId": _IDS, "q": _SAME,
    "existingOnly": _SAME, "namespace": _NAMES, "lastTriggeredDate": _DATES, "taskId": _IDS,
}  # fmt: skip
"""Every field of Kestra's open-source resources, by its wire name, with the operations it has."""


@dataclass(frozen=True, slots=True)
class Searchable:
    """A kind of thing that is searched.

    time: the field that `timeRange` is about. legacy: flat parameter -> `field` or `field:OPERATION` to read it as.
    renamed: wire name -> the name that the store has for it.
    """

    name: str
    fields: frozenset[str]
    time: str | None = None
    legacy: Mapping[str, str] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)


FLOWS = Searchable(
    "flows",
    frozenset({"labels", "namespace", "q", "scope", "flowId", "id", "updated"}),
    legacy={"namespace": "namespace:PREFIX", "q": "q", "labels": "labels"},
)
EXECUTIONS = Searchable(
    "executions",
    frozenset({
        "q", "scope", "flowId", "namespace", "startDate", "endDate", "timeRange", "state", "labels", "kind", "id",
        "triggerExecutionId", "childFilter", "parentId", "taskId", "triggerId", "executionId", "flowRevision",
    }),
    time="startDate",
    legacy={
        "namespace": "namespace:PREFIX", "flowId": "flowId", "state": "state", "q": "q", "labels": "labels",
        "triggerExecutionId": "triggerExecutionId", "timeRange": "timeRange", "childFilter": "childFilter",
        "startDate": "startDate:GREATER_THAN_OR_EQUAL_TO", "endDate": "endDate:LESS_THAN_OR_EQUAL_TO",
    },
)  # fmt: skip
LOGS = Searchable(
    "logs",
    frozenset({
        "q", "scope", "namespace", "startDate", "endDate", "timeRange", "flowId", "triggerId", "level", "executionId",
        "taskId", "taskRunId", "attemptNumber", "kind",
    }),
    time="startDate",
    legacy={
        "minLevel": "level:GREATER_THAN_OR_EQUAL_TO", "taskRunId": "taskRunId", "taskId": "taskId", "q": "q",
        "attempt": "attemptNumber", "namespace": "namespace:PREFIX", "flowId": "flowId", "triggerId": "triggerId",
        "startDate": "startDate:GREATER_THAN_OR_EQUAL_TO", "endDate": "endDate:LESS_THAN_OR_EQUAL_TO",
    },
)  # fmt: skip
TRIGGERS = Searchable(
    "triggers",
    frozenset({
        "q", "scope", "namespace", "workerId", "flowId", "startDate", "endDate", "timeRange", "triggerId", "kind",
        "triggerState", "lastTriggeredDate", "nextExecutionDate", "executionId", "locked",
    }),
    time="lastTriggeredDate",
    legacy={"namespace": "namespace:PREFIX", "flowId": "flowId", "q": "q"},
)  # fmt: skip
EVALUATIONS = Searchable(
    "trigger evaluations",
    frozenset({"namespace", "flowId", "triggerId", "startDate", "endDate", "timeRange", "executionId", "state"}),
    time="startDate",
    legacy={"namespace": "namespace:PREFIX", "flowId": "flowId"},
    renamed={"startDate": "at", "endDate": "at", "state": "outcome"},
)
NAMESPACES = Searchable("namespaces", frozenset({"existingOnly", "q", "namespace"}), legacy={"q": "q"})
KEYS = Searchable("keys", frozenset({"q", "namespace", "updated"}))
SECRETS = Searchable("secrets", frozenset({"q", "namespace", "updated", "tags"}))
