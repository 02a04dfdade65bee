"""Filters with regular expressions and replacements, and `format`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.expr import regexes
from penstock.expr.errors import EvaluationError, preview
from penstock.expr.filters.table import FILTERS, need_text, whole_argument
from penstock.expr.filters.text import each_text
from penstock.expr.registry import MISSING, given
from penstock.expr.text import java_text
from penstock.expr.values import as_map, is_map, settled

if TYPE_CHECKING:
    from penstock.expr.frame import Frame


@FILTERS.add("regexMatch", "regex")
def regex_match(frame: Frame, value: object, pattern: object) -> object:
    """Whether a pattern is found anywhere in the text."""
    wanted = _pattern(frame, pattern)
    return value is not None and regexes.find(frame, wanted, java_text(frame, value)) is not None


@FILTERS.add("regexReplace", "regex", "replacement")
def regex_replace(frame: Frame, value: object, pattern: object, replacement: object) -> object:
    """All matches of a pattern replaced; `$1` is a group."""
    wanted = _pattern(frame, pattern)
    if not given(replacement):
        raise EvaluationError("The argument 'replacement' is required.")
    if value is None:
        return None
    return regexes.replace_all(frame, wanted, java_text(frame, value), java_text(frame, replacement))


@FILTERS.add("regexExtract", "regex", "group")
def regex_extract(frame: Frame, value: object, pattern: object, group: object) -> object:
    """The first match of a pattern, or one of its groups; null when there is none."""
    wanted = _pattern(frame, pattern)
    if value is None:
        return None
    match = regexes.find(frame, wanted, java_text(frame, value))
    number = whole_argument("regexExtract", "group", group) if given(group) else 0
    if match is None:
        return None
    if not 0 <= number <= match.re.groups:
        raise EvaluationError(f"No group {number}", hint=f"the pattern has {match.re.groups} groups")
    return match[number]


def _pattern(frame: Frame, pattern: object) -> str:
    if not given(pattern):
        raise EvaluationError("The argument 'regex' is required.")
    return java_text(frame, pattern)


@FILTERS.add("replace", "replace_pairs", "regexp")
def replace(frame: Frame, value: object, pairs: object, regexp: object) -> object:
    """Old texts replaced by new ones, in the order written; with `regexp` the old ones are patterns."""
    if value is None:
        return None
    if not given(pairs):
        raise EvaluationError("The argument 'replace_pairs' is required.")
    if not is_map(pairs):
        raise EvaluationError(
            "The argument 'replace_pairs' must be a map.",
            hint="write replace({'old': 'new'}), not replace('old', 'new')",
        )
    changes = [(java_text(frame, old), java_text(frame, new)) for old, new in as_map(pairs).items()]
    with_patterns = regexp is True or (isinstance(regexp, str) and regexp == "true")

    def change(text: str) -> str:
        for old, new in changes:
            text = regexes.replace_all(frame, old, text, new) if with_patterns else _replaced(frame, text, old, new)
        return text

    return each_text(frame, value, change)


def _replaced(frame: Frame, text: str, old: str, new: str) -> str:
    count = text.count(old)
    if count == 0:
        return text
    frame.budget.text(len(text) + count * len(new))
    return text.replace(old, new)


@FILTERS.add("split", "delimiter", "limit")
def split(frame: Frame, value: object, delimiter: object, limit: object) -> object:
    """The parts of a text between matches of a Java pattern."""
    if value is None:
        return None
    text = need_text("split", value)
    if not given(delimiter):
        raise EvaluationError("missing delimiter parameter in split filter")
    if not isinstance(delimiter, str):
        raise EvaluationError("The delimiter of the split filter must be a text.", hint=f"it is {preview(delimiter)}")
    count = whole_argument("split", "limit", limit) if given(limit) else 0
    return regexes.split(frame, str(delimiter), text, count)


@FILTERS.add("format", variadic=True)
def format_text(frame: Frame, value: object, *arguments: object) -> object:
    """Java's `String.format` with the input as the pattern."""
    from penstock.expr.java_format import java_format

    if value is None:
        return None
    found = [None if argument is MISSING else argument for argument in arguments]
    return java_format(frame, java_text(frame, value), settled(frame, found))
