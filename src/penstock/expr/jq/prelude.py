"""The functions of jq that are written in jq."""

from __future__ import annotations

from functools import lru_cache

from penstock.expr.jq.parser import Node, parse

_SOURCE = r"""
def map(f): [.[] | f];
def select(f): if f then . else empty end;
def recurse(f; cond): def r: ., (f | select(cond) | r); r;
def values: select(. != null);
def nulls: select(. == null);
def booleans: select(type == "boolean");
def numbers: select(type == "number");
def strings: select(type == "string");
def arrays: select(type == "array");
def objects: select(type == "object");
def iterables: select(type | . == "array" or . == "object");
def scalars: select(type | . != "array" and . != "object");
def finites: select(isinfinite or isnan | not);
def normals: select(isnormal);
def map_values(f): .[] |= f;
def to_entries: [keys_unsorted[] as $k | {key: $k, value: .[$k]}];
def from_entries: reduce .[] as $x ({};
    . + {($x | if type == "object"
               then (if .key == null then .k // .name // .Name // .K // .Key
                     else .key end) | if type == "string" then . elif . == null then "null" else tojson end
               else error("Cannot use \(type) as an entry") end):
         ($x | if has("value") then .value elif has("v") then .v elif has("Value") then .Value else .V end)});
def with_entries(f): to_entries | map(f) | from_entries;
def del(f): delpaths([path(f)]);
def paths: path(..) | select(length > 0);
def paths(node_filter): . as $dot | paths | select(. as $p | $dot | getpath($p) | node_filter);
def leaf_paths: paths(scalars);
def add(f): reduce f as $x (null; . + $x);
def any(generator; condition): isempty(first(generator | condition | select(.))) | not;
def any(f): any(.[]; f);
def any: any(.);
def all(generator; condition): isempty(first(generator | condition | select(. | not)));
def all(f): all(.[]; f);
def all: all(.);
def isempty(g): label $go | (g | false, break $go), true;
def in(xs): . as $x | xs | has($x);
def inside(xs): . as $x | xs | contains($x);
def first: .[0];
def last: .[-1];
def nth($n): .[$n];
def nth($n; f): if $n < 0 then error("Out of bounds negative array index") else last(limit($n + 1; f)) end;
def combinations: if length == 0 then [] else .[0][] as $x | (.[1:] | combinations) as $w | [$x] + $w end;
def combinations(n): . as $dot | [range(n)] | map($dot) | combinations;
def walk(f): . as $in
    | if type == "object" then reduce keys_unsorted[] as $key ({}; . + {($key): ($in[$key] | walk(f))}) | f
      elif type == "array" then map(walk(f)) | f
      else f end;
def sort_by(f): _sort_by(map([f]));
def group_by(f): _group_by(map([f]));
def unique_by(f): _unique_by(map([f]));
def min_by(f): _min_by(map([f]));
def max_by(f): _max_by(map([f]));
def join($x): reduce .[] as $i (null;
    (if . == null then "" else . + $x end)
    + ($i | if . == null then "" elif type == "string" then . else tojson end)) // "";
def flatten: flatten(1e9);
def todate: strftime("%Y-%m-%dT%H:%M:%SZ");
def fromdateiso8601: strptime("%Y-%m-%dT%H:%M:%SZ") | mktime;
def todateiso8601: todate;
def fromdate: fromdateiso8601;
def date: todate;
def dateadd(u; n): . + n;
def datesub(u; n): . - n;
def match(re): re as $re
    | if ($re | type) == "array" then _match($re[0]; $re[1]; false) else _match($re; null; false) end | .[];
def match(re; flags): re as $re | flags as $flags | _match($re; $flags; false) | .[];
def test(re): re as $re | if ($re | type) == "array" then _match($re[0]; $re[1]; true) else _match($re; null; true) end;
def test(re; flags): re as $re | flags as $flags | _match($re; $flags; true);
def _captured: [.captures[] | select(.name != null) | {key: .name, value: .string}] | from_entries;
def capture(re): match(re) | _captured;
def capture(re; flags): match(re; flags) | _captured;
def scan(re): scan(re; null);
def scan(re; flags): match(re; "g" + flags) | if (.captures | length) > 0 then [.captures[].string] else .string end;
def splits($re): splits($re; null);
def splits($re; flags): split($re; flags) | .[];
def ascii: [.] | implode;
def sub(re; str): sub(re; str; "");
def gsub(re; str): sub(re; str; "g");
def gsub(re; str; flags): sub(re; str; flags + "g");
def sub(re; str; $flags): . as $in
    | (reduce [match(re; $flags)][] as $edit ({parts: [], at: 0};
         .parts += [$in[.at:$edit.offset], ($edit | _captured | str)] | .at = ($edit.offset + $edit.length))) as $done
    | $done.parts + [$in[$done.at:]] | join("");
def tostream: path(def r: (.[]? | r), .; r) as $p | getpath($p) | reduce path(.[]?) as $q ([$p, .]; [$p + $q]);
def fromstream(f): {x: null, e: false} as $init
    | foreach f as $i ($init;
        if .e then $init else . end
        | if ($i | length == 2)
          then setpath(["e"]; $i[0] | length == 0) | setpath(["x"] + $i[0]; $i[1])
          else setpath(["e"]; $i[0] | length == 1) end;
        if .e then .x else empty end);
def truncate_stream(stream): . as $n | stream | if (.[0] | length) > $n then setpath([0]; .[0][$n:]) else empty end;
def input_line_number: 0;
def IN(s): any(s == .; .);
def IN(src; s): any(src == s; .);
def INDEX(stream; idx_expr): reduce stream as $row ({}; .[$row | idx_expr | tostring] |= $row);
def INDEX(idx_expr): INDEX(.[]; idx_expr);
def pick(pathexps): . as $top | reduce path(pathexps) as $p (null; setpath($p; $top | getpath($p)));
def debug: .;
def debug(msg): .;
def stderr: .;
def env: {};
def halt: error("halt is not allowed here");
def halt_error: error(.);
def halt_error($code): error(.);
def input: error("No more inputs");
def inputs: empty;
def input_filename: null;
"""


@lru_cache(maxsize=1)
def prelude() -> tuple[Node, ...]:
    """Each function as `(name, parameters, body)`."""
    functions: list[Node] = []
    node = parse(_SOURCE)
    while node[0] == "def":
        functions.append(node[1])
        node = node[2]
    return tuple(functions)
