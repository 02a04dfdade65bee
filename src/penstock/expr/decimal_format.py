"""Java's DecimalFormat patterns (`#,##0.00`, `0.###E0`, `0%`), rounding half-even, with the signs of en_US."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from functools import lru_cache
from typing import Final

from penstock.expr.errors import EvaluationError

DEFAULT_PATTERN: Final = "#,##0.###"
_NUMBER: Final = re.compile(r"[#,]*[0,]*(?:\.0*#*)?(?:E0+)?")
_AFFIX: Final = re.compile(r"'([^']*)'|([^'#0,.;])")
_MAX_DIGITS: Final = 340


@dataclass(frozen=True, slots=True)
class _Pattern:
    prefix: str
    suffix: str
    negative_prefix: str
    negative_suffix: str
    grouping: int
    least_whole: int
    most_whole: int
    least_fraction: int
    most_fraction: int
    exponent: int
    scale: int


def format_number(value: float | Decimal, pattern: str = DEFAULT_PATTERN) -> str:
    """`value` written as the pattern says. Raises EvaluationError for a pattern that is none."""
    parsed = _parse(pattern)
    number = Decimal(value)
    if number.is_nan():
        return "NaN"
    negative = number.is_signed()
    prefix = parsed.negative_prefix if negative else parsed.prefix
    suffix = parsed.negative_suffix if negative else parsed.suffix
    if number.is_infinite():
        return f"{prefix}∞{suffix}"
    if number.adjusted() > _MAX_DIGITS:
        raise EvaluationError("The number is too large to be formatted")
    with localcontext() as context:
        context.prec = 2 * _MAX_DIGITS + 800
        digits = _digits(abs(number).scaleb(parsed.scale), parsed)
    return f"{prefix}{digits}{suffix}"


def _digits(number: Decimal, pattern: _Pattern) -> str:
    if pattern.exponent:
        return _scientific(number, pattern)
    rounded = number.quantize(Decimal(1).scaleb(-pattern.most_fraction), rounding=ROUND_HALF_EVEN)
    whole, _, fraction = format(rounded, "f").partition(".")
    whole = whole.lstrip("0").rjust(pattern.least_whole, "0")
    fraction = _trimmed(fraction, pattern.least_fraction)
    if pattern.grouping:
        whole = _grouped(whole, pattern.grouping)
    if not whole and not fraction:
        whole = "0"
    return f"{whole}.{fraction}" if fraction else whole


def _trimmed(fraction: str, least: int) -> str:
    kept = fraction.rstrip("0")
    return kept.ljust(least, "0")


def _grouped(whole: str, size: int) -> str:
    groups: list[str] = []
    while len(whole) > size:
        groups.insert(0, whole[-size:])
        whole = whole[:-size]
    return ",".join([whole, *groups]) if whole else ",".join(groups)


def _scientific(number: Decimal, pattern: _Pattern) -> str:
    power = number.adjusted() if number else 0
    step = pattern.most_whole if pattern.most_whole > pattern.least_whole else 1
    exponent = power - power % step if step > 1 else power - (pattern.least_whole - 1)
    places = pattern.most_fraction
    if step > 1:
        places = max(0, pattern.least_whole + pattern.most_fraction - 1 - (power - exponent))
    mantissa = number.scaleb(-exponent).quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_EVEN)
    whole, _, fraction = format(mantissa, "f").partition(".")
    fraction = _trimmed(fraction, pattern.least_fraction)
    sign = "-" if exponent < 0 else ""
    written = f"{whole}.{fraction}" if fraction else whole
    return f"{written}E{sign}{str(abs(exponent)).rjust(pattern.exponent, '0')}"


@lru_cache(maxsize=200)
def _parse(pattern: str) -> _Pattern:
    if len(pattern) > 200:
        raise EvaluationError("A number pattern may have 200 characters")
    prefix, body, suffix, rest = _halves(pattern)
    negative_prefix, negative_suffix = f"-{prefix}", suffix
    if rest:
        negative_prefix, _, negative_suffix, more = _halves(rest)
        if more:
            raise _malformed(pattern)
    whole, _, tail = body.partition(".")
    fraction, _, exponent = tail.partition("E") if "." in body else ("", "", "")
    if "." not in body and "E" in whole:
        whole, _, exponent = whole.partition("E")
    shown = whole.replace(",", "")
    return _Pattern(
        prefix,
        suffix,
        negative_prefix,
        negative_suffix,
        grouping=len(whole) - whole.rindex(",") - 1 if "," in whole else 0,
        least_whole=shown.count("0"),
        most_whole=len(shown),
        least_fraction=fraction.count("0"),
        most_fraction=len(fraction),
        exponent=len(exponent),
        scale=2 if "%" in prefix + suffix else 3 if "‰" in prefix + suffix else 0,
    )


def _halves(pattern: str) -> tuple[str, str, str, str]:
    """Prefix, number part, suffix and the negative pattern of a pattern."""
    prefix, position = _affix(pattern, 0)
    body = _NUMBER.match(pattern, position)
    if body is None or not body[0]:
        if position == len(pattern) and pattern:
            return prefix, "#", "", ""
        if not pattern:
            return "", "#,###.###", "", ""
        raise _malformed(pattern)
    suffix, position = _affix(pattern, body.end())
    if position < len(pattern) and pattern[position] != ";":
        raise _malformed(pattern)
    return prefix, body[0], suffix, pattern[position + 1 :]


def _affix(pattern: str, position: int) -> tuple[str, int]:
    text = ""
    while found := _AFFIX.match(pattern, position):
        text += (found[1] or "'") if found[2] is None else {"¤": "$"}.get(found[2], found[2])
        position = found.end()
    return text, position


def _malformed(pattern: str) -> EvaluationError:
    return EvaluationError(f'Malformed pattern "{pattern}"', hint="a number pattern looks like `#,##0.00`")
