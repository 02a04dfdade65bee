"""YAML text into plain values that remember their lines.

YAML 1.2 core rules: `yes`, `on`, `no` stay text, dates stay text; a key written twice is an error. Size, depth and the
growth through aliases are bounded, so that no document can swell the server.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml
from yaml import cyaml
from yaml.composer import Composer
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.resolver import BaseResolver
from yaml.scanner import Scanner

from penstock.errors import FlowInvalid, Problem

Path = tuple[str | int, ...]

MAX_BYTES = 10 * 1024 * 1024
MAX_DEPTH = 200
MAX_NODES = 2_000_000
MAX_REPEATED = 100_000
"""How many values aliases may stand for, all together."""

_TEXT = "text"
_PLAIN = "plain"
_STANDARD = "tag:yaml.org,2002:"
_INT = re.compile(r"[-+]?[0-9]+$")
_OCTAL = re.compile(r"0o[0-7]+$")
_HEX = re.compile(r"0x[0-9a-fA-F]+$")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$")
_INFINITE = re.compile(r"[-+]?\.(inf|Inf|INF)$")
_MAX_DIGITS = 1000
"""Longer whole numbers are read as a float, as JSON readers do: exact ones cost time in the square of their length."""
_NAN = frozenset({".nan", ".NaN", ".NAN"})
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})


class Document:
    """A YAML document: its value, and where each part of it stands (1-based line and column)."""

    __slots__ = ("positions", "value")

    def __init__(self, value: object, positions: dict[Path, tuple[int, int]]) -> None:
        self.value = value
        self.positions = positions

    def position(self, path: Path) -> tuple[int, int] | None:
        """Where `path` stands, or the nearest part around it."""
        while path:
            found = self.positions.get(path)
            if found is not None:
                return found
            path = path[:-1]
        return self.positions.get(())


def load_document(source: str) -> Document:
    """The first document of `source`.

    Raises:
        FlowInvalid: the text is no YAML, too large, too deep, has a key twice, or holds no document.
    """
    for document in load_documents(source):
        return document
    raise FlowInvalid([Problem("Illegal flow source: the document is empty")])


def load_yaml(source: str) -> object:
    """The value of a YAML text, without positions; the same rules and bounds."""
    return load_document(source).value if source.strip() else None


def load_documents(source: str) -> Iterator[Document]:
    """Every document of `source`, in order."""
    if _bytes_of(source) > MAX_BYTES:
        raise FlowInvalid([Problem(f"Illegal flow source: larger than {MAX_BYTES // 1024 // 1024} MB")])
    loader = _Loader(source)
    try:
        while loader.check_node():
            node = loader.get_node()
            assert node is not None
            yield _Builder().document(node)
    except yaml.MarkedYAMLError as error:
        raise _unreadable(error) from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise FlowInvalid([Problem(f"Illegal flow source: YAML parsing error: {error}")]) from error
    finally:
        loader.dispose()


def _bytes_of(source: str) -> int:
    try:
        return len(source.encode())
    except UnicodeEncodeError as error:
        raise FlowInvalid([Problem(f"Illegal flow source: no Unicode text, at character {error.start}")]) from error


def _unreadable(error: yaml.MarkedYAMLError) -> FlowInvalid:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark is not None else None
    what = error.problem or error.context or str(error)
    where = f" (at line {line})" if line else ""
    column = mark.column + 1 if mark is not None else None
    return FlowInvalid([Problem(f"Illegal flow source: YAML parsing error: {what}{where}", line=line, column=column)])


class _Resolver(BaseResolver):
    """Leaves plain scalars to `_scalar`; PyYAML's own resolver knows the rules of YAML 1.1 only."""

    def resolve(self, kind: type, value: object, implicit: Any) -> str:
        if kind is yaml.ScalarNode:
            return _PLAIN if implicit[0] else _TEXT
        return super().resolve(kind, value, implicit)


class _Nodes(Reader, Scanner, Parser, Composer):
    """PyYAML's own parser, for installations without libyaml."""

    def __init__(self, source: str) -> None:  # pragma: no cover - wheels of PyYAML bring libyaml
        Reader.__init__(self, source)
        Scanner.__init__(self)
        Parser.__init__(self)
        Composer.__init__(self)


_Parser: Any = getattr(cyaml, "CParser", _Nodes) if yaml.__with_libyaml__ else _Nodes


class _Loader(_Parser, _Resolver):
    """The nodes of a text."""

    def __init__(self, source: str) -> None:
        _Parser.__init__(self, source)
        _Resolver.__init__(self)


class _Builder:
    """Builds plain values out of one document's nodes."""

    def __init__(self) -> None:
        self._positions: dict[Path, tuple[int, int]] = {}
        self._count = 0
        self._seen: set[int] = set()
        self._repeated = 0
        self._problems: list[Problem] = []

    def document(self, node: yaml.Node) -> Document:
        value = self._value(node, (), 0)
        if self._problems:
            raise FlowInvalid(self._problems)
        return Document(value, self._positions)

    def _value(self, node: yaml.Node, path: Path, depth: int) -> object:
        self._count += 1
        if self._count > MAX_NODES:
            raise FlowInvalid([Problem(f"Illegal flow source: more than {MAX_NODES} values")])
        if id(node) in self._seen:
            self._repeated += 1
            if self._repeated > MAX_REPEATED:
                text = f"Illegal flow source: its aliases stand for more than {MAX_REPEATED} values"
                raise FlowInvalid([Problem(text, line=node.start_mark.line + 1)])
        self._seen.add(id(node))
        if depth > MAX_DEPTH:
            raise FlowInvalid([Problem(f"Illegal flow source: nested deeper than {MAX_DEPTH} levels")])
        self._positions[path] = (node.start_mark.line + 1, node.start_mark.column + 1)
        if isinstance(node, yaml.ScalarNode):
            return _scalar(node)
        if isinstance(node, yaml.SequenceNode):
            return [self._value(child, (*path, i), depth + 1) for i, child in enumerate(node.value)]
        assert isinstance(node, yaml.MappingNode)
        return self._mapping(node, path, depth)

    def _mapping(self, node: yaml.MappingNode, path: Path, depth: int) -> dict[str, object]:
        merged: dict[str, object] = {}
        own: dict[str, object] = {}
        for key_node, value_node in node.value:
            if _is_merge(key_node):
                self._merge(value_node, path, depth, merged)
        self._positions[path] = (node.start_mark.line + 1, node.start_mark.column + 1)
        for key_node, value_node in node.value:
            if _is_merge(key_node):
                continue
            key = _text_key(key_node)
            place = (key_node.start_mark.line + 1, key_node.start_mark.column + 1)
            if key in own:
                text = f'Illegal flow source: YAML parsing error: Duplicate field "{key}" (at line {place[0]})'
                self._problems.append(Problem(text, line=place[0], column=place[1]))
                continue
            own[key] = self._value(value_node, (*path, key), depth + 1)
            self._positions[(*path, key)] = place
        return {**merged, **own} if merged else own

    def _merge(self, node: yaml.Node, path: Path, depth: int, into: dict[str, object]) -> None:
        sources = node.value if isinstance(node, yaml.SequenceNode) else [node]
        for source in sources:
            value = self._value(source, path, depth + 1)
            if isinstance(value, dict):
                for key, inner in value.items():
                    into.setdefault(key, inner)


def _is_merge(key: yaml.Node) -> bool:
    return key.value == "<<" and key.tag == _PLAIN


def _text_key(node: yaml.Node) -> str:
    if isinstance(node, yaml.ScalarNode):
        return node.value
    raise FlowInvalid([Problem("Illegal flow source: keys must be plain texts", line=node.start_mark.line + 1)])


def _scalar(node: yaml.ScalarNode) -> object:
    text: str = node.value
    if node.tag == _PLAIN:
        return _plain(text)
    if node.tag.startswith(_STANDARD):
        return _tagged(node, text)
    return text


def _tagged(node: yaml.ScalarNode, text: str) -> object:
    """A scalar that says itself what it is (`!!int "5"`)."""
    kind = node.tag.removeprefix(_STANDARD)
    if kind not in ("int", "float", "bool", "null"):
        return text
    value = _plain(text)
    if kind == "float" and type(value) is int:
        return float(value)
    expected = {"int": int, "float": float, "bool": bool, "null": type(None)}[kind]
    if type(value) is not expected:
        line = node.start_mark.line + 1
        raise FlowInvalid([Problem(f"Illegal flow source: `{text}` is no {kind}", line=line)])
    return value


def _plain(text: str) -> object:
    if text in _NULL:
        return None
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    first = text[0]
    if first in "0123456789-+.":
        return _number(text)
    return text


def _number(text: str) -> object:
    if _INT.match(text):
        return int(text) if len(text) <= _MAX_DIGITS else float(text)
    if _OCTAL.match(text):
        return int(text[2:], 8)
    if _HEX.match(text):
        return int(text, 16)
    if _FLOAT.match(text):
        return float(text)
    if _INFINITE.match(text):
        return float(text.replace(".", ""))
    return float("nan") if text in _NAN else text
