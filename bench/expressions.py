"""Rendering speed of compiled templates, next to Jinja2's compiled templates on the same twenty templates.

`python bench/expressions.py [--rounds N] [--json FILE]` prints a line per template (microseconds for one rendering, the
ratio Jinja2 / Penstock: above 1 Penstock is faster) and the geometric mean of the ratios last.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import jinja2

from penstock.expr import RenderContext, compile_template
from penstock.ids import new_id

ROWS = [{"id": number, "name": f"row {number}", "price": number * 1.5, "tags": ["a", "b"]} for number in range(100)]
VARIABLES: dict[str, object] = {
    "outputs": {
        "extract": {"uri": "kestra:///company/team/flow/executions/1/tasks/extract/2/data.csv", "rows": 1200},
        "list": {"names": ["alpha", "beta", "gamma", "delta"], "rows": ROWS},
        "query": {"row": {"id": 7, "total": 42.5}},
    },
    "inputs": {"environment": "prod", "region": "eu-west-1", "limit": 100, "enabled": True, "empty": ""},
    "flow": {"id": "nightly", "namespace": "company.team", "revision": 3},
    "execution": {"id": "5cBZ1JF8kim8fbFg13bumX", "state": "RUNNING"},
    "taskrun": {"value": "alpha", "iteration": 3},
    "labels": {"team": "data", "cost": "low"},
}

# Name, Kestra's text, Jinja2's text: the same result, checked before anything is measured.
TEMPLATES: tuple[tuple[str, str, str], ...] = (
    ("path", "{{ outputs.extract.uri }}", "{{ outputs.extract.uri }}"),
    ("subscript", "{{ outputs['extract']['rows'] }}", "{{ outputs['extract']['rows'] }}"),
    ("two paths", "{{ flow.namespace }}/{{ flow.id }}", "{{ flow.namespace }}/{{ flow.id }}"),
    (
        "url",
        "https://api.example.com/v1/{{ inputs.region }}/jobs/{{ execution.id }}?limit={{ inputs.limit }}",
        "https://api.example.com/v1/{{ inputs.region }}/jobs/{{ execution.id }}?limit={{ inputs.limit }}",
    ),
    ("computed key", "{{ labels[inputs.empty ~ 'team'] }}", "{{ labels[inputs.empty ~ 'team'] }}"),
    ("list index", "{{ outputs.list.names[2] }}", "{{ outputs.list.names[2] }}"),
    (
        "comparison",
        "{{ inputs.limit > 50 and flow.revision == 3 }}",
        "{{ (inputs.limit > 50 and flow.revision == 3)|lower }}",
    ),
    ("arithmetic", "{{ outputs.extract.rows * 2 + inputs.limit }}", "{{ outputs.extract.rows * 2 + inputs.limit }}"),
    (
        "ternary",
        "{{ inputs.environment == 'prod' ? 'live' : 'test' }}",
        "{{ 'live' if inputs.environment == 'prod' else 'test' }}",
    ),
    ("default", "{{ inputs.missing ?? 'none' }}", "{{ inputs.missing | default('none') }}"),
    ("default chain", "{{ labels.date ?? outputs.query.row.id }}", "{{ labels.date | default(outputs.query.row.id) }}"),
    ("filters", "{{ inputs.environment | upper | length }}", "{{ inputs.environment | upper | length }}"),
    ("join", "{{ outputs.list.names | join(', ') }}", "{{ outputs.list.names | join(', ') }}"),
    ("replace", "{{ flow.namespace | replace({'.': '/'}) }}", "{{ flow.namespace | replace('.', '/') }}"),
    (
        "concat",
        "{{ flow.namespace ~ '.' ~ flow.id ~ '-' ~ taskrun.iteration }}",
        "{{ flow.namespace ~ '.' ~ flow.id ~ '-' ~ taskrun.iteration }}",
    ),
    (
        "if",
        "{% if inputs.enabled %}on in {{ inputs.region }}{% else %}off{% endif %}",
        "{% if inputs.enabled %}on in {{ inputs.region }}{% else %}off{% endif %}",
    ),
    (
        "for",
        "{% for value in outputs.list.names %}- {{ value }}\n{% endfor %}",
        "{% for value in outputs.list.names %}- {{ value }}\n{% endfor %}",
    ),
    (
        "for 100 rows",
        "{% for row in outputs.list.rows %}{{ row.id }};{{ row.name }};{{ row.price }}\n{% endfor %}",
        "{% for row in outputs.list.rows %}{{ row.id }};{{ row.name }};{{ row.price }}\n{% endfor %}",
    ),
    (
        "for with loop",
        "{% for row in outputs.list.rows %}{% if loop.first %}first: {% endif %}"
        "{{ loop.index }} {{ row.name | upper }}, {% endfor %}",
        "{% for row in outputs.list.rows %}{% if loop.first %}first: {% endif %}"
        "{{ loop.index0 }} {{ row.name | upper }}, {% endfor %}",
    ),
    ("json", "{{ outputs.list.rows | toJson }}", "{{ outputs.list.rows | json }}"),
)


def context() -> RenderContext:
    """A context as a worker makes one."""
    return RenderContext(
        VARIABLES, now=lambda: datetime.now(UTC), random=random.random, new_id=new_id, monotonic=time.monotonic
    )


def measure(run: Callable[[], object], seconds: float) -> float:
    """Microseconds of one call: the best of five samples."""
    count = 1
    while True:
        start = time.perf_counter()
        for _ in range(count):
            run()
        took = time.perf_counter() - start
        if took > seconds / 10:
            break
        count *= 2
    best = took / count
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(count):
            run()
        best = min(best, (time.perf_counter() - start) / count)
    return best * 1e6


def compare(seconds: float) -> list[tuple[str, float, float]]:
    """Name, microseconds of Penstock and of Jinja2 for each template."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    environment.filters["json"] = lambda value: json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    results: list[tuple[str, float, float]] = []
    for name, ours, theirs in TEMPLATES:
        template, other = compile_template(ours), environment.from_string(theirs)
        made, expected = template.render(context()), other.render(VARIABLES)
        if made != expected:
            raise SystemExit(f"{name}: {made[:200]!r} is not {expected[:200]!r}")
        shared = context()
        results.append(
            (
                name,
                measure(partial(template.render, shared), seconds),
                measure(partial(other.render, VARIABLES), seconds),
            )
        )
    return results


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=0.2, help="seconds for each sample")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    results = compare(options.seconds)
    print(f"{'template':16} {'penstock µs':>12} {'jinja2 µs':>12} {'ratio':>8}")
    for name, ours, theirs in results:
        print(f"{name:16} {ours:12.2f} {theirs:12.2f} {theirs / ours:8.2f}")
    mean = math.exp(sum(math.log(theirs / ours) for _, ours, theirs in results) / len(results))
    slowest = min(theirs / ours for _, ours, theirs in results)
    print(f"ratio (geometric mean): {mean:.2f}, smallest: {slowest:.2f}")
    if options.json:
        figures = {name: {"penstock_us": ours, "jinja2_us": theirs} for name, ours, theirs in results}
        options.json.write_text(json.dumps({"templates": figures, "ratio": mean}, indent=2))


if __name__ == "__main__":
    main()
