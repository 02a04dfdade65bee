"""SQL texts: cut into statements, and named parameters into what a driver takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

_QUOTES = {"'": "'", '"': '"', "`": "`"}


def split_statements(sql: str) -> list[str]:
    """The statements of a text, at its semicolons outside of quotes, comments and dollar quotes."""
    found: list[str] = []
    start = 0
    for place, kind in _scan(sql):
        if kind == ";":
            found.append(sql[start:place])
            start = place + 1
    found.append(sql[start:])
    return [text.strip() for text in found if _holds_more_than_comments(text)]


def _holds_more_than_comments(text: str) -> bool:
    return any(kind != ";" for _, kind in _scan(text, solid=True))


def _scan(sql: str, *, solid: bool = False) -> Iterator[tuple[int, str]]:
    """Places of semicolons; with `solid` also the place of every other character that is no comment or blank."""
    place = 0
    length = len(sql)
    while place < length:
        character = sql[place]
        if character in _QUOTES:
            end = _quoted(sql, place)
            if solid:
                yield place, "text"
            place = end
        elif sql.startswith("--", place):
            line = sql.find("\n", place)
            place = length if line < 0 else line
        elif sql.startswith("/*", place):
            closing = sql.find("*/", place + 2)
            place = length if closing < 0 else closing + 2
        elif character == "$" and (tag := _dollar_tag(sql, place)) is not None:
            closing = sql.find(tag, place + len(tag))
            if solid:
                yield place, "text"
            place = length if closing < 0 else closing + len(tag)
        else:
            if character == ";":
                yield place, ";"
            elif solid and not character.isspace():
                yield place, "text"
            place += 1


def _quoted(sql: str, place: int) -> int:
    """The place after a quoted text; a doubled quote stands for itself."""
    quote = sql[place]
    place += 1
    while place < len(sql):
        if sql[place] == quote:
            if sql.startswith(quote * 2, place):
                place += 2
                continue
            return place + 1
        place += 1
    return place


def _dollar_tag(sql: str, place: int) -> str | None:
    end = sql.find("$", place + 1)
    tag = sql[place : end + 1] if end > 0 else ""
    return tag if tag and all(c.isalnum() or c in "_$" for c in tag) else None


def used_parameters(sql: str, parameters: Mapping[str, object]) -> dict[str, object]:
    """The parameters that a statement names as `:name`; drivers refuse those it does not."""
    return {name: value for name, value in parameters.items() if _names(sql, name)}


def _names(sql: str, name: str) -> bool:
    mark = f":{name}"
    place = sql.find(mark)
    while place >= 0:
        after = sql[place + len(mark) : place + len(mark) + 1]
        before = sql[place - 1 : place]
        if before != ":" and not (after.isalnum() or after == "_"):
            return True
        place = sql.find(mark, place + 1)
    return False
