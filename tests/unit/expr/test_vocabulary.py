from __future__ import annotations

import penstock.expr
from penstock.expr import vocabulary

# expressions.md, sections 5, 7 and 8; `i18n` is left out there.
FILTERS = """abbreviate base64encode base64decode capitalize title lower upper trim default endsWith startsWith
escapeChar format indent nindent md5 sha1 sha256 sha512 nl2br regexMatch regexReplace regexExtract
replace slugify split string substringBefore substringAfter substringBeforeLast substringAfterLast
urlencode urldecode abs number numberFormat className chunk distinct first last flatten join keys
values length merge reverse sort rsort slice jq toJson json toIon yaml date dateAdd timestamp
timestampMilli timestampMicro timestampNano"""
FUNCTIONS = """block credential appLink currentEachOutput dayOfMonth monthOfYear hourOfDay dayOfWeek decrypt
encrypt env errorLogs fetchContext printContext fileExists fileSize isFileEmpty fileURI fromIon
fromJson json http id isDateBetween isDayWeekInMonth isLastWorkingDay isPublicHoliday isWeekend
iterationOutput ksuid kv loopOutputs max min nanoId now parent randomInt randomPort range read
render renderOnce secret subflow tasksWithState uuid yaml"""
TESTS = "defined null empty even odd iterable map json"


def names(kind: str) -> set[str]:
    return {word.name for word in vocabulary() if word.kind == kind}


def test_every_word_of_the_reference_is_there() -> None:
    assert names("filter") == set(FILTERS.split())
    assert names("function") == set(FUNCTIONS.split())
    assert names("test") == set(TESTS.split())


def test_every_word_is_described() -> None:
    assert [word.name for word in vocabulary() if not word.description.endswith(".")] == []


def test_what_the_room_shows() -> None:
    assert sorted(penstock.expr.__all__) == sorted(set(penstock.expr.__all__))
    for name in penstock.expr.__all__:
        assert getattr(penstock.expr, name) is not None
