"""Whether a cron expression can be read: five fields (six with seconds), nicknames, names, ranges, steps, `L`."""

from __future__ import annotations

import re

NICKNAMES = frozenset({"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"})
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_FIELDS = (
    ("second", 0, 59),
    ("minute", 0, 59),
    ("hour", 0, 23),
    ("day of month", 1, 31),
    ("month", 1, 12),
    ("day of week", 0, 7),
)
_ITEM = re.compile(r"(?P<start>\*|\?|[A-Z0-9]+)(?:-(?P<end>[A-Z0-9]+))?(?:/(?P<step>\d+))?$")


def cron_fault(text: str, *, with_seconds: bool = False) -> str | None:
    """What is wrong with a cron expression, or None; one that holds a template is judged when it is rendered."""
    if "{{" in text or text.strip().lower() in NICKNAMES:
        return None
    parts = text.split()
    wanted = 6 if with_seconds else 5
    if len(parts) != wanted:
        return f"expected {wanted} fields, found {len(parts)}"
    for part, (name, least, most) in zip(parts, _FIELDS[6 - wanted :], strict=True):
        fault = _field_fault(part.upper(), name, least, most)
        if fault is not None:
            return fault
    return None


def _field_fault(part: str, name: str, least: int, most: int) -> str | None:
    for item in part.split(","):
        if _special(item, name):
            continue
        match = _ITEM.match(item)
        if match is None:
            return f"`{item}` is no {name}"
        for bound in (match["start"], match["end"]):
            number = _number(bound, name)
            if bound not in (None, "*", "?") and (number is None or not least <= number <= most):
                return f"`{bound}` is no {name}, expected {least} to {most}"
        if match["step"] is not None and int(match["step"]) == 0:
            return f"the step of `{item}` must be more than 0"
    return None


def _special(item: str, name: str) -> bool:
    if name == "day of month":
        return re.fullmatch(r"L(-\d+)?|LW|\d+W", item) is not None
    return name == "day of week" and re.fullmatch(r"[A-Z0-9]+(L|#[1-5])", item) is not None


def _number(text: str | None, name: str) -> int | None:
    if text is None:
        return None
    if text.isdigit():
        return int(text)
    names = _MONTHS if name == "month" else _DAYS if name == "day of week" else ()
    offset = 1 if name == "month" else 0
    return names.index(text) + offset if text in names else None
