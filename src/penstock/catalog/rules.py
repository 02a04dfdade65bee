"""The rules an input declares for its values (`min`, `after`, `validator`, `values` …) and the words of refusal.

All bounds are inclusive: a value equal to its bound passes (engine.md 6.3).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Final, cast

from penstock.catalog.coercion import Refused, parse_date, parse_instant, parse_time, text_of
from penstock.errors import MissingExtra
from penstock.model.duration import parse_duration


def check(kind: str, value: object, *, rules: Mapping[str, object], choices: Sequence[str] | None = None) -> None:
    """Holds a typed value against the rules of its input.

    `rules` are the input's own properties by Python name (`min`, `after`, `validator`, `allow_custom_value` …),
    `choices` the values of a SELECT, ENUM or MULTISELECT.

    Raises:
        Refused: a rule is broken.
    """
    if value is None:
        return
    rule = _RULES.get(kind)
    if rule is not None:
        rule(value, rules)
    if choices is not None and not rules.get("allow_custom_value"):
        _choices(kind, value, choices)


def check_file(name: str, rules: Mapping[str, object]) -> None:
    """Refuses a file whose name has none of the allowed extensions. Raises Refused."""
    allowed = rules.get("allowed_file_extensions") or rules.get("accept")
    if not isinstance(allowed, Sequence) or isinstance(allowed, str) or not allowed:
        return
    extensions = [text_of(extension) for extension in allowed]
    suffix = PurePosixPath(name).suffix.lower()
    if suffix not in {("." + extension.lower().lstrip(".")) for extension in extensions}:
        raise Refused(f"File type not allowed. Accepted extensions: {', '.join(extensions)}")


def _choices(kind: str, value: object, choices: Sequence[str]) -> None:
    listed = ", ".join(choices)
    if kind == "MULTISELECT":
        assert isinstance(value, Sequence)
        for item in value:
            if text_of(item) not in choices:
                raise Refused(f"value `{text_of(item)}` doesn't match the values `[{listed}]`")
    elif text_of(value) not in choices:
        raise Refused(f"it must match the values `[{listed}]`")


def _bounds(value: object, rules: Mapping[str, object]) -> None:
    assert isinstance(value, int | float)
    low, high = rules.get("min"), rules.get("max")
    if isinstance(low, int | float) and value < low:
        raise Refused(f"it must be more than `{low}`")
    if isinstance(high, int | float) and value > high:
        raise Refused(f"it must be less than `{high}`")


def _between(read: Callable[[str], object]) -> Callable[[object, Mapping[str, object]], None]:
    """A check of `after` and `before` for texts that `read` makes comparable."""

    def run(value: object, rules: Mapping[str, object]) -> None:
        after, before = rules.get("after"), rules.get("before")
        present = read(text_of(value))
        if after is not None and present < read(text_of(after)):  # pyright: ignore[reportOperatorIssue]
            raise Refused(f"it must be after `{text_of(after)}`")
        if before is not None and present > read(text_of(before)):  # pyright: ignore[reportOperatorIssue]
            raise Refused(f"it must be before `{text_of(before)}`")

    return run


def _duration(value: object, rules: Mapping[str, object]) -> None:
    present = parse_duration(text_of(value))
    low, high = rules.get("min"), rules.get("max")
    if low is not None and present < parse_duration(text_of(low)):
        raise Refused(f"It must be more than `{text_of(low)}`")
    if high is not None and present > parse_duration(text_of(high)):
        raise Refused(f"It must be less than `{text_of(high)}`")


def _pattern(value: object, rules: Mapping[str, object]) -> None:
    pattern = rules.get("validator")
    if isinstance(pattern, str) and not compiled(pattern).fullmatch(text_of(value)):
        raise Refused(f"it must match the pattern `{pattern}`")


@lru_cache(maxsize=500)
def compiled(pattern: str) -> re.Pattern[str]:
    """A validator's pattern, compiled. Raises Refused when it is none."""
    try:
        return re.compile(pattern)
    except re.error as fault:
        raise Refused(f"invalid pattern [{pattern}]: {fault}") from fault


def _schema(value: object, rules: Mapping[str, object]) -> None:
    schema = rules.get("json_schema")
    if schema is None:
        return
    try:
        from jsonschema import Draft202012Validator
    except ImportError as fault:
        raise MissingExtra("The property `jsonSchema` of a JSON input", "jsonschema") from fault
    wanted = cast("dict[str, object]", json.loads(schema) if isinstance(schema, str) else schema)
    found = Draft202012Validator(wanted).iter_errors(cast("str", value))
    problems = sorted(found, key=lambda fault: [str(part) for part in fault.absolute_path])
    if problems:
        raise Refused("it must match the json schema: " + ", ".join(f"{p.json_path}: {p.message}" for p in problems))


_RULES: Final[Mapping[str, Callable[[object, Mapping[str, object]], None]]] = {
    "STRING": _pattern,
    "SECRET": _pattern,
    "INT": _bounds,
    "FLOAT": _bounds,
    "DATETIME": _between(parse_instant),
    "DATE": _between(parse_date),
    "TIME": _between(parse_time),
    "DURATION": _duration,
    "JSON": _schema,
}
