"""Sources of flows as texts: split into documents, compared, switched off, and turned into rows."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from penstock.errors import FlowInvalid
from penstock.ports.flows import FlowRow

if TYPE_CHECKING:
    from penstock.definition import ParsedFlow

_SEPARATOR = re.compile(r"^---[ \t]*(?:#.*)?\r?$", re.MULTILINE)
_REVISION = re.compile(r"^revision[ \t]*:.*(?:\r?\n|\Z)", re.MULTILINE)
_DISABLED = re.compile(r"^disabled[ \t]*:[ \t]*[^\r\n#]*", re.MULTILINE)
_SCALAR = r"^{name}[ \t]*:[ \t]*(?:\"([^\"\r\n]*)\"|'([^'\r\n]*)'|([^\s#][^\r\n#]*?))[ \t]*(?:#.*)?\r?$"


def split_documents(text: str) -> list[str]:
    """The documents of a YAML text, separated by `---` lines; empty ones are left out."""
    return [part.strip("\r\n") + "\n" for part in _SEPARATOR.split(text) if part.strip()]


def is_same_source(one: str, other: str) -> bool:
    """Whether two sources say the same, a `revision:` line aside (engine.md 6.8)."""
    return _without_revision(one) == _without_revision(other)


def _without_revision(source: str) -> str:
    return _REVISION.sub("", source)


def set_disabled(source: str, *, disabled: bool) -> str:
    """`source` with its `disabled:` line set; a line is added where there is none. Nothing else changes."""
    line = f"disabled: {'true' if disabled else 'false'}"
    if _DISABLED.search(source):
        return _DISABLED.sub(line, source, count=1)
    if not disabled:
        return source
    return source + ("" if source.endswith("\n") else "\n") + line + "\n"


@dataclass(frozen=True, slots=True)
class Heading:
    """What can be read of a source that does not parse: its top-level scalars, None where they are not there."""

    id: str | None
    namespace: str | None
    revision: int | None


def heading_of(source: str) -> Heading:
    """The id, namespace and revision written at the top level of a source."""
    revision = _scalar(source, "revision")
    return Heading(
        _scalar(source, "id"),
        _scalar(source, "namespace"),
        int(revision) if revision is not None and revision.isdigit() else None,
    )


def _scalar(source: str, name: str) -> str | None:
    found = re.search(_SCALAR.format(name=name), source, re.MULTILINE)
    return next((group for group in found.groups() if group is not None), None) if found else None


def row_of(tenant: str, source: str, parse: Callable[[str], ParsedFlow], *, draft: bool, now: datetime) -> FlowRow:
    """The row of a source, its revision still 0. A draft need not parse, only say its id and namespace.

    Raises:
        FlowInvalid: the source is not valid; for a draft, it has no id or namespace.
    """
    try:
        parsed = parse(source)
    except FlowInvalid as fault:
        head = heading_of(source)
        if not draft or not head.id or not head.namespace:
            raise
        document: dict[str, object] = {"id": head.id, "namespace": head.namespace, "tasks": [], "draft": True}
        return FlowRow(
            tenant_id=tenant,
            namespace=head.namespace,
            id=head.id,
            revision=0,
            source=source,
            document=document,
            updated=now,
            draft=True,
            error=str(fault),
        )
    from penstock.definition.flow_json import flow_json

    flow = parsed.flow
    return FlowRow(
        tenant_id=tenant,
        namespace=flow.namespace,
        id=flow.id,
        revision=0,
        source=source,
        document=flow_json(parsed, draft=draft),
        updated=now,
        labels={label.key: label.value for label in flow.labels or ()},
        disabled=bool(flow.disabled),
        draft=draft,
    )
