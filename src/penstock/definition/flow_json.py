"""A flow as Kestra's API shows it: its document as written, normalised where Kestra's own JSON is.

Labels are a list of `{key, value}`, inputs carry the properties that always apply (`required: true`), what is null is left
out, and a default is the text that it would be as a template, as Kestra keeps properties that may hold one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from penstock.definition.parse import ParsedFlow
from penstock.model.inputs import Input

_DATA = frozenset({"variables", "values"})
"""Properties whose content is the author's own, nulls too."""


def flow_json(parsed: ParsedFlow, *, draft: bool = False) -> dict[str, object]:
    """The JSON of a valid flow, without what only its row knows (tenant, revision, when it was written)."""
    flow = parsed.flow
    shown = {name: _without_nulls(value, name) for name, value in parsed.document.items() if value is not None}
    shown.pop("labels", None)
    if flow.labels:
        shown["labels"] = [{"key": label.key, "value": label.value} for label in flow.labels]
    if flow.inputs:
        shown["inputs"] = [_input(one) for one in flow.inputs]
    return {**shown, "disabled": flow.disabled, "deleted": False, "draft": draft}


def _input(one: Input) -> dict[str, object]:
    shown = one.model_dump(mode="json", by_alias=True, exclude_none=True)
    for name in ("defaults", "prefill"):
        if name in shown:
            shown[name] = _as_text(shown[name])
    return shown


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _without_nulls(value: object, name: str) -> object:
    """A value without the null properties of its plugins; maps that are no plugin's keep theirs."""
    if name in _DATA:
        return value
    if isinstance(value, list):
        return [_without_nulls(inner, "") for inner in value]
    if not isinstance(value, Mapping):
        return value
    plugin = isinstance(value.get("type"), str)
    return {k: _without_nulls(v, str(k)) for k, v in value.items() if not (plugin and v is None)}
