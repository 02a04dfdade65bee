"""Random templates and what they are rendered with, for the fuzz test and the long run.

`python tests/unit/expr/random_templates.py --count 1000000 [--seed N]` renders that many, and prints how they ended; it exits 1
when one raised anything but the room's own errors, or went beyond its limits.
"""

from __future__ import annotations

import argparse
import collections
import random
import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

from penstock.expr import ExpressionError, Limits, RenderContext, Secret, compile_template
from penstock.expr.filters import FILTERS
from penstock.expr.functions import FUNCTIONS
from penstock.expr.predicates import PREDICATES

LIMITS = Limits(output=20_000, iterations=3_000, passes=20, seconds=2.0, depth=30, range_size=2_000)
SECONDS_ALLOWED = 10.0
_FILTERS = list(FILTERS)
_FUNCTIONS = list(FUNCTIONS)
_TESTS = [*PREDICATES, "defined", "nope"]
_OPERATORS = [
    "or",
    "and",
    "==",
    "!=",
    ">",
    "<",
    ">=",
    "<=",
    "??",
    "???",
    "isIn",
    "contains",
    "equals",
    "+",
    "-",
    "*",
    "/",
    "%",
    "~",
    "..",
]


class Stored:
    """A lazy value."""

    def load(self) -> object:
        return [1, "two", {"three": 3}]


class Streamed(Stored):
    """A lazy list that streams."""

    def __iter__(self) -> Iterator[object]:
        return iter(range(50))


class Rows(Mapping[str, object]):
    """A lazy mapping."""

    def __getitem__(self, name: str) -> object:
        if name == "task":
            return {"value": "v", "rows": [{"a": 1}, {"a": 2}], "stored": Stored(), "stream": Streamed()}
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(["task"])

    def __len__(self) -> int:
        return 1


VARIABLES: dict[str, object] = {
    "a": "text",
    "b": 42,
    "c": 1.5,
    "n": None,
    "t": True,
    "f": False,
    "l": [3, 1, 2],
    "words": ["b", "a", "a b"],
    "mixed": [1, "a", None, 1.5, True, {"k": "v"}, [1]],
    "m": {"k": "v", "n": None, "x": {"y": [1, {"z": 2}]}, "1": "one"},
    "empty": "",
    "nothing": [],
    "big": 10**60,
    "min": -(2**63),
    "inf": float("inf"),
    "nan": float("nan"),
    "dec": Decimal("1.10"),
    "raw": b"\x00\xff",
    "uni": "é\u2028😀\ud800x",
    "lines": "a\r\nb\n c\n",
    "json": '{"a": [1, 2.5, null, "x"]}',
    "date": "2024-02-29T10:11:12.123456789Z",
    "instant": datetime(2024, 2, 29, 10, tzinfo=UTC),
    "zoned": datetime(2024, 3, 31, 1, 30, tzinfo=ZoneInfo("Europe/Paris")),
    "offset": datetime(2024, 3, 31, 1, 30, tzinfo=timezone(timedelta(hours=-3))),
    "local": datetime(2024, 1, 1),  # noqa: DTZ001
    "day": date(2024, 1, 1),
    "span": timedelta(seconds=90),
    "secret": Secret("s3cr3t"),
    "self": "{{ self }}",
    "loop1": "{{ loop2 }}",
    "loop2": "{{ loop1 }}x",
    "tpl": "{{ a | upper }} {% for i in l %}{{ i }}{% endfor %}",
    "regex": "(a+)+$",
    "aaa": "a" * 40 + "!",
    "long": "x" * 3000,
    "outputs": Rows(),
    "lazy": Streamed(),
    "taskrun": {"value": "v", "iteration": 2},
    "tasks": {"x": {"state": "FAILED"}, "y": {"v": {"state": "SUCCESS"}}},
    "parents": [{"taskrun": {"value": "p"}}],
    "envs": {"x": "1"},
}
_NAMES = [*VARIABLES, *VARIABLES, "missing", "_context", "loop", "x", "y", "i"]
_KEYS = ["k", "n", "x", "y", "task", "rows", "value", "a", "size", "key", "missing", "stream", "stored"]
_TEXTS = [
    "", " ", "a", "abc", "yyyy-MM-dd", "DAYS", "MONTHS", "UTC", "Europe/Paris", "[a-z]+", "(", "(a|b)*c", "%s", "%5.2f", "%,d",
    "#,##0.00", "0", "{", "{{ a }}", "{{ b }", "{% if t %}x{% endif %}", ".", ".[]", ".a?", "map(.+1)", "..", "FR", "MONDAY", "FIRST",
    "single", "shell", "2024-01-01", "2024-01-01T00:00:00Z", "not a date", "1", "-3.5", "0x1F", "1e400", "é😀", "\n", "MMMM d, yyyy",
    "fr", "xx_YY", "iso", "sql", "full", "rfc_1123_date_time", "$1", "\\", "a: 1", "- 1\n- [2", "{a:1}", "key", "true", "null",
]  # fmt: skip
_JQ = [
    ".a", ".[]?", "[..]", "map(.)?", "[range(1e9)]", "def f: f; f", "def f: [f]; f", '"a" * 1e9', 'reduce range(100) as $i ("a"; . + .)',
    "reduce range(100) as $i ([1]; . + .)", "reduce range(100) as $i (1; [., .])", "repeat(.)", "until(false; .)", "[limit(1e7; repeat(1))]",
    "until(false; [., .])", "input", "env, $ENV", 'tostring | test("(a+)+$")', "[recurse([.])]", "[combinations(9)]?", "tojson | tojson",
    "to_entries", "keys?", "length?", "add?", "sort?", "group_by(.)?", ".. |= [.]", "[paths]", "map(tostring)?", "@csv?", "[range(2000)] | combinations",
    "reduce range(200) as $i (.; [.])", "reduce range(30) as $i (1; . * 1e300)", "walk([.])", "setpath([1000000]; 1)?", "[.[]?] | transpose?",
    "with_entries(.value |= [., .])?", 'gsub("";"xxxx")?', "[splits(\"a\")?]", "now | todate", "1e300 | todate?", 'strftime("%Q%Y")?', "tostream", ".[",
]  # fmt: skip
_SENSIBLE = {
    "abbreviate": ["(5)", "(2)"], "chunk": ["(2)"], "date": ["('yyyy/MM/dd HH:mm')", "('EEEE d MMMM', locale='fr')", "('iso_week_date')"],
    "dateAdd": ["(1, 'DAYS')", "(-3, 'MONTHS')", "(100, 'NANOS')"], "default": ["('d')"], "endsWith": ["('a')"], "format": ["(1, 'a', 2.5)"],
    "escapeChar": ["('shell')"], "indent": ["(2)"], "join": ["(', ')"], "jq": [f"('{program}')" for program in _JQ],
    "merge": ["([1])", "({'z': 1})"], "nindent": ["(3, '-')"], "number": ["", "('DOUBLE')"], "numberFormat": ["('#,##0.0')"],
    "regexExtract": ["('[a-z]+')", "(regex)"], "regexMatch": ["('a')", "(regex)"], "regexReplace": ["('(a)', '<$1>')", "('', long)"],
    "replace": ["({'a': 'bb'})", "({'': long})", "({'(a)': '$1$1'}, regexp=true)"], "slice": ["(0, 1)", "(1)"], "split": ["(',')", "('')", "('[a-z]', 3)"],
    "startsWith": ["('t')"], "substringAfter": ["('e')"], "substringBefore": ["('e')"], "substringAfterLast": ["(' ')"],
    "substringBeforeLast": ["(' ')"], "dayOfWeek": ["(date)", "(day)"], "dayOfMonth": ["(instant)"], "fromJson": ["(json)"], "json": ["(json)"],
    "fromIon": ["('{a:1}')"], "yaml": ["", "('a: [1, 2]')"], "isDayWeekInMonth": ["(day, 'MONDAY', 'LAST')"], "isLastWorkingDay": ["(day)"],
    "isPublicHoliday": ["(day, 'FR')"], "isWeekend": ["(day)"], "hourOfDay": ["(zoned)"], "monthOfYear": ["(day)"], "max": ["(1, 2.5, b)"],
    "min": ["('a', 'b')"], "nanoId": ["(5)"], "range": ["(0, 10)", "(1, 100000, 7)", "('a', 'f')"], "randomInt": ["(1, 10)"],
    "render": ["(tpl)", "(loop1)", "(m)", "(self)", "(mixed)"], "renderOnce": ["(tpl)"], "env": ["('x')"], "tasksWithState": ["('failed')"],
    "isDateBetween": ["(instant, '2020-01-01T00:00:00Z', offset)"], "currentEachOutput": ["(outputs)"], "iterationOutput": ["('task')"],
    "timestamp": ["('UTC')"], "now": ["()", "('sql')"], "loopOutputs": ["(mixed, 'k')"], "encrypt": ["('MTIzNDU2Nzg5MDEyMzQ1Ng==', a)"],
}  # fmt: skip
_NAMED = [
    "format",
    "timeZone",
    "regex",
    "replacement",
    "recursive",
    "amount",
    "size",
    "default",
    "locale",
    "group",
    "length",
]


class Generator:
    """Templates from one source of chance."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance

    def template(self) -> str:
        text = self.body(self.chance.randint(0, 3))
        while self.chance.random() < 0.1:
            text = self.damaged(text)
        return text

    def damaged(self, text: str) -> str:
        """One random change."""
        at = self.chance.randint(0, len(text))
        match self.chance.randint(0, 3):
            case 0:
                return text[:at] + text[at + self.chance.randint(1, 4) :]
            case 1:
                return text[:at] + self.chance.choice("{}%#()[]|~.\"'\\,:?-+ \n=é0L!&") + text[at:]
            case 2:
                end = at + self.chance.randint(1, 20)
                return text[:end] + text[at:]
            case _:
                other = self.chance.randint(0, len(text))
                return text[:at] + text[other : other + 10] + text[at:]

    def body(self, depth: int) -> str:
        return "".join(self.part(depth) for _ in range(self.chance.randint(1, 3)))

    def part(self, depth: int) -> str:
        kind = self.chance.random()
        if kind < 0.15 or depth < 0:
            return self.chance.choice(["text ", "\n", "{", "}", "# ", "é", "{# c #}", "{% raw %}{{ x }}{% endraw %}"])
        if kind < 0.7:
            dash = self.chance.choice(["", "", "", "-"])
            return f"{{{{{dash} {self.expression(3)} {dash}}}}}"
        return self.tag(depth - 1)

    def tag(self, depth: int) -> str:
        match self.chance.randint(0, 7):
            case 0 | 1:
                other = "{% else %}" + self.body(depth) if self.chance.random() < 0.5 else ""
                return f"{{% if {self.expression(2)} %}}{self.body(depth)}{other}{{% endif %}}"
            case 2 | 3:
                name = self.chance.choice(["i", "x", "y"])
                return f"{{% for {name} in {self.expression(2)} %}}{self.body(depth)}{{% endfor %}}"
            case 4:
                return f"{{% set {self.chance.choice(['x', 'y', 'a'])} = {self.expression(3)} %}}"
            case 5:
                calls = "{{ mac(1) }}" if self.chance.random() < 0.8 else ""
                return f"{{% macro mac(x, y=2) %}}{self.body(depth)}{{% endmacro %}}{calls}"
            case 6:
                return f"{{% filter {self.chance.choice(_FILTERS)} %}}{self.body(depth)}{{% endfilter %}}"
            case _:
                return f"{{% block b %}}{self.body(depth)}{{% endblock %}}" + "{{ block('b') }}"

    def expression(self, depth: int) -> str:
        if depth <= 0:
            return self.atom()
        inner = depth - 1
        match self.chance.randint(0, 13):
            case 0 | 1:
                return self.atom()
            case 2 | 3 | 4 | 5:
                return f"{self.expression(inner)} | {self.call(_FILTERS, inner)}"
            case 6 | 7:
                return f"{self.expression(inner)} {self.chance.choice(_OPERATORS)} {self.expression(inner)}"
            case 8 | 9:
                made = self.call(_FUNCTIONS, inner)
                return made if made.endswith(")") else made + "()"
            case 10:
                word = self.chance.choice(["is", "is not"])
                return f"({self.expression(inner)}) {word} {self.chance.choice(_TESTS)}"
            case 11:
                return f"{self.expression(inner)} ? {self.expression(inner)} : {self.expression(inner)}"
            case 12:
                items = ", ".join(self.expression(inner) for _ in range(self.chance.randint(0, 3)))
                return (
                    f"[{items}]"
                    if self.chance.random() < 0.5
                    else f"({self.chance.choice('-+')}({self.expression(inner)}))"
                )
            case _:
                return (
                    f"{{{self.text()}: {self.expression(inner)}}}"
                    if self.chance.random() < 0.5
                    else f"not {self.atom()}"
                )

    def call(self, names: list[str], depth: int) -> str:
        """A filter or function, more often than not with arguments that make sense."""
        name = self.chance.choice(names)
        if self.chance.random() < 0.7:
            return name + self.chance.choice(_SENSIBLE.get(name, [""]))
        return name + self.arguments(depth)

    def arguments(self, depth: int) -> str:
        count = self.chance.choice([0, 0, 1, 1, 1, 2, 2, 3])
        if count == 0:
            return self.chance.choice(["", "()"])
        parts = [self.expression(depth) if self.chance.random() < 0.5 else self.text() for _ in range(count)]
        if self.chance.random() < 0.2:
            parts[-1] = f"{self.chance.choice(_NAMED)}={parts[-1]}"
        return f"({', '.join(parts)})"

    def atom(self) -> str:
        kind = self.chance.random()
        if kind < 0.6:
            name = self.chance.choice(_NAMES)
            while self.chance.random() < 0.15:
                name += self.chance.choice(
                    [f".{self.chance.choice(_KEYS)}", "[0]", "[-1]", f"['{self.chance.choice(_KEYS)}']"]
                )
            if self.chance.random() < 0.03:
                name += f".{self.chance.choice(['length', 'size', 'keySet', 'getClass', 'get', 'replace'])}()"
            return name
        if kind < 0.75:
            return self.text()
        return self.chance.choice(
            ["0", "1", "2", "-1", "7", "100", "1000000", "9223372036854775807", "1.5", "0.0", "true", "null", "10L"]
        )

    def text(self) -> str:
        text = self.chance.choice(_TEXTS)
        if self.chance.random() < 0.1:
            return '"#{' + self.atom() + '}"'
        return "'" + text.replace("'", "\\'") + "'"


def context(*, recursive: bool = False, chance: random.Random | None = None) -> RenderContext:
    """A context with small limits and no host."""
    source = chance or random.Random(1)
    return RenderContext(
        VARIABLES,
        now=lambda: datetime(2024, 1, 1, tzinfo=UTC),
        random=source.random,
        new_id=lambda: "0" * 22,
        limits=LIMITS,
        monotonic=time.monotonic,
        recursive=recursive,
    )


def attempt(template: str, chance: random.Random) -> str:
    """Renders one template; how it ended. AssertionError when it went beyond a limit."""
    start = time.monotonic()
    try:
        compiled = compile_template.__wrapped__(template)
        made = context(recursive=chance.random() < 0.1, chance=chance)
        if chance.random() < 0.3:
            ended = type(compiled.evaluate(made)).__name__
        else:
            text = compiled.render(made)
            ended = "text"
            assert len(text) <= max(LIMITS.output, len(template)), f"{len(text)} characters"
        assert compiled.references is not None
    except ExpressionError as error:
        str(error)  # the text of a message must not fail either
        ended = type(error).__name__
    took = time.monotonic() - start
    assert took < SECONDS_ALLOWED, f"{took} seconds"
    return ended


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    ends: collections.Counter[str] = collections.Counter()
    faults = 0
    slowest = (0.0, "")
    began = time.monotonic()
    for number in range(options.count):
        chance = random.Random(options.seed * 1_000_000_007 + number)
        template = Generator(chance).template()
        start = time.monotonic()
        try:
            ends[attempt(template, chance)] += 1
        except Exception:
            faults += 1
            ends["FAULT"] += 1
            if faults <= 20:
                print(f"FAULT seed {options.seed} number {number}: {template!r}\n{traceback.format_exc()}", flush=True)
        slowest = max(slowest, (time.monotonic() - start, template))
    took = time.monotonic() - began
    print(f"{options.count} templates in {took:.0f} s, {faults} faults, slowest {slowest[0]:.2f} s: {slowest[1]!r}")
    for name, count in ends.most_common():
        print(f"  {name:22} {count}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
