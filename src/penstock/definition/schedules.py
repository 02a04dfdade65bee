"""Whether a cron expression can be read: five fields (six with seconds), nicknames, names, ranges, steps, `L`, `#`.

Which moments it names is the scheduler's business; here only authors are told what is wrong with it.
"""

from __future__ import annotations

from dataclasses import dataclass

NICKNAMES = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()

    def number(self, text: str) -> int | None:
        """The number a bound stands for, None when it is none of this field."""
        if text in self.names:
            return self.names.index(text) + self.low
        number = int(text) if text.isascii() and text.isdigit() else -1
        return number if self.low <= number <= self.high else None


_FIELDS = (
    _Field("second", 0, 59),
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of month", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of week", 0, 7, _DAYS),
)


def cron_fault(text: str, *, with_seconds: bool = False) -> str | None:
    """What is wrong with a cron expression, or None."""
    if text.strip().startswith("@"):
        known = text.strip().lower() in NICKNAMES
        return None if known else f"expected one of {', '.join(NICKNAMES)}"
    parts = text.upper().split()
    wanted = 6 if with_seconds else 5
    if len(parts) != wanted:
        return f"expected {wanted} fields, found {len(parts)}"
    for part, field in zip(parts, _FIELDS[6 - wanted :], strict=True):
        for term in part.split(","):
            fault = None if _special(term, part, field) else _term_fault(term, field)
            if fault is not None:
                return fault
    return None


def _special(term: str, part: str, field: _Field) -> bool:
    if field.name == "day of month":
        return term == "L" or part == "?"
    if field.name != "day of week":
        return False
    if part == "?":
        return True
    day, hash_sign, which = term.partition("#")
    if hash_sign:
        return field.number(day) is not None and which in ("1", "2", "3", "4", "5")
    return term.endswith("L") and field.number(term[:-1]) is not None


def _term_fault(term: str, field: _Field) -> str | None:
    span, slash, step = term.partition("/")
    if slash and not (step.isascii() and step.isdigit() and 1 <= int(step) <= field.high):
        return f"expected a step from 1 to {field.high} for the {field.name}, found `{step}`"
    if span == "*":
        return None
    low, dash, high = span.partition("-")
    for bound in (low, high) if dash else (low,):
        if field.number(bound) is None:
            return f"expected {field.low} to {field.high} for the {field.name}, found `{bound}`"
    if dash and (field.number(high) or 0) < (field.number(low) or 0):
        return f"the range `{span}` of the {field.name} runs backwards"
    return None
