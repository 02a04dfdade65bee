"""Java's `String.format`, as far as templates use it: `%s %d %x %o %f %e %g %b %c %n %%` with flags and width."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Final

from penstock.expr.errors import EvaluationError, preview
from penstock.expr.text import integer_text, java_text
from penstock.expr.values import is_number

if TYPE_CHECKING:
    from penstock.expr.frame import Frame

_SPECIFIER: Final = re.compile(r"%(?:(\d{1,4})\$)?([-#+ 0,(<]*)(\d{1,9})?(?:\.(\d{1,9}))?([a-zA-Z%])")
_MAX_WIDTH: Final = 10_000


def java_format(frame: Frame, pattern: str, arguments: list[object]) -> str:
    """The pattern with its arguments filled in. Raises EvaluationError for a wrong pattern or argument."""
    parts: list[str] = []
    taken = position = 0
    previous = -1
    while (start := pattern.find("%", position)) >= 0:
        found = _SPECIFIER.match(pattern, start)
        if found is None:
            raise EvaluationError(f"Conversion = '{pattern[start : start + 2]}'", hint="write `%%` for a percent sign")
        parts.append(pattern[position:start])
        position = found.end()
        index, flags, kind = found[1], found[2], found[5]
        if kind in "%n":
            parts.append(_padded("%" if kind == "%" else "\n", flags, _bounded(found[3])))
            continue
        if "<" in flags:
            chosen = previous
        elif index:
            chosen = int(index) - 1
        else:
            chosen, taken = taken, taken + 1
        if not 0 <= chosen < len(arguments):
            raise EvaluationError(f"Format specifier '{found[0]}'", hint=f"there are {len(arguments)} arguments")
        previous = chosen
        parts.append(_converted(frame, found, arguments[chosen]))
        frame.budget.text(sum(map(len, parts[-2:])))
    parts.append(pattern[position:])
    text = "".join(parts)
    frame.budget.text(len(text))
    return text


def _bounded(digits: str | None) -> int:
    width = int(digits) if digits else 0
    if width > _MAX_WIDTH:
        raise EvaluationError(f"A width or precision of {width} is larger than {_MAX_WIDTH}")
    return width


def _converted(frame: Frame, found: re.Match[str], value: object) -> str:
    flags, width, kind = found[2], _bounded(found[3]), found[5]
    precision = _bounded(found[4]) if found[4] is not None else None
    if kind in "sSbB":
        text = ("false" if value is None else "true") if kind in "bB" else java_text(frame, value)
        if kind in "bB" and isinstance(value, bool):
            text = str(value).lower()
        text = text if precision is None else text[:precision]
        return _padded(text.upper() if kind in "SB" else text, flags, width)
    if value is None:
        return _padded("null", flags, width)
    if kind in "cC":
        return _padded(_character(value, found[0]), flags, width)
    if kind in "doxX":
        return _integer(value, found[0], flags, width)
    if kind in "feEgG":
        return _fraction(value, found[0], flags, width, 6 if precision is None else precision)
    raise EvaluationError(f"Conversion = '{kind}'", hint="known are s, d, f, e, g, x, o, b, c, n and %")


def _character(value: object, specifier: str) -> str:
    if isinstance(value, str) and len(value) == 1:
        return str(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 0x110000:
        return chr(value)
    raise EvaluationError(f"{specifier} takes a character", hint=f"it was given {preview(value)}")


def _integer(value: object, specifier: str, flags: str, width: int) -> str:
    if not isinstance(value, int) or isinstance(value, bool):
        raise EvaluationError(f"{specifier} takes an integer", hint=f"it was given {preview(value)}")
    if specifier[-1] == "d":
        digits = integer_text(abs(value))
        return _signed(f"{int(digits):,}" if "," in flags else digits, negative=value < 0, flags=flags, width=width)
    number = value if value >= 0 else value + (1 << max(64, value.bit_length() + 1))
    text = format(number, specifier[-1])
    if "#" in flags:
        text = {"o": "0", "x": "0x", "X": "0X"}[specifier[-1]] + text
    return _padded(text, flags, width, zero="0" in flags)


def _fraction(value: object, specifier: str, flags: str, width: int, precision: int) -> str:
    if not is_number(value) or isinstance(value, int):
        raise EvaluationError(
            f"{specifier} takes a fraction", hint=f"it was given {preview(value)}: write 1.0 instead of 1, or use %d"
        )
    number = Decimal(repr(float(value))) if isinstance(value, float) else Decimal(str(value))
    if not number.is_finite():
        return _padded(java_name(number), flags, width)
    kind = specifier[-1]
    if kind in "gG":
        kind = "f" if number == 0 or Decimal("1e-4") <= abs(number) < Decimal(10) ** (precision or 1) else "e"
        precision = max(0, (precision or 1) - 1 - (number.adjusted() if kind == "f" and number else 0))
    magnitude = abs(number)
    if kind == "f":
        text = _fixed(magnitude, precision)
        if "," in flags:
            whole, dot, rest = text.partition(".")
            text = f"{int(whole):,}{dot}{rest}"
    else:
        text = re.sub(r"e([+-])(\d)$", r"e\g<1>0\2", f"{magnitude:.{precision}e}".lower())
        text = text.upper() if specifier[-1] in "EG" else text
    return _signed(text, negative=number.is_signed(), flags=flags, width=width)


def _fixed(number: Decimal, precision: int) -> str:
    if number.adjusted() > 400:
        raise EvaluationError("The number is too large to be formatted")
    from decimal import localcontext

    with localcontext() as context:
        context.prec = 800 + precision
        return format(number.quantize(Decimal(1).scaleb(-precision), rounding=ROUND_HALF_UP), "f")


def java_name(number: Decimal) -> str:
    """`NaN` or `Infinity`."""
    if number.is_nan():
        return "NaN"
    return "-Infinity" if number < 0 else "Infinity"


def _signed(digits: str, *, negative: bool, flags: str, width: int) -> str:
    if negative:
        before, after = ("(", ")") if "(" in flags else ("-", "")
    else:
        before, after = ("+" if "+" in flags else " " if " " in flags else ""), ""
    if "0" in flags and "-" not in flags:
        digits = digits.rjust(width - len(before) - len(after), "0")
    return _padded(before + digits + after, flags, width)


def _padded(text: str, flags: str, width: int, *, zero: bool = False) -> str:
    if "-" in flags:
        return text.ljust(width)
    return text.rjust(width, "0" if zero else " ")
