"""jq functions on texts and with patterns."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from penstock.expr import regexes
from penstock.expr.errors import EvaluationError, LimitReached
from penstock.expr.jq.table import native, need_list, need_text
from penstock.expr.jq.values import (
    JqError,
    index,
    positions,
    split_text,
)

if TYPE_CHECKING:
    from penstock.expr.jq.machine import Machine


def _check(name: str, test: Callable[[str, str], bool]) -> None:
    @native(name, 1)
    def check(machine: Machine, value: Any, part: Any) -> object:
        if not isinstance(value, str) or not isinstance(part, str):
            raise JqError(f"{name}() requires string inputs")
        return test(value, part)


_check("startswith", lambda text, part: text.startswith(part))
_check("endswith", lambda text, part: text.endswith(part))


def _strip(name: str, change: Callable[[str, str], str]) -> None:
    @native(name, 1)
    def strip(machine: Machine, value: Any, part: Any) -> object:
        return change(value, part) if isinstance(value, str) and isinstance(part, str) else value


_strip("ltrimstr", lambda text, part: text.removeprefix(part))
_strip("rtrimstr", lambda text, part: text.removesuffix(part))
_UPPER: Final = str.maketrans("abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_LOWER: Final = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")


def _change(name: str, what: str, change: Callable[[str], object]) -> None:
    @native(name)
    def apply(machine: Machine, value: Any) -> object:
        found = need_text(value, what)
        machine.budget.items(len(found) if name == "explode" else 0)
        return change(found)


_change("ascii_downcase", "ascii_downcase input must be a string", lambda text: text.translate(_LOWER))
_change("ascii_upcase", "ascii_upcase input must be a string", lambda text: text.translate(_UPPER))
_change("trim", "trim input must be a string", lambda text: text.strip())
_change("ltrim", "trim input must be a string", lambda text: text.lstrip())
_change("rtrim", "trim input must be a string", lambda text: text.rstrip())
_change("explode", "cannot be exploded", lambda text: [ord(sign) for sign in text])


@native("implode")
def implode(machine: Machine, value: Any) -> object:
    codes = need_list(value, "cannot be imploded, must be an array of codepoints")
    if not all(isinstance(code, int) and not isinstance(code, bool) and 0 <= code < 0x110000 for code in codes):
        raise JqError("Unicode codepoint must be numeric")
    return "".join("\ufffd" if 0xD800 <= code < 0xE000 else chr(code) for code in codes)


@native("split", 1)
def split(machine: Machine, value: Any, separator: Any) -> object:
    if not isinstance(value, str) or not isinstance(separator, str):
        raise JqError("split input and separator must be strings")
    machine.budget.items(len(value))
    return split_text(value, separator)


@native("split", 2)
def split_by_pattern(machine: Machine, value: Any, pattern: Any, flags: Any) -> object:
    found = find(machine, value, pattern, f"g{flags or ''}", False)
    parts: list[str] = []
    start = 0
    for match in found if isinstance(found, list) else []:
        parts.append(value[start : match["offset"]])
        start = match["offset"] + match["length"]
    return [*parts, value[start:]]


@native("indices", 1)
def indices(machine: Machine, value: Any, wanted: Any) -> object:
    if value is None:
        return None
    if isinstance(value, str) and isinstance(wanted, str):
        return positions(machine.budget, value, wanted)
    if isinstance(value, list):
        return positions(machine.budget, value, wanted if isinstance(wanted, list) else [wanted])
    return index(machine.budget, value, wanted)


@native("index", 1)
def first_index(machine: Machine, value: Any, wanted: Any) -> object:
    found = indices(machine, value, wanted)
    return found[0] if isinstance(found, list) and found else None


@native("rindex", 1)
def last_index(machine: Machine, value: Any, wanted: Any) -> object:
    found = indices(machine, value, wanted)
    return found[-1] if isinstance(found, list) and found else None


_FLAGS: Final = {"i": "i", "x": "x", "s": "s", "l": "", "n": "", "p": "s", "g": ""}


@native("_match", 3)
def find(machine: Machine, value: Any, pattern: Any, flags: Any, only_test: Any) -> object:
    """The matches of a pattern as jq describes them, or whether there is one."""
    text = need_text(value, "cannot be matched, as it is not a string")
    wanted = need_text(pattern, "cannot be matched, as it is not a string")
    chosen = "" if flags is None else need_text(flags, "is not a string")
    if any(flag not in _FLAGS for flag in chosen):
        raise JqError(f"{chosen[:50]} is not a valid modifier string")
    inline = "".join(dict.fromkeys(_FLAGS[flag] for flag in chosen))
    try:
        found = regexes.find_all(
            machine.frame, f"(?{inline}){wanted}" if inline else wanted, text, every="g" in chosen and not only_test
        )
    except LimitReached:
        raise
    except EvaluationError as error:
        raise JqError(f"{error.message} (at offset 0) is not a valid regex") from error
    if only_test:
        return bool(found)
    machine.budget.items(len(found))
    return [_described(match) for match in found if not ("n" in chosen and not match[0])]


def _described(match: Any) -> dict[str, object]:
    names = {number: name for name, number in match.re.groupindex.items()}
    captures = [
        {
            "offset": match.start(number),
            "length": len(match[number] or ""),
            "string": match[number],
            "name": names.get(number),
        }
        for number in range(1, match.re.groups + 1)
    ]
    return {"offset": match.start(), "length": len(match[0]), "string": match[0], "captures": captures}
