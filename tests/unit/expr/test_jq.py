from __future__ import annotations

import json
from typing import Any

import pytest
from expr_contexts import make_context

from penstock.expr import ExpressionError, Limits, compile_template
from penstock.expr.frame import Frame
from penstock.expr.jq import run

DATA: dict[str, Any] = {
    "a": 1,
    "b": [1, 2, 3, "x", None, True],
    "c": {"d": "hello world", "e": [{"n": "x", "v": 2}, {"n": "y", "v": 1}, {"n": "x", "v": 5}]},
    "s": "a,b, c",
    "z": None,
    "f": 2.5,
    "t": "2015-03-05T23:51:47Z",
}
PROGRAMS = [line for line in r"""
.
.nope
.b[1:3], .b[:-1], .b[-2:]
.c.e | map(.v) | add
.c.e | group_by(.n) | map({n: .[0].n, total: (map(.v) | add)})
.c.e | sort_by(.n, .v) | map(.v)
.c.e | min_by(.v), max_by(.v)
.c.e | unique_by(.n) | length
with_entries(.value |= tostring) | keys
.c.e[] | select(.n == "x") | .v
.z // "default", .missing? // "d", (.b[] // "n")
. as {a: $x, c: {d: $y}} | [$x, $y]
. as [$x] ?// {a: $x} | $x
reduce range(0; 5) as $i (0; . + $i)
[foreach range(5) as $i (0; . + $i; [$i, .])]
[limit(3; range(10))], first(range(5; 10)), [range(5; 0; -2)]
if .a == 1 then "one" elif .a == 2 then "two" else "many" end
try (1 / 0) catch ., try error("x") catch ., [.b[] | try tonumber catch "bad"]
.s | split(","), split(", *"; null), ascii_upcase
.c.d | test("w.r"), (match("o"; "g") | .offset), capture("(?<x>[a-z]+) (?<y>[a-z]+)")
.c.d | sub("o"; "0"), gsub("(?<l>[aeiou])"; "<\(.l)>"), [scan("([a-z])([a-z])")]
.c.d | @base64, @uri, (@base64 | @base64d), length, (explode | implode)
[1, "a\"b", null, true, 2.5] | @csv
"a \(.a + 1) b \(.c.d)", @json "x \(.b)"
.t | fromdate, (strptime("%Y-%m-%dT%H:%M:%SZ") | mktime | todate)
[paths(type == "number")], path(.c.e[0].n), getpath(["c", "d"])
del(.a, .b[0, 2]) | [.a, .b]
.c.e[].v *= 2 | [.c.e[].v]
(.c.e[] | select(.n == "y")).v = 100 | [.c.e[].v]
.q //= 3 | .q, (.b[2:4] = ["q"] | .b)
[..] | length
[1, [2, [3, [4]]]] | flatten, flatten(1), (.[1] | first)
[[1, 2], [3]] | transpose, [[1, 2], [3, 4] | combinations?]
[3, 1, 2] | sort, reverse, min, max, index(2), any(. > 2), all(. > 0)
{"a": [1, {"b": 2}]} | walk(if type == "number" then . + 1 else . end)
{"a": {"x": 1}} * {"a": {"b": 2}}, {"a": 1} + {"b": 2}, "ab" * 2, "a,b" / ","
10 / 4, 10 % 3, -7 % 3, 7.5 - 0.5
def f(x): x * 2; def g($x; $y): $x + $y; f(.a), g(1; 2)
def fac: if . <= 1 then 1 else . * (. - 1 | fac) end; 5 | fac
label $out | foreach .b[] as $i (0; . + 1; if . > 2 then ., break $out else . end)
[0 | while(. < 2000; . + 1)] | length
0 | until(. >= 3000; . + 1)
[tostream] | length
fromstream(tostream) | .a
.c.e | INDEX(.n) | keys
{a, "b": .f, (.s): 1, "x\(.a)": 2}
.. |= (if type == "number" then . + 1 else . end) | .a
[.[] | scalars], map_values(type), (.b | map_values(empty) | length)
null | .a[2] = 1
isempty(empty), isempty(1), ([true, false] | any, all)
.b | has(0), has(10), bsearch(2), first, last, nth(1)
"é😀" | length, utf8bytelength, explode
[3, [1], {"a": 1}, "x", null, true] | sort
.c.d | ltrimstr("hello "), rtrimstr("world"), startswith("h"), ascii_downcase
-(.a), .a -1, .a - 1
""".splitlines() if line]  # fmt: skip


def outputs(program: str, value: object = None) -> list[object]:
    return run(Frame(make_context(), compile_template("")), program, DATA if value is None else value)


@pytest.mark.parametrize("program", PROGRAMS)
def test_as_the_original_does(program: str) -> None:
    """The original library is the judge where it is installed."""
    native = pytest.importorskip("jq")
    expected = native.compile(program).input_value(DATA).all()
    assert json.dumps(outputs(program), sort_keys=True) == json.dumps(expected, sort_keys=True)


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        (".a", [1]),
        (".b[3]", ["x"]),
        (".nope", [None]),
        ("", [DATA]),
        ("empty", []),
        (".b[] | numbers", [1, 2, 3]),
        ("env, $ENV", [{}, {}]),
        ("[.c.e[].v] | add / length", [8 / 3]),
        ("1e3, 1.0", [1000, 1]),
        ("repeat(.)?|1", None),
    ],
)
def test_outputs(program: str, expected: list[object] | None) -> None:
    if expected is not None:
        assert outputs(program) == expected


@pytest.mark.parametrize(
    ("program", "message"),
    [
        (".[", "unexpected the end"),
        (".a.b", 'Cannot index number with "b"'),
        (".a[]", "Cannot iterate over number (1)"),
        (".a + .b", "number (1) and array"),
        ("nope", "nope/0 is not defined"),
        ("$nope", "$nope is not defined"),
        ('"x', "a string is not closed"),
        ('import "x" as y; .', "not allowed"),
        ("input", "No more inputs"),
        ("1 / 0", "divisor is zero"),
        ("path(1)", "Invalid path expression"),
        ('error("mine")', "mine"),
        ("{a: 1", "expected"),
        ('"a" | test("(")', "not a valid regex"),
        ("@nope", "not a valid format"),
    ],
)
def test_errors(program: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        outputs(program)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "program",
    ["[range(1e9)]", "def f: f; f", '"a" * 1e9', 'reduce range(99) as $i ("a"; . + .)', "reduce range(99) as $i (1; [., .]) | tojson", "repeat(.)", "until(false; .)", "[limit(1e7; repeat(1))]",
     "[recurse([.])]", "[[range(2000)], [range(2000)], [range(2000)] | .] | combinations", 'def f: "a" + f; f', "(" * 5000, "[" * 5000, "1" + " + 1" * 5000, '[range(9999)] | map("x" * 9999) | add', "[splits(\"\")] | repeat(.)", "setpath([999999999]; 1)"],
)  # fmt: skip
def test_hostile_programs_end_soon(program: str) -> None:
    context = make_context({"v": DATA, "p": program}, limits=Limits(output=100_000, iterations=50_000, seconds=3))
    with pytest.raises(ExpressionError):
        compile_template("{{ v | jq(p) }}").render(context)


def test_large_inputs_are_fine() -> None:
    rows = [{"id": number, "v": number * 1.5} for number in range(20_000)]
    assert outputs("[.[] | select(.id % 2 == 0) | .v] | length", rows) == [10_000]
