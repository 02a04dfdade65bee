"""Runs template cases: `python -m penstock.testing.expressions FILE…`.

A case is a template, its variables, perhaps a fixture for the functions that need a server, and what must come out.
Each failing case is printed with what differed, `N passed, N failed` comes last, and the exit status is 1 when a case
failed.
"""

from __future__ import annotations

import json
import random
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from penstock import clock, ids
from penstock.expr import EvaluationError, ExpressionError, Limits, RenderContext, compile_template
from penstock.expr.dates.zones import ZULU

ROOT_NAMESPACE_SEPARATOR = "."


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one case went; `problem` is None when it passed."""

    name: str
    problem: str | None


class FixtureHost:
    """The outside world of a case: secrets, KV, files, logs and HTTP answers by name."""

    def __init__(self, fixture: Mapping[str, Any], variables: Mapping[str, Any]) -> None:
        self._fixture = fixture
        self._namespace = str((variables.get("flow") or {}).get("namespace", ""))

    def kv(self, key: str, namespace: str | None, *, error_on_missing: bool) -> object:
        stores: Mapping[str, Any] = self._fixture.get("kv", {})
        for candidate in [namespace] if namespace else _with_parents(self._namespace):
            if key in stores.get(candidate, {}):
                return stores[candidate][key]
        if error_on_missing:
            where = namespace or self._namespace
            raise EvaluationError(f"The key '{key}' does not exist in the namespace '{where}'.")
        return None

    def secret(self, key: str, namespace: str | None, *, subkey: str | None, full: bool) -> object:
        stores: Mapping[str, Any] = self._fixture.get("secrets", {})
        for candidate in [namespace] if namespace else _with_parents(self._namespace):
            if key in stores.get(candidate, {}):
                return _secret(key, stores[candidate][key], subkey=subkey, full=full)
        raise EvaluationError(f"Cannot find secret for key '{key}'.")

    def read(self, path: str, namespace: str | None) -> str | bytes:
        found = self._file(path, namespace)
        if found is None:
            raise EvaluationError(f"File not found: '{path}'")
        return found

    def _file(self, path: str, namespace: str | None) -> str | None:
        if "://" in path:
            return self._fixture.get("storage", {}).get(path)
        return self._fixture.get("namespace_files", {}).get(namespace or self._namespace, {}).get(path)

    def file_uri(self, path: str, namespace: str | None) -> str:
        folder = (namespace or self._namespace).replace(".", "/")
        return f"kestra:///{folder}/_files/{path.lstrip('/')}"

    def file_size(self, path: str, namespace: str | None) -> int:
        return len(str(self.read(path, namespace)).encode())

    def file_exists(self, path: str, namespace: str | None) -> bool:
        return self._file(path, namespace) is not None

    def is_file_empty(self, path: str, namespace: str | None) -> bool:
        return self.file_size(path, namespace) == 0

    def http(self, uri: str, *, method: str, **_: object) -> object:
        answer = self._fixture.get("http", {}).get(f"{method} {uri}")
        if answer is None:
            raise EvaluationError(f"Failed to execute HTTP Request: no answer is given for {method} {uri}")
        status = answer.get("status", 200)
        if status >= 400:
            raise EvaluationError(f"Failed to execute HTTP Request, server respond with status {status} : {answer}")
        return answer.get("json", answer.get("text", answer.get("body")))

    def error_logs(self) -> list[dict[str, object]]:
        return [entry for entry in self._fixture.get("logs", []) if entry.get("level") == "ERROR"]

    def subflow(self, namespace: str, flow_id: str, **_: object) -> object:
        found = self._fixture.get("subflows", {}).get(f"{namespace}.{flow_id}")
        if found is None:
            raise EvaluationError(f"The flow '{flow_id}' does not exist in the namespace '{namespace}'.")
        return found

    def app_link(self, app_id: str | None, *, base_url: bool) -> str:
        return str(self._fixture.get("apps", {}).get(app_id, f"https://localhost/apps/{app_id}"))

    def credential(self, name: str) -> str:
        found = self._fixture.get("credentials", {}).get(name)
        if found is None:
            raise EvaluationError(f"The credential '{name}' does not exist.")
        return str(found)

    def random_port(self) -> int:
        return random.randint(49152, 65535)


def _with_parents(namespace: str) -> list[str]:
    parts = namespace.split(ROOT_NAMESPACE_SEPARATOR)
    return [ROOT_NAMESPACE_SEPARATOR.join(parts[:length]) for length in range(len(parts), 0, -1)]


def _secret(key: str, value: str, *, subkey: str | None, full: bool) -> object:
    if subkey is not None:
        try:
            return json.loads(value)[subkey]
        except (ValueError, KeyError, TypeError) as error:
            raise EvaluationError(f"Cannot find the subkey '{subkey}' of the secret '{key}'.") from error
    return {"value": value, "metadata": {}} if full else value


def run_case(case: Mapping[str, Any]) -> Outcome:
    """Renders one case and compares."""
    name = str(case.get("name", "?"))
    variables = _typed_values(case.get("variables") or {})
    host = FixtureHost(case.get("host") or {}, variables)
    context = RenderContext(
        variables,
        host=host,
        now=lambda: clock.SystemClock().now(),
        random=random.random,
        new_id=ids.new_id,
        limits=Limits(),
        monotonic=clock.monotonic,
        recursive=bool(case.get("recursive")),
    )
    try:
        template = compile_template(str(case["template"]))
        result = template.evaluate(context) if case.get("mode") == "typed" else template.render(context)
    except ExpressionError as error:
        return Outcome(name, _compare_error(case.get("error"), error))
    return Outcome(name, _compare(case, result))


def _typed_values(value: Any) -> Any:
    """The variables of a case, with its typed values (`$type`) made."""
    if isinstance(value, dict):
        if "$type" in value:
            return _typed_value(value["$type"], str(value["value"]))
        return {str(key): _typed_values(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_typed_values(item) for item in value]
    return value


def _typed_value(kind: str, text: str) -> object:
    if kind == "local_date":
        return date.fromisoformat(text)
    moment = datetime.fromisoformat(text)
    if kind == "instant":
        return moment.astimezone(UTC)
    if kind == "zoned_datetime" and moment.tzinfo is UTC:
        return moment.replace(tzinfo=ZULU)
    return moment


def _compare(case: Mapping[str, Any], result: object) -> str | None:
    if case.get("error"):
        return f"expected an error {case['error']}, got {result!r}"
    if "expect_match" in case:
        pattern = str(case["expect_match"])
        return None if re.search(pattern, str(result)) else f"expected a match of {pattern!r}, got {result!r}"
    expected = case.get("expect")
    if case.get("mode") == "typed":
        same = _same(_plain(expected), result)
    else:
        same = isinstance(result, str) and (expected == result or _same_json(str(expected), result))
    return None if same else f"expected {expected!r}, got {result!r}"


def _same(expected: object, found: object) -> bool:
    """Equality that tells booleans from numbers."""
    if isinstance(expected, bool) or isinstance(found, bool):
        return expected is found
    if isinstance(expected, dict) and isinstance(found, Mapping):
        return expected.keys() == found.keys() and all(_same(expected[key], found[key]) for key in expected)
    if isinstance(expected, list) and isinstance(found, list):
        return len(expected) == len(found) and all(map(_same, expected, found))
    return expected == found


def _plain(value: object) -> object:
    return _typed_values(value)


def _same_json(expected: str, found: str) -> bool:
    """Maps in a text are compared as JSON objects: the order of keys does not matter."""
    if not expected.startswith(("{", "[")):
        return False
    try:
        return bool(json.loads(expected) == json.loads(found))
    except ValueError:
        return False


def _compare_error(expected: Any, error: ExpressionError) -> str | None:
    if not expected:
        return f"unexpected {error.kind} error: {error}"
    wanted = expected if isinstance(expected, dict) else {}
    if wanted.get("kind", error.kind) != error.kind:
        return f"expected an error of kind {wanted['kind']}, got {error.kind}: {error}"
    if "contains" in wanted and wanted["contains"] not in str(error):
        return f"expected an error with {wanted['contains']!r}, got: {error}"
    if "line" in wanted and wanted["line"] != error.line:
        return f"expected an error at line {wanted['line']}, got line {error.line}"
    return None


def load_cases(path: Path) -> list[dict[str, Any]]:
    """The cases of a YAML file."""
    import yaml

    found = yaml.safe_load(path.read_text(encoding="utf-8"))
    return [case for case in found or [] if isinstance(case, dict)]


def main(arguments: Sequence[str]) -> int:
    """Runs the cases of all files; the exit status."""
    if not arguments:
        sys.stderr.write("usage: python -m penstock.testing.expressions FILE…\n")
        return 2
    passed = failed = 0
    for argument in arguments:
        for case in load_cases(Path(argument)):
            outcome = run_case(case)
            if outcome.problem is None:
                passed += 1
                continue
            failed += 1
            sys.stdout.write(f"FAILED {outcome.name}: {outcome.problem}\n  template: {case.get('template')!r}\n")
    sys.stdout.write(f"{passed} passed, {failed} failed\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
