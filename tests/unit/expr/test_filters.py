from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from expr_contexts import make_context

from penstock.expr import EvaluationError, compile_template
from penstock.expr.decimal_format import format_number

Render = Callable[..., str]
VARIABLES: dict[str, object] = {
    "n": None,
    "m": {"b": 1, "a": None},
    "l": [3, 1, 2],
    "crlf": "a\r\nb",
    "tabs": "\t a \n",
    "deep": {"x": ["it's", {"y": "'"}], "z": 1},
    "bytes": b"\x00\x01",
    "dec": Decimal("1234.5"),
}


def check(cases: list[tuple[str, str]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(("template", "text"), cases, ids=[case[0] for case in cases])


@check(
    [
        ("{{ 'abcdef' | abbreviate(3) }}", "abc"),
        ("{{ 'abc' | abbreviate(2) }}", "abc"),
        ("{{ 'abcd' | abbreviate(0) }}", ""),
        ("{{ 'é' | base64encode | base64decode }}{{ 'YQ' | base64decode }}", "éa"),
        ("{{ '  élan VITAL' | capitalize }}{{ 'a-b c' | title }}", "  Élan VITALA-b C"),
        ("{{ true | upper }}{{ [1, 'A'] | lower }}", "TRUE[1, a]"),
        ("[{{ tabs | trim }}]", "[a]"),
        ("{{ [] | default('x') }}{{ {} | default('y') }}{{ n | default(1) }}{{ false | default(2) }}", "xy1false"),
        ("{{ a.b.c | upper | default('x') | upper }}", "X"),
        ("{{ 12 | startsWith(1) }}{{ n | endsWith('x') }}", "truefalse"),
        ("{{ deep | escapeChar('shell') }}", '{"x":["it\'\\\\\'\'s",{"y":"\'\\\\\'\'"}],"z":"1"}'),
        ("{{ '\"' | escapeChar('DOUBLE') }}", '\\"'),
        ("{{ 'a\nb' | indent(2, '-') }}|{{ '' | nindent(2) }}|{{ crlf | indent(1) }}", "a\n--b||a\r\n b"),
        ("{{ 'x' | md5 | length }}{{ 'x' | sha512 | length }}", "32128"),
        ("{{ 'Crème  brûlée_2!' | slugify }}", "creme-brulee-2"),
        ("{{ 1.0 | string }}{{ m | string }}{{ n | string }}", "1.0{b=1, a=null}"),
        ("{{ 'abc' | substringBefore('x') }}|{{ 'abc' | substringAfter('x') }}|{{ 'abc' | substringAfterLast('x') }}", "abc||"),
        ("{{ 'a&b=ü/~*' | urlencode }} {{ 'a%26b+c' | urldecode }}", "a%26b%3D%C3%BC%2F%7E* a&b c"),
        ("{{ 'a.b' | replace({'.': '-', '-': '+'}) }}", "a+b"),
        ("{{ ['a1', {'k': 'b2'}] | replace({'[0-9]': '<$0>'}, regexp=true) }}", '["a<1>",{"k":"b<2>"}]'),
        ("{{ 'x-y' | regexReplace(regex='(?<l>x)-(y)', replacement='${l}$2\\$') }}", "xy$"),
        ("{{ 'a1b22' | regexExtract(regex='([a-z])(\\d+)', group=2) }}{{ 'ab' | regexMatch(regex='^b') }}", "1false"),
        ("{{ 'a,b,,' | split(',') }}{{ 'a,b,,' | split(',', -1) }}{{ '' | split(',') }}{{ 'abc' | split('') }}", '["a","b"]["a","b","",""][""]["a","b","c"]'),
        ("{{ 'a.b.c' | split('\\.', 2) }}{{ 'a1b' | split('(?<=1)') }}{{ 'x' | split('x') }}", '["a","b.c"]["a1","b"][]'),
        ("{{ '%5s|%-5s|%05d|%,d|%+d|%x|%o|%.2f|%e|%b|%c|%%|%S' | format('a', 'b', 42, 1234567, 5, 255, 8, 3.14159, 12345.678, true, 'z', 'up') }}", "    a|b    |00042|1,234,567|+5|ff|10|3.14|1.234568e+04|true|z|%|UP"),
        ("{{ '%2$s %1$s %s %<s' | format('a', 'b') }}{{ '%s' | format(null) }}", "b a a anull"),
        ("{{ '%,.2f %(d %08.3f %10.1f|%g' | format(1234567.891, -5, -3.14159, 2.25, 0.0001) }}", "1,234,567.89 (5) -003.142        2.3|0.000100000"),
    ]
)  # fmt: skip
def test_texts(render: Render, template: str, text: str) -> None:
    assert render(template, **VARIABLES) == text


@check(
    [
        ("{{ -5 | abs }}{{ -5.5 | abs }}", "55.5"),
        ("{{ '3' | number | className }} {{ '3' | number('LONG') | className }} {{ '0x1F' | number }}", "java.lang.Integer java.lang.Long 31"),
        ("{{ '1.23456789' | number | className }} {{ '1.5' | number('BIGDECIMAL') | className }}", "java.lang.Double java.math.BigDecimal"),
        ("{{ '99999999999999999999' | number | className }} {{ '-12.5' | number }}", "java.math.BigInteger -12.5"),
        ("{{ '0.1' | number }} {{ ('0.1' | number) + 1 }} {{ '16777217.5' | number }}", "0.1 1.1 1.6777218E7"),
        ("{{ 1234567.891 | numberFormat }} {{ 0.5 | numberFormat('0%') }} {{ -3 | numberFormat('#,##0.00;(#)') }}", "1,234,567.891 50% (3.00)"),
        ("{{ dec | numberFormat('#,##0.00') }} {{ 12345 | numberFormat('0.###E0') }} {{ 5 | numberFormat(\"'#'#\") }}", "1,234.50 1.234E4 #5"),
        ("{{ l | className }} {{ m | className }} {{ n | className }}", "java.util.ArrayList java.util.LinkedHashMap "),
        ("{{ 1 + 1 | className }} {{ l[0] | className }}", "1java.lang.Long java.lang.Integer"),
    ]
)  # fmt: skip
def test_numbers(render: Render, template: str, text: str) -> None:
    assert render(template, **VARIABLES) == text


@pytest.mark.parametrize(
    ("number", "pattern", "text"),
    [
        (0.125, "0.00", "0.12"),
        (2.675, "0.00", "2.67"),
        (1234.5, "#,##0.00", "1,234.50"),
        (0.0, "#", "0"),
        (0.5, "#", "0"),
        (0.5, ".00", ".50"),
        (1e20, "0", "100000000000000000000"),
        (-0.001, "0.00", "-0.00"),
        (7.0, "000.0#", "007.0"),
        (12.0, "$#,##0 'units'", "$12 units"),
        (0.00012, "0.00E0", "1.20E-4"),
        (12345.0, "##0.##E0", "12.3E3"),
        (float("nan"), "0", "NaN"),
        (float("-inf"), "0", "-∞"),
    ],
)
def test_decimal_format(number: float, pattern: str, text: str) -> None:
    assert format_number(number, pattern) == text


@check(
    [
        ("{{ [1,2,3] | chunk(2) }}{{ [] | chunk(2) }}", "[[1,2],[3]][]"),
        ("{{ [1, 1.0, '1', true, 1, null, null, [1], [1]] | distinct }}", '[1,1.0,"1",true,null,[1]]'),
        ("[{{ [] | first }}]{{ 'ab' | last }}{{ 'ab' | first | className }}", "[]bjava.lang.Character"),
        ("{{ [[1, [2]], 3, []] | flatten }}", "[1,[2],3]"),
        ("{{ [1, null, true, [2]] | join('-') }}", "1-null-true-[2]"),
        ("{{ m | keys }}{{ m | values }}{{ l | keys }}", '["b","a"][1,null][0,1,2]'),
        ("{{ 5 | length }}{{ bytes | length }}{{ m | length }}{{ n | length }}", "0220"),
        ("{{ [1] | merge([2]) }}{{ {'a': 1} | merge({'a': 2}) }}{{ {'a': 1} | merge(['b']) }}{{ n | merge([1]) }}", '[1,2]{"a":2}{"a":1,"b":"b"}[1]'),
        ("{{ l | reverse }}{{ l }}{{ l | sort }}{{ l | rsort }}{{ ['b', 'B', 'a'] | sort }}{{ [1.5, 1] | sort }}", '[2,1,3][3,1,2][1,2,3][3,2,1]["B","a","b"][1,1.5]'),
        ("{{ l | slice(1) }}{{ 'abc' | slice(1, 2) }}{{ l | slice(3) }}", "[1,2]b[]"),
    ]
)  # fmt: skip
def test_collections(render: Render, template: str, text: str) -> None:
    assert render(template, **VARIABLES) == text


@check(
    [
        ("{{ m | toJson }}{{ [null, 1e-5] | toJson }}" .replace("1e-5", "0.00001"), '{"b":1}[null,1.0E-5]'),
        ("{{ 'a\"é' | toJson }}{{ bytes | toJson }}", '"a\\"é""AAE="'),
        ("{{ {'a b': 1.5, 'c': [true, null], 'd': 'x\ny'} | toIon }}", "{'a b':1.5e0,c:[true,null],d:\"x\\ny\"}"),
        ("{{ {'a': {'b': [1, {'c': 2, 'd': 3}]}, 'e': [], 'f': {}} | yaml }}", "a:\n  b:\n   - 1\n   - c: 2\n     d: 3\ne: []\nf: {}\n"),
        ("{{ {'a': 'true', 'b': '', 'c': 'x: y', 'd': 'l1\nl2', 'e': '- x', 'f': null, 'g': '12'} | yaml }}", 'a: "true"\nb: ""\nc: "x: y"\nd: |-\n  l1\n  l2\ne: \'- x\'\nf: null\ng: 12\n'),
        ("{{ n | yaml }}{{ 1 | yaml }}", "null1\n"),
    ]
)  # fmt: skip
def test_serialisation(render: Render, template: str, text: str) -> None:
    assert render(template, **VARIABLES) == text


def test_yaml_can_be_read_again() -> None:
    import yaml

    value = {
        "a": [{"b": "c", "d": ["e", {"f": "g\nh\n"}]}, [1, [2]], "x #y", "'q'", "a: b"],
        "k: 1": " lead",
        "true": "no",
    }
    text = compile_template("{{ v | yaml }}").render(make_context({"v": value}))
    assert yaml.safe_load(text) == value
    assert compile_template("{{ yaml(v | yaml) }}").evaluate(make_context({"v": value})) == value


INSTANT = datetime(2013, 9, 8, 15, 19, 12, 123456, tzinfo=UTC)
DATES: dict[str, object] = {
    "instant": INSTANT,
    "paris": INSTANT.astimezone(ZoneInfo("Europe/Paris")),
    "offset": INSTANT.astimezone(timezone(timedelta(hours=5, minutes=30))),
    "local": datetime(2013, 9, 8, 16, 19, 12, 5),  # noqa: DTZ001
    "day": date(2013, 9, 8),
    "nanos": "2024-01-01T00:00:00.123456789Z",
}


@check(
    [
        ("{{ day | date }}", "2013-09-08T12:00:00.000000Z"),
        ("{{ '2013-09-08' | date('sql_sec') }}", "2013-09-08 00:00:00"),
        ("{{ instant | date('iso_milli') }} {{ instant | date('sql_milli') }}", "2013-09-08T15:19:12.123Z 2013-09-08 15:19:12.123"),
        ("{{ instant | date('iso_date_time', timeZone='Europe/Paris') }}", "2013-09-08T17:19:12.123456+02:00[Europe/Paris]"),
        ("{{ instant | date('iso_zoned_date_time', timeZone='+03:00') }}", "2013-09-08T18:19:12.123456+03:00"),
        ("{{ instant | date('iso_ordinal_date') }} {{ instant | date('iso_week_date') }} {{ instant | date('iso_offset_time') }}", "2013-251Z 2013-W36-7Z 15:19:12.123456Z"),
        ("{{ instant | date('rfc_1123_date_time', timeZone='Asia/Kolkata') }}", "Sun, 8 Sep 2013 20:49:12 +0530"),
        ("{{ instant | date('medium') }} | {{ instant | date('short') }} | {{ instant | date('long') }}", "Sep 8, 2013, 3:19:12 PM | 9/8/13, 3:19 PM | September 8, 2013 at 3:19:12 PM UTC"),
        ("{{ instant | date('yy M MMM MMMM MMMMM d E EEEE D H h K k a S SSSSSSSSS n A Q QQQ w e') }}", "13 9 Sep September S 8 Sun Sunday 251 15 3 3 15 PM 1 123456000 123456000 55152123 3 Q3 37 1"),
        ("{{ instant | date(\"'it''s' yyyy''G VV z O\", timeZone='Europe/Paris') }}", "it's 2013'AD Europe/Paris CEST GMT+2"),
        ("{{ instant | date('x xx xxx X Z ZZZZ ZZZZZ') }}", "+00 +0000 +00:00 Z +0000 GMT Z"),
        ("{{ instant | date('EEEE d MMMM yyyy', locale='de') }} {{ instant | date('w e', locale='fr') }}", "Sonntag 8 September 2013 36 7"),
        ("{{ nanos | date('SSSSSSSSS') }} {{ nanos | timestampNano }} {{ nanos | timestampMicro }}", "123456789 1704067200123456789 1704067200123456"),
        ("{{ '1969-12-31T23:59:59.5Z' | timestamp }} {{ '1969-12-31T23:59:59.5Z' | timestampMilli }}", "-1 -500"),
        ("{{ 0 | date('sql_sec') }} {{ 86400 | date('iso_date') }}", "1970-01-01 00:00:00 1970-01-02Z"),
        ("{{ local | date(timeZone='Europe/Paris') }} {{ local | timestamp(timeZone='Europe/Paris') }}", "2013-09-08T16:19:12.000005+02:00 1378649952"),
        ("{{ '2024-01-31' | dateAdd(1, 'MONTHS', 'iso_local_date') }} {{ '2024-02-29' | dateAdd(-1, 'YEARS', 'iso_local_date') }}", "2024-02-29 2023-02-28"),
        ("{{ '2024-03-30T12:00:00' | dateAdd(1, 'DAYS', timeZone='Europe/Paris') }}", "2024-03-31T12:00:00.000000+02:00"),
        ("{{ '2024-03-30T12:00:00' | dateAdd(24, 'HOURS', timeZone='Europe/Paris') }}", "2024-03-31T13:00:00.000000+02:00"),
        ("{{ '2024-03-30T02:30:00' | dateAdd(1, 'DAYS', timeZone='Europe/Paris') }}", "2024-03-31T03:30:00.000000+02:00"),
        ("{{ '2024-01-01' | dateAdd('2', 'WEEKS', 'MM-dd') }} {{ '2024-01-01' | dateAdd(1, 'HALF_DAYS', 'HH') }} {{ '2024-01-01' | dateAdd(1, 'CENTURIES', 'yyyy') }}", "01-15 12 2124"),
        ("{{ nanos | dateAdd(1, 'NANOS', 'SSSSSSSSS') }} {{ nanos | dateAdd(-123456790, 'NANOS', 'sql') }}", "123456790 2023-12-31 23:59:59.999999"),
        ("{{ '2013-09-08T16:19:00+02' | date('yyyy-MM-dd HH:mm:ss z', timeZone='Australia/Perth') }}", "2013-09-08 22:19:00 AWST"),
        ("{{ '20240131 2359' | date('iso', existingFormat='yyyyMMdd HHmm') }}", "2024-01-31T23:59:00.000000Z"),
        ("{{ '31/1/24 11:05 PM' | date('sql_sec', existingFormat='dd/M/yy hh:mm a') }}", "2024-01-31 23:05:00"),
        ("{{ '2024-01-31 10:00 +0200' | date('sql_sec', existingFormat='yyyy-MM-dd HH:mm Z') }}", "2024-01-31 08:00:00"),
        ("{{ '2024-060' | date('MM-dd', existingFormat='yyyy-DDD') }} {{ '2024-01-31' | date('yyyy', existingFormat='yyyy-MM-dd[ HH:mm]') }}", "02-29 2024"),
        ("{{ '2024-01-31 10:00:00.5' | date('SSS', existingFormat='yyyy-MM-dd HH:mm:ss.S') }}", "500"),
        ("{{ instant }} {{ paris }} {{ offset }} {{ local }} {{ day }}", "2013-09-08T15:19:12.123456Z 2013-09-08T17:19:12.123456+02:00[Europe/Paris] 2013-09-08T20:49:12.123456+05:30 2013-09-08T16:19:12.000005 2013-09-08"),
        ("{{ [instant, paris, day] }}", '["2013-09-08T15:19:12.123456Z","2013-09-08T15:19:12.123456Z","2013-09-08"]'),
        ("{{ instant | className }} {{ paris | className }} {{ local | className }} {{ day | className }}", "java.time.Instant java.time.ZonedDateTime java.time.LocalDateTime java.time.LocalDate"),
    ]
)  # fmt: skip
def test_dates(render: Render, template: str, text: str) -> None:
    assert render(template, **DATES) == text


def test_the_default_zone_is_the_contexts() -> None:
    context = make_context({"i": INSTANT, "l": [INSTANT]}, timezone="America/New_York")
    assert compile_template("{{ i | date('iso_sec') }} {{ l }} {{ now('iso_sec') }}").render(context) == (
        '2013-09-08T11:19:12-04:00 ["2013-09-08T11:19:12.123456-04:00"] 2024-05-06T03:08:09-04:00'
    )


@pytest.mark.parametrize(
    "template",
    [
        "{{ 1 | abbreviate(2) }}", "{{ 'a' | abbreviate(-1) }}", "{{ 'a' | abbreviate }}", "{{ '!' | base64decode }}", "{{ 1 | base64decode }}", "{{ 1 | capitalize }}",
        "{{ 1 | trim }}", "{{ 'a' | escapeChar }}", "{{ 'a' | indent(-1) }}", "{{ 'a' | indent('x') }}", "{{ 1 | md5 }}", "{{ 1 | nl2br }}", "{{ 'a' | regexMatch }}",
        "{{ 'a' | regexMatch(regex='(') }}", "{{ 'a' | regexReplace(regex='a') }}", "{{ 'a' | regexReplace(regex='a', replacement='$5') }}", "{{ 'a' | split }}",
        "{{ '%d' | format('x') }}", "{{ '%s %s' | format('x') }}", "{{ '%f' | format(1) }}", "{{ '%q' | format(1) }}", "{{ '%' | format(1) }}",
        "{{ 'a' | abs }}", "{{ true | abs }}", "{{ '1_0' | number }}", "{{ 'NaN' | number }}", "{{ '99999999999' | number('INT') }}", "{{ 'a' | numberFormat }}", "{{ 1 | numberFormat('0.0.0') }}",
        "{{ 1 | chunk(1) }}", "{{ [1] | chunk(0) }}", "{{ 'a' | distinct }}", "{{ '' | first }}", "{{ 1 | last }}", "{{ 'a' | flatten }}", "{{ 'a' | join }}", "{{ [1] | join(1) }}",
        "{{ 'a' | keys }}", "{{ [1] | values }}", "{{ 'a' | merge([1]) }}", "{{ [1] | merge('a') }}", "{{ 'a' | reverse }}", "{{ [1, 'a'] | sort }}", "{{ [null, 1] | sort }}",
        "{{ [1] | slice(2) }}", "{{ [1] | slice(0, 0) }}", "{{ [1] | slice('a') }}", "{{ 5 | slice(1) }}", "{{ 'x' | jq('.') }}", "{{ 5 | jq('.') }}", "{{ [1] | jq('.a') }}",
        "{{ true | date }}", "{{ 1.5 | date }}", "{{ [1] | date }}", "{{ 'x' | date }}", "{{ '2024-02-30' | date }}", "{{ 99999999999999 | date }}", "{{ '2024-01-01' | date(timeZone='Mars/X') }}",
        "{{ '2024-01-01' | date(timeZone='../../etc/passwd') }}", "{{ '2024-01-01' | date('b') }}", "{{ '2024-01-01' | date('yyyy', locale='zz_ZZ') }}", "{{ '2024-01-01' | date(\"'open\") }}",
        "{{ '2024-01-01' | dateAdd(1) }}", "{{ '2024-01-01' | dateAdd('x', 'DAYS') }}", "{{ '2024-01-01' | dateAdd(999999, 'YEARS') }}", "{{ '2024-01-01' | dateAdd(1, 'ERAS') }}",
        "{{ 'x' | date('yyyy', existingFormat='yyyy') }}", "{{ '2024' | date('yyyy', existingFormat='yyyy') }}", "{{ 'a%2' | urldecode }}",
    ],
)  # fmt: skip
def test_what_a_filter_refuses(render: Render, template: str) -> None:
    with pytest.raises(EvaluationError) as caught:
        render(template)
    assert caught.value.line == 1


@pytest.mark.parametrize(
    "name",
    ["abbreviate(1)", "base64encode", "base64decode", "capitalize", "chunk(1)", "className", "date", "dateAdd(1, 'DAYS')", "escapeChar('shell')", "first", "flatten", "format", "indent(1)",
     "join", "keys", "last", "lower", "md5", "nindent(1)", "nl2br", "number", "numberFormat", "regexExtract('a')", "regexReplace('a', 'b')", "replace({})", "reverse", "rsort", "sha1", "slice",
     "slugify", "sort", "split(',')", "string", "substringAfter('a')", "timestamp", "timestampNano", "title", "trim", "upper", "urldecode", "urlencode", "values", "jq('.')"],
)  # fmt: skip
def test_null_goes_through(evaluate: Callable[..., object], name: str) -> None:
    assert evaluate("{{ null | " + name + " }}") is None
