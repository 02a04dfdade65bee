"""How a submitted text, a default or a rendered value becomes a typed input or output (engine.md 6.1).

`coerce` makes the value, `check` holds it against the input's own rules. Both refuse with the words of engine.md 6.3.
Nothing here touches files, keys or templates: FILE and SECRET are handled by whoever stores them.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from penstock.errors import BadRequest, FlowInvalid
from penstock.model.duration import format_duration, parse_duration

INT_RANGE: Final = range(-(2**31), 2**31)
_INTEGER = re.compile(r"[+-]?\d+")
_FLOAT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?[fFdD]?|[+-]?Infinity|NaN")
_INSTANT = re.compile(
    r"(?P<date>\d{4}-\d{2}-\d{2})[Tt](?P<time>\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?)(?P<zone>[Zz]|[+-]\d{2}:?\d{2})"
)
_TIME = re.compile(r"\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:.+", re.DOTALL)
_EMAIL = re.compile(r"([A-Za-z0-9_!#$%&’*+/=?`{|}~^.-]+@[a-zA-Z0-9.-]+)?")


class Refused(ValueError):
    """A value that its declared type does not take; the text is the `Cause:` of the message users see."""


def coerce(kind: str, value: object, *, item_type: str | None = None) -> object:
    """`value` as the declared type `kind` (`INT`, `DATE` …); texts are parsed, typed values kept when they fit.

    `item_type` is the type of the elements of an ARRAY or MULTISELECT. A null is null for every type.

    Raises:
        Refused: the value cannot be read as that type.
    """
    if value is None:
        return None
    coercion = _COERCIONS.get(kind)
    if coercion is not None:
        return coercion(value)
    if kind in ("ARRAY", "MULTISELECT"):
        return _items(value, item_type)
    return _text(value)


def text_of(value: object) -> str:
    """`value` as a template prints it: texts as they are, booleans in lower case, maps and lists as JSON."""
    return _text(value)


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return instant_text(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, Mapping | Sequence) and not isinstance(value, bytes):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_text)
    return value.decode() if isinstance(value, bytes) else str(value)


def _parse_failure(message: str) -> Refused:
    return Refused(f" errors:\n```\n{message}\n```")


def _integer(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return _in_range(value)
    text = _text(value)
    if not _INTEGER.fullmatch(text):
        raise _parse_failure(f'For input string: "{text}"')
    return _in_range(int(text))


def _in_range(number: int) -> int:
    if number not in INT_RANGE:
        raise _parse_failure(f'For input string: "{number}" (expected a 32-bit integer)')
    return number


def _float(value: object) -> float | int:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    text = _text(value).strip()
    if not _FLOAT.fullmatch(text):
        raise _parse_failure(f'For input string: "{text}"' if text else "empty String")
    return float(text.rstrip("fFdD"))


def _boolean(value: object) -> bool:
    """`true` in any case is true and everything else is false, Kestra's rule."""
    return value if isinstance(value, bool) else _text(value).lower() == "true"


def parse_instant(text: str) -> datetime:
    """The moment of an ISO text with a zone (`2019-10-06T18:27:49Z`); digits beyond microseconds are dropped.

    Raises:
        ValueError: it is none.
    """
    found = _INSTANT.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"Text '{text}' could not be parsed: expected an instant such as 2024-01-31T10:15:30Z")
    clock = re.sub(r"(\.\d{6})\d+", r"\1", found["time"])
    return datetime.fromisoformat(f"{found['date']}T{clock}{found['zone'].upper()}").astimezone(UTC)


def instant_text(moment: datetime) -> str:
    """A moment as Java prints an `Instant`: UTC with `Z`, fraction of three or six digits only when there is one."""
    utc = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    text = utc.strftime("%Y-%m-%dT%H:%M:%S")
    if not utc.microsecond:
        return text + "Z"
    fraction = f"{utc.microsecond:06d}"
    return f"{text}.{fraction[:3] if fraction.endswith('000') else fraction}Z"


def _instant(value: object) -> str:
    if isinstance(value, datetime):
        return instant_text(value)
    try:
        return instant_text(parse_instant(_text(value)))
    except ValueError as fault:
        raise _parse_failure(str(fault)) from fault


def parse_date(text: str) -> date:
    """The day of `2024-01-31`. Raises ValueError."""
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        raise ValueError(f"Text '{text}' could not be parsed: expected a date such as 2024-01-31")
    return date.fromisoformat(text)


def _date(value: object) -> str:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    try:
        return parse_date(_text(value)).isoformat()
    except ValueError as fault:
        raise _parse_failure(str(fault)) from fault


def parse_time(text: str) -> time:
    """The time of `10:15:30`. Raises ValueError."""
    if not _TIME.fullmatch(text):
        raise ValueError(f"Text '{text}' could not be parsed: expected a time such as 10:15:30")
    return time.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))


def _time(value: object) -> str:
    if isinstance(value, time):
        return value.isoformat()
    try:
        return parse_time(_text(value)).isoformat()
    except ValueError as fault:
        raise _parse_failure(str(fault)) from fault


def _duration(value: object) -> str:
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return format_duration(timedelta(seconds=value))
    try:
        return format_duration(parse_duration(_text(value)))
    except ValueError as fault:
        raise _parse_failure("Text cannot be parsed to a Duration") from fault


def _json(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError as fault:
        raise _parse_failure(str(fault)) from fault


def _yaml(value: object) -> object:
    if not isinstance(value, str):
        return value
    from penstock.definition import load_yaml

    try:
        return load_yaml(value)
    except FlowInvalid as fault:
        raise _parse_failure("\n".join(str(problem) for problem in fault.problems)) from fault


def _ion(value: object) -> object:
    if not isinstance(value, str):
        return value
    from penstock.plugin.rows import read_ion

    try:
        rows = list(read_ion(io.BytesIO(value.encode())))
    except BadRequest as fault:
        raise _parse_failure(str(fault)) from fault
    return rows[0] if len(rows) == 1 else rows


def _uri(value: object) -> str:
    text = _text(value)
    if not _SCHEME.fullmatch(text):
        raise Refused("Invalid URI format.")
    return text


def _email(value: object) -> str:
    text = _text(value)
    if not _EMAIL.fullmatch(text):
        raise Refused("The input must be a valid email")
    return text


def _items(value: object, item_type: str | None) -> list[object]:
    if isinstance(value, str):
        value = _json(value)
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        raise _parse_failure(f"expected a JSON array, found `{_text(value)}`")
    return [_item(item, item_type) for item in value]


def _item(item: object, item_type: str | None) -> object:
    if item_type is None:
        return item
    try:
        return coerce(item_type, item)
    except Refused as fault:
        raise Refused(f"Unable to parse array element as `{item_type}` on `{_text(item)}`") from fault


_COERCIONS: Final[Mapping[str, Callable[[object], object]]] = {
    "INT": _integer,
    "FLOAT": _float,
    "BOOL": _boolean,
    "BOOLEAN": _boolean,
    "DATETIME": _instant,
    "DATE": _date,
    "TIME": _time,
    "DURATION": _duration,
    "JSON": _json,
    "YAML": _yaml,
    "ION": _ion,
    "URI": _uri,
    "EMAIL": _email,
}
