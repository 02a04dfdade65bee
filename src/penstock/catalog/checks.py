"""Checks of a flow: conditions that an execution must meet before it is created (engine.md 5.9)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from penstock.catalog.inputs import InputResolver, InputScope, reveal
from penstock.catalog.rendering import flow_variables
from penstock.errors import PenstockError, Unprocessable
from penstock.model.state import State

if TYPE_CHECKING:
    from penstock.model.flow import Check


@dataclass(frozen=True, slots=True)
class CheckFailure:
    """A check that did not hold: what people are told, how it is shown, and what it does to the execution."""

    message: str
    style: str
    behavior: str


def evaluate_checks(
    checks: Sequence[Check], values: Mapping[str, object], scope: InputScope, resolver: InputResolver
) -> list[CheckFailure]:
    """The checks that do not hold for the resolved input `values`.

    A condition must render to the boolean true. One that cannot be rendered counts as BLOCK_EXECUTION whatever it
    declares, Kestra's rule.
    """
    shown = reveal(values, resolver.vault) if resolver.vault is not None else values
    variables = {"flow": flow_variables(scope.caller, scope.revision), **scope.variables, "inputs": shown}
    failures: list[CheckFailure] = []
    for check in checks:
        try:
            held = resolver.renderer.value(check.when, variables, caller=scope.caller)
        except PenstockError as fault:
            message = f"Failed to evaluate check condition. Cause: {fault}"
            failures.append(CheckFailure(message, "ERROR", "BLOCK_EXECUTION"))
            continue
        if held is not True:
            failures.append(CheckFailure(check.message or check.when, str(check.style), str(check.behavior)))
    return failures


def outcome(failures: Sequence[CheckFailure]) -> State | None:
    """The state an execution is created in for its failed checks: FAILED, or None when it simply starts.

    Raises:
        Unprocessable: one of them blocks the execution; the strongest behaviour wins.
    """
    behaviors = {failure.behavior for failure in failures}
    if "BLOCK_EXECUTION" in behaviors:
        raise Unprocessable(
            "Illegal argument: Flow execution blocked: one or more condition checks evaluated to false.\n"
            f"Failed checks: {', '.join(failure.message for failure in failures)}"
        )
    return State.FAILED if "FAIL_EXECUTION" in behaviors else None
