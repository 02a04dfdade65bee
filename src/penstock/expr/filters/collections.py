"""Filters on lists and maps."""

from __future__ import annotations

from functools import cmp_to_key
from typing import TYPE_CHECKING

from penstock.expr import operators
from penstock.expr.errors import EvaluationError, preview
from penstock.expr.filters.table import FILTERS, need_argument, whole_argument
from penstock.expr.registry import given
from penstock.expr.text import java_text
from penstock.expr.values import Character, Entry, as_list, as_map, is_map, settle, settled, type_name

if TYPE_CHECKING:
    from penstock.expr.frame import Frame


def _need_list(frame: Frame, message: str, value: object) -> list[object]:
    if type(value) is not list:
        raise EvaluationError(message, hint=f"it is {preview(value)}")
    frame.budget.items(len(value))
    return value


@FILTERS.add("chunk", "size")
def chunk(frame: Frame, value: object, size: object) -> object:
    """A list cut into lists of at most `size` items."""
    if value is None:
        return None
    message = f"'chunk' filter can only be applied to List. Actual type was: {type_name(value)}"
    found = _need_list(frame, message, value)
    step = whole_argument("chunk", "size", need_argument("chunk", "size", size))
    if step < 1:
        raise EvaluationError("The 'chunk' filter expects a 'size' of at least 1.")
    return [found[start : start + step] for start in range(0, len(found), step)]


@FILTERS.add("distinct")
def distinct(frame: Frame, value: object) -> object:
    """A list without repetitions, the first of each kept; null gives the text `null`."""
    if value is None:
        return "null"
    found = _need_list(frame, f"Input must be a list, but was: {type_name(value)}", value)
    seen: set[object] = set()
    kept: list[object] = []
    others: list[object] = []
    for item in settled(frame, found):
        if isinstance(item, (str, int, float)) and not isinstance(item, Character):
            mark = (type(item) is bool, isinstance(item, float), item)
            if mark not in seen:
                seen.add(mark)
                kept.append(item)
            continue
        frame.budget.items(len(others))
        if not any(operators.java_equal(frame, item, other) for other in others):
            others.append(item)
            kept.append(item)
    return kept


@FILTERS.add("first")
def first(frame: Frame, value: object) -> object:
    """The first item of a list (null when it is empty) or character of a text."""
    return _end(frame, "first", value, 0)


@FILTERS.add("last")
def last(frame: Frame, value: object) -> object:
    """The last item of a list (null when it is empty) or character of a text."""
    return _end(frame, "last", value, -1)


def _end(frame: Frame, name: str, value: object, index: int) -> object:
    if value is None:
        return None
    if isinstance(value, str):
        if not value:
            raise EvaluationError(f"The '{name}' filter can not be applied to an empty text: Index 0 out of bounds")
        return Character(value[index])
    if type(value) is list:
        return settle(frame, value[index]) if value else None
    raise EvaluationError(
        f"The '{name}' filter can only be applied to a list or a text. Actual type was: {type_name(value)}",
        hint="of a map, take `| values | first` or `| keys | first`" if is_map(value) else f"it is {preview(value)}",
    )


@FILTERS.add("flatten")
def flatten(frame: Frame, value: object) -> object:
    """The items of a list's lists in one list, one level deep."""
    if value is None:
        return None
    found = _need_list(
        frame, f"'flatten' filter can only be applied to List. Actual type was: {type_name(value)}", value
    )
    flat: list[object] = []
    for item in settled(frame, found):
        if type(item) is list:
            frame.budget.items(len(item))
            flat.extend(item)
        else:
            flat.append(item)
    return flat


@FILTERS.add("join", "separator")
def join(frame: Frame, value: object, separator: object) -> object:
    """The texts of a list's items, a separator between them; null is `null`."""
    if value is None:
        return None
    found = _need_list(frame, "The 'join' filter expects that the input is either a collection or an array.", value)
    if given(separator) and not isinstance(separator, str):
        raise EvaluationError("The separator of the 'join' filter must be a text.", hint=f"it is {preview(separator)}")
    glue = str(separator) if given(separator) else ""
    texts = [java_text(frame, item) for item in found]
    frame.budget.text(sum(map(len, texts)) + len(glue) * len(texts))
    return glue.join(texts)


@FILTERS.add("keys")
def keys(frame: Frame, value: object) -> object:
    """The keys of a map, or the indexes of a list."""
    if value is None:
        return None
    if is_map(value):
        frame.budget.items(len(as_map(value)))
        return list(as_map(value))
    if type(value) is list:
        frame.budget.items(len(value))
        return list(range(len(value)))
    raise EvaluationError(
        f"'keys' filter can only be applied to List, Map, Array. Actual type was: {type_name(value)}",
        hint=f"it is {preview(value)}",
    )


@FILTERS.add("values")
def values(frame: Frame, value: object) -> object:
    """The values of a map."""
    if value is None:
        return None
    if not is_map(value):
        raise EvaluationError(
            f"'values' filter can only be applied to Map. Actual type was: {type_name(value)}",
            hint=f"it is {preview(value)}",
        )
    mapping = as_map(value)
    frame.budget.items(len(mapping))
    return [mapping[key] for key in mapping]


@FILTERS.add("length")
def length(frame: Frame, value: object) -> object:
    """The characters of a text, items of a list or entries of a map; 0 for anything else."""
    if isinstance(value, Character):
        return 0
    if isinstance(value, (str, bytes)) or type(value) is list:
        return len(value)
    return len(as_map(value)) if is_map(value) else 0


@FILTERS.add("merge", "items")
def merge(frame: Frame, value: object, more: object) -> object:
    """Two maps (the right one wins) or lists as one."""
    more = None if not given(more) else more
    if value is None or more is None:
        if value is more:
            raise EvaluationError("The two arguments to be merged are null")
        return more if value is None else value
    if is_map(value):
        return _merged_map(frame, value, more)
    if type(value) is list:
        added = [Entry(key, item) for key, item in as_map(more).items()] if is_map(more) else more
        if type(added) is not list:
            raise _unmergeable("a List", more)
        frame.budget.items(len(value) + len(added))
        return [*value, *added]
    raise EvaluationError("The object being filtered is not a Map/List/Array", hint=f"it is {preview(value)}")


def _merged_map(frame: Frame, value: object, more: object) -> object:
    frame.budget.items(len(as_map(value)))
    if is_map(more):
        frame.budget.items(len(as_map(more)))
        return {**dict(as_map(value)), **dict(as_map(more))}
    if type(more) is not list:
        raise _unmergeable("a Map", more)
    frame.budget.items(len(more))
    merged = dict(as_map(value))
    for item in settled(frame, more):
        key = java_text(frame, item)
        merged[key] = item
    return merged


def _unmergeable(what: str, more: object) -> EvaluationError:
    message = f"Currently, only Maps and Lists can be merged with {what}. Arg2: {type_name(more)}"
    return EvaluationError(message, hint=f"the argument is {preview(more)}")


@FILTERS.add("reverse")
def reverse(frame: Frame, value: object) -> object:
    """A list backwards; a copy, where Kestra changes the list itself."""
    if value is None:
        return None
    found = _need_list(
        frame, f"'reverse' filter can only be applied to List. Actual type was: {type_name(value)}", value
    )
    return found[::-1]


@FILTERS.add("sort")
def sort(frame: Frame, value: object) -> object:
    """A list in natural, case-sensitive order."""
    return _sorted(frame, "sort", value)


@FILTERS.add("rsort")
def rsort(frame: Frame, value: object) -> object:
    """A list in natural order, backwards."""
    found = _sorted(frame, "rsort", value)
    return found[::-1] if isinstance(found, list) else found


def _sorted(frame: Frame, name: str, value: object) -> object:
    if value is None:
        return None
    items = settled(frame, _need_list(frame, f"Unsupported input type for {name} filter", value))
    if all(type(item) is str for item in items) or all(type(item) is int for item in items):
        return sorted(items)  # pyright: ignore[reportArgumentType, reportCallIssue]
    return sorted(items, key=cmp_to_key(_order))


def _order(left: object, right: object) -> int:
    try:
        if isinstance(left, bool) and isinstance(right, bool):
            return left - right
        if isinstance(left, bool) or isinstance(right, bool) or left is None or right is None:
            raise TypeError(left)
        return (left > right) - (left < right)  # pyright: ignore[reportOperatorIssue]
    except TypeError as error:
        raise EvaluationError(
            f"{type_name(left)} cannot be compared with {type_name(right)}",
            hint=f"the list holds {preview(left)} and {preview(right)}",
        ) from error


@FILTERS.add("slice", "fromIndex", "toIndex")
def slice_of(frame: Frame, value: object, start: object, end: object) -> object:
    """A part of a list or text; indexes beyond it are errors."""
    if value is None:
        return None
    begin = whole_argument("slice", "fromIndex", start) if given(start) else 0
    if begin < 0:
        raise EvaluationError("fromIndex must be greater than 0")
    if type(value) is not list and not isinstance(value, str):
        raise EvaluationError(
            f"Slice filter can only be applied to String, List and array inputs. Actual type was: {type_name(value)}",
            hint=f"it is {preview(value)}",
        )
    size = len(value)
    stop = size
    if given(end):
        stop = whole_argument("slice", "toIndex", end)
        if stop > size:
            raise EvaluationError(f"toIndex must be smaller than input size: {size}")
        if begin >= stop:
            raise EvaluationError("toIndex must be greater than fromIndex")
    elif begin > size:
        raise EvaluationError(f"fromIndex must be smaller than input size: {size}")
    frame.budget.items(len(as_list(value)) if type(value) is list else 0)
    return value[begin:stop] if type(value) is list else str(value)[begin:stop]
