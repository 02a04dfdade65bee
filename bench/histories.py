"""Times out of an execution's own state history."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any


def moment(text: str) -> float:
    """Seconds since 1970 of an instant."""
    return datetime.fromisoformat(text).timestamp()


def took_ms(record: Mapping[str, Any]) -> float:
    """Milliseconds from CREATED to the end of an execution or a task run. Raises RuntimeError when it did not succeed."""
    state = record["state"]
    if state["current"] != "SUCCESS":
        raise RuntimeError(f"{record.get('flowId')} ended {state['current']}")
    return 1000 * (moment(state["histories"][-1]["date"]) - moment(state["histories"][0]["date"]))


def first(record: Mapping[str, Any], state: str) -> float:
    """When it first was in `state`, in seconds since 1970."""
    return next(moment(h["date"]) for h in record["state"]["histories"] if h["state"] == state)
