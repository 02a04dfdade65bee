"""The shared cases, and the runner that users have for their own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from penstock.testing.expressions import load_cases, main, run_case

SHARED = Path(os.environ.get("PENSTOCK_SHARED", Path(__file__).resolve().parents[4] / "shared"))
CASES = SHARED / "conformance" / "expressions.yaml"


@pytest.mark.skipif(not CASES.exists(), reason="the shared cases are not here")
def test_all_shared_cases_pass() -> None:
    cases = load_cases(CASES)
    failed = [(outcome.name, outcome.problem) for outcome in map(run_case, cases) if outcome.problem]
    assert failed == []
    assert len(cases) == 378


def test_the_runner_tells_what_differed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "cases.yaml"
    file.write_text(
        """
- {name: good, template: "{{ a }}", variables: {a: 1}, expect: "1"}
- {name: wrong, template: "{{ a }}", variables: {a: 1}, expect: "2"}
- {name: no-error, template: "x", error: {kind: syntax}}
- {name: wrong-kind, template: "{{ a }}", error: {kind: syntax}}
- {name: wrong-line, template: "\\n{{ a }}", error: {kind: undefined, line: 1}}
- {name: typed, template: "{{ a }}", variables: {a: true}, mode: typed, expect: 1}
""",
        encoding="utf-8",
    )
    assert main([str(file)]) == 1
    out = capsys.readouterr().out
    assert "FAILED wrong: expected '2', got '1'" in out
    assert "FAILED no-error: expected an error" in out
    assert "FAILED wrong-kind: expected an error of kind syntax, got undefined" in out
    assert "FAILED wrong-line: expected an error at line 1, got line 2" in out
    assert "FAILED typed: expected 1, got True" in out
    assert out.endswith("1 passed, 5 failed\n")


def test_the_runner_succeeds_when_all_pass(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "cases.yaml"
    file.write_text('[{name: id, template: "{{ id() }}", expect_match: "^[0-9A-Za-z]{22}$"}]', encoding="utf-8")
    assert main([str(file)]) == 0
    assert capsys.readouterr().out == "1 passed, 0 failed\n"
