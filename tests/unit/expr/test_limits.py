"""Hostile templates: each ends with a LimitReached (or another error of the room), soon and without growing."""

from __future__ import annotations

import contextlib
import time
import tracemalloc

import pytest
from expr_contexts import make_context

from penstock.expr import ExpressionError, LimitReached, Limits, RenderContext, compile_template

SMALL = Limits(output=100_000, iterations=20_000, seconds=3.0, depth=50)
VARIABLES: dict[str, object] = {
    "long": "x" * 10_000,
    "one": "{{ two }}",
    "two": "{{ one }}",
    "grow": "{{ grow }}{{ grow }}",
    "aaa": "a" * 60 + "!",
    "list": list(range(1000)),
    "a": [1],
}

HOSTILE = [
    "{{ range(0, 1000000) }}",
    "{% for i in 1..1000 %}{% for j in 1..1000 %}{% endfor %}{% endfor %}",
    "{% for i in 1..1000 %}{{ long }}{% endfor %}",
    "{% set s = long %}{% for i in 1..40 %}{% set s = s ~ s %}{% endfor %}{{ s | length }}",
    "{% set s = 'a' %}{% for i in 1..60 %}{% set s = s + s %}{% endfor %}{{ s | length }}",
    "{% set l = [1] %}{% for i in 1..60 %}{% set l = l + l %}{% endfor %}{{ l | length }}",
    "{% set l = [1] %}{% for i in 1..60 %}{% set l = [l, l] %}{% endfor %}{{ l }}",
    "{% set l = [1] %}{% for i in 1..60 %}{% set l = [l, l] %}{% endfor %}{{ l ~ '' }}",
    "{% set l = [1] %}{% for i in 1..60 %}{% set l = [l, l] %}{% endfor %}{{ l | yaml }}",
    "{% set l = [1] %}{% for i in 1..60 %}{% set l = [l, l] %}{% endfor %}{{ l | toIon }}",
    "{% set l = [1] %}{% for i in 1..60 %}{% set l = [l, l] %}{% endfor %}{{ l | jq('.') }}",
    "{% set l = [1] %}{% for i in 1..60 %}{% set l = [l, l] %}{% endfor %}{{ render(l) }}",
    "{% set l = [1] %}{% for i in 1..60 %}{% set l = [l, l] %}{% endfor %}{{ l | replace({'a': 'b'}) }}",
    "{% set l = [1] %}{% set m = [1] %}{% for i in 1..40 %}{% set l = [l, l] %}{% set m = [m, m] %}{% endfor %}{{ l == m }}",
    "{% set l = [1] %}{% for i in 1..1000 %}{% set l = [l] %}{% endfor %}{{ l }}",
    "{% set n = 2 %}{% for i in 1..100 %}{% set n = n * n %}{% endfor %}{{ n }}",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}",
    "{% block b %}{{ block('b') }}{% endblock %}",
    "{% block b %}{{ block('b') }}{{ block('b') }}{% endblock %}",
    "{{ render(one) }}",
    "{{ render(grow) }}",
    "{{ aaa | regexMatch(regex='((a{1000}){1000}){1000}') }}",
    "{{ long | replace({'x': 'yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy'}) }}",
    "{{ long | regexReplace(regex='x', replacement='yyyyyyyyyyyyyyyyyyyyyyyy') }}",
    "{{ '%999999999d' | format(1) }}",
    "{{ '%9999d%9999d%9999d%9999d%9999d%9999d%9999d%9999d%9999d%9999d%9999d' | format(1,1,1,1,1,1,1,1,1,1,1) }}",
    "{{ list | join(long) }}",
    "{{ long | indent(1000000000) }}",
    "{{ 'a' | nindent(5000, long) }}",
    "{{ nanoId(1000000000) }}",
    "{{ 1.0 | numberFormat('0.%s') }}" % ("0" * 1000),
    "{{ '[' | yaml }}{{ yaml('a: &a [x,x]\nb: &b [*a,*a]') }}",
    "{{ a | jq('[range(1e9)]') }}",
    "{{ a | jq('def f: f; f') }}",
    "{{ a | jq('\"a\" * 1e9') }}",
    "{{ a | jq('reduce range(100) as $i (.; . + .)') }}",
    "{{ a | jq('until(false; [., .])') }}",
    "{{ a | jq('repeat(.)') }}",
]  # fmt: skip

BACKTRACKING = ["(a+)+$", "(a|aa)+$", "(a*)*b", "^(a?){60}a{60}$", "((a+)*)+c", "(.*)*(.*)*(.*)*x"]


def _context(*, recursive: bool = False, limits: Limits = SMALL) -> RenderContext:
    return make_context(VARIABLES, limits=limits, recursive=recursive)


@pytest.mark.parametrize("template", HOSTILE)
def test_hostile_templates_end_soon(template: str) -> None:
    start = time.monotonic()
    with pytest.raises(ExpressionError) as caught:
        compile_template(template).render(_context())
    assert time.monotonic() - start < 20
    assert caught.value.line is not None


@pytest.mark.parametrize("pattern", BACKTRACKING)
@pytest.mark.parametrize(
    "use", ["regexMatch(regex='%s')", "replace({'%s': 'x'}, regexp=true)", "split('%s')", "jq('test(\"%s\")')"]
)
def test_patterns_that_backtrack_end_soon(pattern: str, use: str) -> None:
    template = "{{ text | " + use % pattern + " }}"
    context = make_context({"text": '"' + "a" * 60 + '!"'}, limits=Limits(seconds=0.5))
    start = time.monotonic()
    with contextlib.suppress(LimitReached):
        compile_template(template).render(context)
    assert time.monotonic() - start < 10


def test_they_do_not_swell() -> None:
    tracemalloc.start()
    try:
        for template in HOSTILE:
            with contextlib.suppress(ExpressionError):
                compile_template(template).render(_context(limits=Limits(output=20_000, iterations=2000, seconds=3)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100_000_000


def test_typed_results_are_bounded_too() -> None:
    template = "{% set l = [1] %}{% for i in 1..40 %}{% set l = [l, l] %}{% endfor %}{% if true %}{{ l }}{% endif %}"
    with pytest.raises(LimitReached):
        compile_template(template).evaluate(_context())


def test_recursive_rendering_is_bounded() -> None:
    with pytest.raises(ExpressionError, match="Too many rendering attempts"):
        compile_template("{{ one }}").render(_context(recursive=True))
    with pytest.raises(ExpressionError):
        compile_template("{{ grow }}").render(_context(recursive=True))


def test_the_deadline_is_kept() -> None:
    ticks = iter(range(1_000_000))
    context = RenderContext(
        {},
        now=lambda: None,  # pyright: ignore[reportArgumentType] - not asked for
        random=lambda: 0.5,
        new_id=lambda: "id",
        limits=Limits(seconds=5),
        monotonic=lambda: next(ticks),
    )
    with pytest.raises(LimitReached, match="took longer than 5 seconds"):
        compile_template("{% for i in 1..100000 %}{{ i }}{% endfor %}").render(context)


def test_what_is_large_but_honest_passes() -> None:
    context = make_context({"rows": [{"id": number, "name": f"row {number}"} for number in range(20_000)]})
    text = compile_template("{% for row in rows %}{{ row.id }};{{ row.name }}\n{% endfor %}").render(context)
    assert text.count("\n") == 20_000
    assert len(compile_template("{{ rows | toJson }}").render(context)) > 500_000
    assert compile_template("{{ range(1, 1000000) | length }}").render(context) == "1000000"


def test_values_only() -> None:
    """No way from a value to a Python object."""
    for name in ("__class__", "__init__", "format", "keys", "items", "_variables", "mro"):
        for owner in ("a", "long", "1", "_context", "{'x': 1}", "true", "fetchContext()", "now()", "(1..2)"):
            for template in (
                f"{{{{ ({owner}).{name} }}}}",
                f"{{{{ ({owner})['{name}'] }}}}",
                f"{{{{ ({owner}).{name}() }}}}",
            ):
                with pytest.raises(ExpressionError):
                    compile_template(template).render(_context())
