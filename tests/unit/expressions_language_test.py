"""The condition language: one row per rule, written as a template's author would meet it."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import pytest

from analysis.expressions import ExpressionError, compile

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def run(text: str, result: Any = None, static_type: str = "any") -> Any:
    return compile(text, result_type=static_type).evaluate(result, now=NOW)


def same(left: Any, right: Any) -> bool:
    if isinstance(left, float) and isinstance(right, float) and math.isnan(right):
        return math.isnan(left)
    return type(left) is type(right) and bool(left == right)


VALUES = [
    # literals
    ("0x1F", 31, "hexadecimal"),
    ("0b101", 5, "binary"),
    ("0o17", 15, "octal"),
    ("1_000", 1000, "underscores group digits"),
    (".5", 0.5, "a float may begin with a dot"),
    ("1e3", 1000.0, "an exponent makes a float"),
    ("'a\\tb\\u0041\\x42'", "a\tbAB", "escapes"),
    ("`a\\n`", "a\\n", "backticks take no escapes"),
    ("[1, 'a', nil,]", [1, "a", None], "a list may end with a comma"),
    ("{a: 1, 'b c': 2, ('d' + 'e'): 3}", {"a": 1, "b c": 2, "de": 3}, "map keys are names, strings or expressions"),
    ("1 /* one */ + 2 // three", 3, "comments"),
    # numbers
    ("1 + 2 * 3", 7, "product before sum"),
    ("7 / 2", 3.5, "division is always float"),
    ("4 / 2", 2.0, "even when it comes out whole"),
    ("1 / 0", math.inf, "one by zero is infinite"),
    ("-1 / 0", -math.inf, "minus one by zero is minus infinite"),
    ("0 / 0", math.nan, "zero by zero is NaN"),
    ("0.0 / 0", math.nan, "zero float by zero is NaN"),
    ("7 % 3", 1, "remainder"),
    ("-7 % 3", -1, "remainder takes the sign of the left"),
    ("7 % -3", 1, "remainder ignores the sign of the right"),
    ("2 ** 3", 8.0, "power is always float"),
    ("2 ** 3 ** 2", 512.0, "power binds to the right"),
    ("-2 ** 2", -4.0, "minus is looser than power"),
    ("2 ^ 3", 8.0, "caret is power"),
    ("10 ** 400", math.inf, "a power that overflows is infinite"),
    ("(-8) ** 0.5", math.nan, "a root of a negative number is NaN"),
    ("9223372036854775807 + 1", -(2**63), "int64 wraps"),
    ("-9223372036854775807 - 2", 2**63 - 1, "int64 wraps downwards"),
    ("4611686018427387904 * 4", 0, "int64 products wrap"),
    ("1 + 2.5", 3.5, "int and float make float"),
    ("1 == 1.0", True, "equality crosses int and float"),
    ("0.1 + 0.2 == 0.3", False, "floats are binary"),
    ("+3 - -3", 6, "signs"),
    # logic
    ("1 < 2 and not false", True, "word operators"),
    ("true || 1 / 0 > 0 && false", True, "and before or"),
    ("not true == nil", False, "not binds tighter than equality"),
    ("1 < 2 < 3", True, "comparisons chain"),
    ("3 > 2 > 2", False, "a chain needs every link"),
    ("1 < 2 == true", True, "a chain is compared as a whole"),
    ("!true || true", True, "not binds tighter than or"),
    ("true ? 1 : 2", 1, "ternary"),
    ("false ? 1 : true ? 2 : 3", 2, "ternary nests to the right"),
    ("nil ?? 5", 5, "coalesce"),
    ("nil ?? nil ?? 6", 6, "coalesce repeats"),
    ("1 + (nil ?? 2)", 3, "coalesce in parentheses mixes"),
    ("1 in [1.0, 2]", True, "in a list, numerically"),
    ("4 not in [1, 2]", True, "not in"),
    ("'a' in {a: 1}", True, "in the keys of a map"),
    ("'abc' contains 'b'", True, "contains"),
    ("'abc' not contains 'z'", True, "not contains"),
    ("'abc' startsWith 'ab' && 'abc' endsWith 'bc'", True, "starts and ends"),
    ("'v1.2.3' matches '^v[0-9]+\\\\.'", True, "matches an RE2 pattern"),
    ("'abc' < 'abd'", True, "strings are ordered"),
    # lists and maps
    ("[1, 2, 3][-1]", 3, "negative index"),
    ("[1, 2, 3, 4][1:3]", [2, 3], "slice"),
    ("[1, 2, 3][:-1]", [1, 2], "slice up to the last"),
    ("[1, 2][5:9]", [], "a slice is limited to the list"),
    ("'hello'[1:3]", "el", "slice of a string"),
    ("1..4", [1, 2, 3, 4], "range includes both ends"),
    ("3..1", [], "a falling range is empty"),
    ("1..2 + 1", [1, 2, 3], "range is looser than sum"),
    ("{a: {b: 1}}.a.b", 1, "fields of maps"),
    ("{a: 1}.b", None, "a missing key is nil"),
    ("{a: 1}['a']", 1, "a quoted key"),
    ("{}.a?.b.c.d", None, "an optional field cuts the whole chain short"),
    ("{a: [1]}.a?.[0]", 1, "an optional index"),
    ("{'in': 1}.in", 1, "operator words may be field names"),
    ("[1, 2] == [1.0, 2.0]", True, "lists compare by element"),
    # closures
    ("all([1, 2], # > 0)", True, "all"),
    ("all([1, 2], {# > 1})", False, "braces around a predicate"),
    ("all([], # > 0)", True, "all of nothing holds"),
    ("any([], # > 0)", False, "any of nothing does not"),
    ("none([1, 2], # > 2)", True, "none"),
    ("one([1, 2], # > 1)", True, "one"),
    ("filter([1, 2, 3], # % 2 == 1)", [1, 3], "filter"),
    ("map([{a: 1}, {a: 2}], .a)", [1, 2], "a dot is a field of the element"),
    ("map(1..3, # * #index)", [0, 2, 6], "index of the element"),
    ("find([1, 2, 3], # > 1)", 2, "find"),
    ("find([1], # > 1)", None, "find nothing"),
    ("findIndex([1, 2], # == 2)", 1, "findIndex"),
    ("findLast([1, 2, 3], # < 3)", 2, "findLast"),
    ("findLastIndex([1, 1], # == 1)", 1, "findLastIndex"),
    ("count([1, 2, 3], # > 1)", 2, "count"),
    ("count([true, false])", 1, "count of booleans"),
    ("sum([1, 2, 3])", 6, "sum"),
    ("sum([{v: 1.5}, {v: 1}], .v)", 2.5, "sum of a field"),
    ("sum([])", 0, "sum of nothing"),
    ("groupBy(1..4, # % 2)[1]", [1, 3], "groupBy"),
    ("sortBy([{n: 2}, {n: 1}], .n)[0].n", 1, "sortBy"),
    ("sortBy([1, 3, 2], #, 'desc')", [3, 2, 1], "sortBy descending"),
    ("reduce(1..4, #acc + #)", 10, "reduce begins with the first element"),
    ("reduce([], #acc + #, 7)", 7, "reduce with an initial value"),
    ("map([[1, 2], [3]], len(#))", [2, 1], "built-ins in closures"),
    ("all([[1], [2]], any(#, # > 0))", True, "closures nest"),
    ("[1, 2, 3] | filter(# > 1) | len()", 2, "pipes"),
    # built-ins
    ("len('äöü')", 3, "length of a string in characters"),
    ("type(1) + type(1.5) + type(nil) + type('') + type([]) + type({})", "intfloatnilstringarraymap", "type"),
    ("abs(-5)", 5, "abs keeps int"),
    ("ceil(1.2) + floor(1.8) + round(2.5)", 6.0, "rounding, half away from zero"),
    ("round(-2.5)", -3.0, "rounding of negatives"),
    ("int('42') + int(4.9)", 46, "int"),
    ("float('1.5')", 1.5, "float"),
    ("string(5.0) + string(1e21) + string(0.00001) + string(nil)", "51e+211e-05<nil>", "numbers print as in Go"),
    ("string([1, 'a', {b: true}])", "[1 a map[b:true]]", "lists and maps print as in Go"),
    ("trim('  a ') + trim('xay', 'xy')", "aa", "trim"),
    ("trimPrefix('v1', 'v') + trimSuffix('1ms', 'ms')", "11", "trim ends"),
    ("upper('a') + lower('B')", "Ab", "case"),
    ("split('a,b,c', ',', 2)", ["a", "b,c"], "split with a limit"),
    ("splitAfter('a,b', ',')", ["a,", "b"], "splitAfter"),
    ("replace('aaa', 'a', 'b', 2)", "bba", "replace with a limit"),
    ("repeat('ab', 3)", "ababab", "repeat"),
    ("join(['a', 'b'], '-')", "a-b", "join"),
    ("indexOf('abcb', 'b') + lastIndexOf('abcb', 'b')", 4, "positions"),
    ("hasPrefix('abc', 'a') && hasSuffix('abc', 'c')", True, "prefix and suffix"),
    ("max(1, [2.5, [3]]) ", 3, "max looks into lists"),
    ("min([4, 2.5])", 2.5, "min"),
    ("mean([1, 2, 3, 4])", 2.5, "mean"),
    ("median([3, 1, 2])", 2.0, "median"),
    ("toJSON({a: [1, '<']})", '{\n  "a": [\n    1,\n    "\\u003c"\n  ]\n}', "toJSON indents and escapes"),
    ("fromJSON('{\"a\": [1, true]}').a[0]", 1.0, "fromJSON gives floats"),
    ("fromBase64(toBase64('hällo'))", "hällo", "base64"),
    (
        "[first([1, 2]), last([1, 2]), first([]), get([1], 5), get({a: 1}, 'a')]",
        [1, 2, None, None, 1],
        "elements that may be missing",
    ),
    ("take([1, 2, 3], 2)", [1, 2], "take"),
    ("keys({b: 1, a: 2})", ["a", "b"], "keys"),
    ("fromPairs(toPairs({a: 1}))", {"a": 1}, "pairs"),
    ("values({a: 1})", [1], "values"),
    ("reverse(uniq([1, 2, 1.0, 3]))", [3, 2, 1], "reverse and uniq"),
    ("concat([1], [2], [])", [1, 2], "concat"),
    ("flatten([1, [2, [3]]])", [1, 2, 3], "flatten"),
    ("sort([3, 1, 2], 'desc')", [3, 2, 1], "sort"),
    ("[bitand(6, 3), bitor(6, 3), bitxor(6, 3), bitnand(6, 3)]", [2, 7, 5, 4], "bits"),
    ("[bitshl(1, 3), bitshr(-8, 1), bitushr(-1, 63), bitnot(0)]", [8, -4, 1, -1], "shifts"),
    ("bitshl(1, 64)", 0, "a shift beyond the width is zero"),
    ("::len([1])", 1, "built-ins by their own name space"),
    ("string(25000000.0) + string(999999.0)", "2.5e+07999999", "a float prints with an exponent from a million on"),
    ("{a: [1.0]} == {a: [1]}", False, "inside maps numbers keep their kind"),
    ("median([2, 0 / 0, 1])", 1.0, "NaN sorts first"),
    ("first({}.missing) ?? 0", 0, "the first of nothing"),
    # names and branches
    ("let x = mean([1, 2, 3]); let y = x * 2; y > x", True, "let"),
    ("all([1, 2], { let double = # * 2; double < 5 })", True, "let in a closure"),
    ("if 1 > 2 { 'a' } else if true { 'b' } else { 'c' }", "b", "if and else"),
    ("(1; 2)", 2, "the last of a sequence"),
    ("({}.a?.b).c", None, "names go on with an optional chain, even after parentheses"),
    # time
    ("(now() + duration('31s')).Truncate(duration('1m')) == date('2026-01-02 03:04:00')", True, "a time cut to the minute"),
    ("now().Round(duration('1h')) == date('2026-01-02 03:00:00')", True, "a time rounded to the hour"),
    ("date('2024-01-31').AddDate(0, 1, 0) == date('2024-03-02')", True, "a month that is too short runs over"),
    ("duration('-90s').Abs().Truncate(duration('1m')) == duration('1m')", True, "durations without sign and rest"),
    ("now(timezone('Asia/Tokyo')).Hour()", 12, "now in a zone"),
    ("date(timezone('Asia/Tokyo'), '2026-01-02 12:04:05') == now()", True, "a zone before the text"),
    ("now() - duration('1m') < now()", True, "moments are ordered"),
    ("(now() - date('2026-01-01')).Hours() > 27", True, "the span between moments"),
    ("duration('1h') + duration('30m') == duration('1.5h')", True, "durations add"),
    ("2 * duration('1m') == duration('120s')", True, "durations stretch"),
    ("string(duration('90s'))", "1m30s", "durations print as in Go"),
    ("date('2026-01-02T03:04:05Z') == now()", True, "RFC 3339"),
    ("date('2026-01-02 05:04:05', '2006-01-02 15:04:05', 'Europe/Helsinki') == now()", True, "layout and zone"),
    ("now().In(timezone('Asia/Tokyo')).Hour()", 12, "another zone"),
    ("now().Format('Jan _2 2006 15:04')", "Jan  2 2026 03:04", "layouts write too"),
    # the environment
    ("asInt(1.9) + asInt('2')", 3, "asInt truncates"),
    ("asFloat('1.5') + asFloat(1)", 2.5, "asFloat"),
    ("isNaN(0 / 0) && isInf(1 / 0)", True, "isNaN and isInf"),
]


@pytest.mark.parametrize(("text", "value"), [pytest.param(text, value, id=name) for text, value, name in VALUES])
def test_an_expression_has_the_value_upstream_gives_it(text: str, value: Any) -> None:
    found = run(text)
    assert same(found, value), f"{text} is {found!r}"


WITH_RESULT = [
    ("result[0] >= 0.95", [0.96], "[]float64", True, "first sample"),
    ("len(result) == 0 || result[0] < 1", [], "[]float64", True, "short circuit guards the index"),
    ("all(result, # < 1000)", [], "[]float64", True, "an empty matrix passes all"),
    ("all(result, {# < 10})", [1.0, math.nan], "[]float64", False, "NaN fails a comparison in a closure"),
    ("result[0] == result[0]", [math.nan], "[]float64", False, "NaN does not equal itself"),
    ("result[0] in result", [math.nan], "[]float64", False, "NaN is found nowhere"),
    ("result.items[len(result.items)-1].value > 1", {"items": [{"value": 2.0}]}, "any", True, "nested JSON"),
    ("result.ok == 'yes'", {"ok": 1.0}, "any", False, "equality across kinds is false when dynamic"),
    ("result.ok == true and result.n in [200, 201]", {"ok": True, "n": 200.0}, "any", True, "words"),
    ("isNil(result.missing)", {"a": 1.0}, "any", False, "isNil looks at result itself"),
    ("default(result.missing, 5) == 5", {"a": 1.0}, "any", False, "default looks at result itself"),
    ("default(result, 0) < 0.05", None, "nil", True, "default of nil"),
    ("isNil(result)", None, "nil", True, "isNil of nil"),
    ("any(result, .label == 'a' && .Values[0] > 1)", [{"label": "a", "Values": [2.0]}], "[]any", True, "fields in a closure"),
    ("result[0].Values[0] > 1", [{"Id": "x", "Values": [2.0]}], "[]MetricDataResult", True, "CloudWatch results"),
    ("$env.result > 1", 2.0, "float64", True, "the environment by name"),
    ("any(result.a?.b ?? [], true)", {}, "any", False, "a missing list has a default"),
]


@pytest.mark.parametrize(("text", "result", "static_type", "value"), [pytest.param(*row[:4], id=row[4]) for row in WITH_RESULT])
def test_a_condition_reads_the_result(text: str, result: Any, static_type: str, value: Any) -> None:
    assert run(text, result, static_type) is value


REFUSED = [
    ("result >", "any", "unexpected token EOF", "unfinished"),
    ("(1", "any", "unexpected token EOF", "unclosed parenthesis"),
    ("'a", "any", "literal not terminated", "unclosed string"),
    ("1 ~ 2", "any", "unrecognized character", "unknown character"),
    ("12abc", "any", "bad number syntax", "digits run into letters"),
    ("9223372036854775808", "any", "integer literal is too large", "beyond int64"),
    ("# > 1", "any", "unexpected token", "pointer outside a closure"),
    ("result ?? 1 > 2", "any", "cannot be mixed", "coalesce does not mix"),
    ("let x = 1", "any", "unexpected token EOF", "let without a body"),
    ("let len = 1; len > 0", "any", "cannot redeclare len", "let of a function's name"),
    ("{in: 1} == {}", "any", "a map key must be", "an operator word as a bare key"),
    ("results[0] > 1", "[]float64", "unknown name results", "unknown name"),
    ("foo(1)", "any", "unknown name foo", "unknown function"),
    ("result == 'true'", "float64", "mismatched types float64 and string", "float against string"),
    ("asFloat(result) == '1.1'", "any", "mismatched types float64 and string", "asFloat against string"),
    ("result > 1", "[]float64", "mismatched types []float64 and int", "a vector is no number"),
    ("isNaN(result)", "[]float64", "invalid argument for isNaN", "isNaN of a vector"),
    ("isNaN(result)", "string", "invalid argument for isNaN", "isNaN of a string"),
    ("result < 5", "nil", "mismatched types nil and int", "nil against a number"),
    ("result.foo == 1", "float64", "type float64 has no field foo", "field of a number"),
    ("result['a'] > 1", "[]float64", "only be selected using an integer", "list by name"),
    ("!result", "float64", "mismatched type float64", "not of a number"),
    ("result && true", "float64", "mismatched types float64 and bool", "and of a number"),
    ("result ? 1 : 2", "float64", "used as condition", "ternary of a number"),
    ("result % 2 == 0", "float64", "mismatched types float64 and int", "remainder of a float"),
    ("all(result, # > 0)", "float64", "takes only array", "closure over a number"),
    ("all(result, # + 1)", "[]float64", "predicate should return boolean", "predicate that is no boolean"),
    ("all(result, # == 'a')", "[]float64", "mismatched types float64 and string", "element type in a closure"),
    ("sum(result, #index)", "[]float64", "unknown pointer #index", "an index where none is known"),
    ("join(result, ',')", "[]float64", "convert the elements with string()", "join of numbers"),
    ("result matches '('", "string", "error parsing regexp", "wrong pattern"),
    ("len(result) > 0", "float64", "invalid argument for len (type float64)", "length of a number"),
    ("len()", "any", "not enough arguments to call len", "too few arguments"),
    ("abs(1, 2)", "any", "too many arguments to call abs", "too many arguments"),
    ("1 + 'a'", "any", "mismatched types int and string", "number and string"),
    ("1 == 'a'", "any", "mismatched types int and string", "literal against literal"),
    ("result.__class__.x()", "[]float64", "only be selected using an integer", "no way into Python"),
]


@pytest.mark.parametrize(("text", "static_type", "message"), [pytest.param(*row[:3], id=row[3]) for row in REFUSED])
def test_what_cannot_be_right_is_refused_before_it_runs(text: str, static_type: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile(text, result_type=static_type)
    assert message in caught.value.message


BROKEN = [
    ("result[0] > 1", [], "index out of range: 0 (array length is 0)", "empty vector"),
    ("result[-2] > 1", [1.0], "index out of range: -2 (array length is 1)", "before the beginning"),
    ("result.a.b", {}, "cannot fetch b from <nil>", "field of nil"),
    ("result.a < 5", {"a": "x"}, "invalid operation: string < int", "order across kinds"),
    ("result.a > 5", {"a": None}, "invalid operation: <nil> > int", "order of nil"),
    ("result.a + 1", {"a": "x"}, "invalid operation: string + int", "sum across kinds"),
    ("result.a && true", {"a": 1.0}, "expected bool, but got float64", "dynamic value that is no boolean"),
    ("1 % (1 - 1)", None, "integer divide by zero", "remainder of zero"),
    ("asInt(result)", "1.1", 'strconv.ParseInt: parsing "1.1": invalid syntax', "asInt of a fraction in text"),
    ("asFloat(result)", "NotANum", 'strconv.ParseFloat: parsing "NotANum": invalid syntax', "asFloat of a word"),
    ("asFloat(result.a)", {"a": [1.0]}, "asFloat() not supported on type []interface {}", "asFloat of a list"),
    ("result.a[0]", {"a": 5.0}, "cannot fetch int from float64", "index of a number"),
    ("duration('5 minutes')", None, 'time: invalid duration "5 minutes"', "duration in words"),
    ("date('yesterday')", None, "invalid date yesterday", "date in words"),
    ("timezone('Mars/Base')", None, "unknown time zone Mars/Base", "unknown zone"),
    ("result.a?.b[0] > 1", {}, "cannot fetch int from <nil>", "an index ends an optional chain"),
    ("isNaN(len(result))", {}, "is int, not float64", "isNaN of an integer"),
    ("result.code in ['200', '201']", {"code": 200.0}, "cannot look for float64 in a list of strings", "a number among texts"),
    ("result.a[0]", {"a": {"b": 1.0}}, "cannot use int as a map key", "an index on a map"),
    ("sort([1, 'a'])", None, "invalid operation: string < int", "mixed sort"),
    ("reduce([], #acc + #)", None, "reduce of empty array with no initial value", "reduce of nothing"),
    ("fromJSON('{')", None, "fromJSON", "broken JSON"),
    ("result matches '('", "x", "error parsing regexp", "wrong pattern"),
]


@pytest.mark.parametrize(("text", "result", "message"), [pytest.param(*row[:3], id=row[3]) for row in BROKEN])
def test_what_goes_wrong_while_running_says_why(text: str, result: Any, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        run(text, result)
    assert message in caught.value.message


def test_an_error_points_at_its_place() -> None:
    with pytest.raises(ExpressionError) as caught:
        compile("1 +\n  result >")
    assert str(caught.value) == "unexpected token EOF (2:11)\n |   result >\n | ..........^"


COSTLY = [
    ("1..10000000", "memory budget exceeded", "a huge range"),
    ("map(1..900, map(1..900, map(1..900, 1)))", "budget|steps", "nested lists"),
    ("all(1..1000, all(1..1000, all(1..1000, true)))", "budget|steps", "nested loops"),
    ("reduce(1..60, #acc + #acc, 'x')", "memory budget exceeded", "a string that doubles"),
    ("len(toJSON(reduce(1..60, [#acc, #acc], 1)))", "budget|steps|depth|nested", "a tree that doubles"),
    ("string(reduce(1..60, [#acc, #acc], 1))", "budget|steps", "a tree that doubles, printed"),
    ("flatten(reduce(1..60, [#acc, #acc], 1))", "budget|steps", "a tree that doubles, flattened"),
    ("reduce(1..60, [#acc, #acc], 1) == reduce(1..60, [#acc, #acc], 1)", "budget|steps", "trees that double, compared"),
    ("string(reduce(1..5000, [#acc], 1))", "nested deeper", "deep data"),
    ("repeat('a', 999999999)", "memory budget exceeded", "a long repetition"),
    ("repeat(repeat('a', 9999), 9999)", "memory budget exceeded", "a repetition of a repetition"),
    ("sum(map(1..100000, len(uniq(1..1000))))", "budget|steps", "quadratic work in a loop"),
    ("'a' matches repeat('a?', 2000)", "longer than", "a huge pattern"),
    ("fromJSON(repeat('[', 5000))", "fromJSON|nested", "deep JSON"),
]


@pytest.mark.parametrize(("text", "message"), [pytest.param(*row[:2], id=row[2]) for row in COSTLY])
def test_a_costly_expression_is_stopped(text: str, message: str) -> None:
    with pytest.raises(ExpressionError, match=message):
        run(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("(" * 5_000 + "1" + ")" * 5_000, id="parentheses"),
        pytest.param("!" * 5_000 + "true", id="signs"),
        pytest.param("[" * 5_000, id="brackets"),
        pytest.param("1" + "+1" * 9_000, id="a long sum"),
        pytest.param("result" + ".a" * 9_000, id="a long path"),
        pytest.param("true ? " * 5_000, id="ternaries"),
        pytest.param("[" + "1," * 20_000 + "]", id="too many nodes"),
        pytest.param("1" * 70_000, id="too long"),
        pytest.param("all(result, " * 500, id="closures"),
    ],
)
def test_a_monstrous_expression_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError):
        run(text, {})


def test_ordinary_long_conditions_fit() -> None:
    assert run(" && ".join(["result > 0"] * 100), 1.0, "float64") is True
    assert run(f"{'(' * 60}1{')' * 60} == 1") is True


def test_a_linear_time_pattern_engine_serves_matches() -> None:
    assert run("result matches '^(a+)+$'", "a" * 5_000 + "!") is False


def test_now_is_the_moment_of_the_evaluation() -> None:
    expression = compile("now()")
    assert expression.evaluate(now=NOW) == NOW
    later = NOW.replace(year=2027)
    assert expression.evaluate(now=later) == later
