"""Small parts of a flow that several of its records share: labels, declared outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

from penstock.model.authored import Authored, Free


class AuthoredLabel(Authored):
    """A label as written: its value may hold a template."""

    key: str
    value: str


def _label_list(value: object) -> object:
    """Labels may be a map or a list of `{key, value}`; either way a list comes out."""
    if isinstance(value, Mapping):
        return [{"key": str(k), "value": _text(v)} for k, v in value.items()]
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [dict(v, value=_text(v.get("value"))) if isinstance(v, Mapping) else v for v in value]
    return value or []


def _text(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if value is None or isinstance(value, str) else str(value)


_VALUE = {"type": ["string", "number", "boolean"]}
_WRITTEN = {
    "anyOf": [
        {"type": "object", "additionalProperties": _VALUE},
        {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["key", "value"],
                "additionalProperties": False,
                "properties": {"key": {"type": "string"}, "value": _VALUE},
            },
        },
    ]
}

Labels = Annotated[list[AuthoredLabel], BeforeValidator(_label_list), WithJsonSchema(_WRITTEN, mode="validation")]
"""Labels of a flow, a trigger or a task."""


class FlowOutput(Authored):
    """An output of a flow, or of each iteration of a Loop."""

    id: str
    type: str | None = None
    value: Free
    description: str | None = None
    display_name: str | None = None
    required: bool | None = None
    item_type: str | None = None
