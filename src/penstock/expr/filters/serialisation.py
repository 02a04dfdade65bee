"""Filters that write values as JSON, Ion or YAML, and `jq`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.expr.errors import EvaluationError, preview
from penstock.expr.filters.table import FILTERS
from penstock.expr.json_text import json_text, parse_json, plain
from penstock.expr.registry import given
from penstock.expr.text import java_text
from penstock.expr.values import is_map, type_name

if TYPE_CHECKING:
    from penstock.expr.frame import Frame


@FILTERS.add("toJson json")
def to_json(frame: Frame, value: object) -> object:
    """Compact JSON; `json` is the deprecated name of 1.x."""
    return json_text(frame, value)


@FILTERS.add("toIon")
def to_ion(frame: Frame, value: object) -> object:
    """Ion text."""
    from penstock.expr.ion_text import ion_text

    return ion_text(frame, value)


@FILTERS.add("yaml")
def to_yaml(frame: Frame, value: object) -> object:
    """YAML text; null is the text `null` without a line break."""
    from penstock.expr.yaml_text import yaml_text

    return "null" if value is None else yaml_text(frame, value)


@FILTERS.add("jq", "expression")
def jq(frame: Frame, value: object, program: object) -> object:
    """The list of a jq program's outputs for the value, or for the JSON a text holds."""
    from penstock.expr.jq import run

    if not given(program):
        raise EvaluationError("The 'jq' filter expects an argument 'expression'.")
    if value is None:
        return None
    return run(frame, java_text(frame, program), _input(frame, value))


def _input(frame: Frame, value: object) -> object:
    if isinstance(value, str):
        try:
            return parse_json(value)
        except ValueError as error:
            raise EvaluationError(
                f"Unable to parse jq value {preview(value)} with type '{type_name(value)}'", hint=str(error)
            ) from error
    if type(value) is list or is_map(value):
        return plain(frame, value)
    raise EvaluationError(f"Unable to parse jq value {preview(value)} with type '{type_name(value)}'")
