"""Sources of small flows."""

from __future__ import annotations


def flow_source(flow_id: str = "hello", namespace: str = "company.team", extra: str = "") -> str:
    """A small flow; `extra` is added at the top level."""
    return (
        f"id: {flow_id}\nnamespace: {namespace}\n{extra}"
        "tasks:\n  - id: say\n    type: io.kestra.plugin.core.log.Log\n    message: Hi\n"
    )
