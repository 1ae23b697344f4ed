"""The locator: for every key that tomllib finds, the line that really holds it."""

import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.config.lines import KeyPath, key_lines, nearest_line

DOCUMENT = '''\
# a comment with = and [brackets] and "quotes
top = 1
"quoted key" = 'x'   # x = 2
'literal.key' = """
[not.a.header]
not = "a key"
five quotes: \\""" ""\\"""""
after = 2

[kafka]
bootstrap = "h:1" # ] } ,
nested.dotted . name = true

[[topics]]
name = "a"
[[topics]]
name = "b"
  [topics.inner]
  deep = 1979-05-27 07:32:00Z
  [[topics.list]]
  x = 1
  [[topics.list]]
  x = 2

[agents.order.policy]
backoff = {initial = "}", max = "2,s", inner = {a = [1, {b = 2}]}}
values = [
  1, # one ]
  "two,",

  [3, 4],
  {k = "v"},
]
[agents.order]
endpoint = """"quoted""""
last = \'\'\'it''s [x]
y = 3\'\'\'
end = 0'''


def paths_of(value: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    """Every key and item in a parsed document."""
    match value:
        case dict():
            children = list(value.items())
        case list():
            children = list(enumerate(value))
        case _:
            children = []
    for name, child in children:
        yield (*path, name)
        yield from paths_of(child, (*path, name))


def test_the_locator_finds_exactly_the_keys_that_tomllib_finds() -> None:
    assert set(key_lines(DOCUMENT)) == set(paths_of(tomllib.loads(DOCUMENT)))


@pytest.mark.parametrize(
    ("path", "start"),
    [
        (("top",), "top = 1"),
        (("quoted key",), '"quoted key"'),
        (("literal.key",), "'literal.key'"),
        (("after",), "after = 2"),
        (("kafka",), "[kafka]"),
        (("kafka", "nested"), "nested.dotted"),
        (("kafka", "nested", "dotted", "name"), "nested.dotted"),
        (("topics",), "[[topics]]"),
        (("topics", 0, "name"), 'name = "a"'),
        (("topics", 1, "name"), 'name = "b"'),
        (("topics", 1, "inner"), "[topics.inner]"),
        (("topics", 1, "inner", "deep"), "deep ="),
        (("topics", 1, "list", 0, "x"), "x = 1"),
        (("topics", 1, "list", 1, "x"), "x = 2"),
        (("agents",), "[agents.order.policy]"),
        (("agents", "order"), "[agents.order]"),
        (("agents", "order", "policy", "backoff", "max"), "backoff ="),
        (("agents", "order", "policy", "backoff", "inner", "a", 1, "b"), "backoff ="),
        (("agents", "order", "policy", "values", 1), '"two,",'),
        (("agents", "order", "policy", "values", 2, 1), "[3, 4],"),
        (("agents", "order", "policy", "values", 3, "k"), "{k ="),
        (("agents", "order", "last"), "last ="),
        (("agents", "order", "end"), "end = 0"),
    ],
)
def test_each_key_has_the_line_it_stands_on(path: KeyPath, start: str) -> None:
    line = key_lines(DOCUMENT)[path]
    assert DOCUMENT.splitlines()[line - 1].lstrip().startswith(start)


def test_the_second_table_of_an_array_is_not_the_first() -> None:
    lines = key_lines(DOCUMENT)
    assert lines["topics", 0] < lines["topics", 0, "name"] < lines["topics", 1]
    assert lines["topics", 1] < lines["topics", 1, "name"]


def test_windows_line_ends_count_once() -> None:
    document = DOCUMENT.replace("\n", "\r\n")
    assert key_lines(document) == key_lines(DOCUMENT)


def test_a_key_that_is_not_there_has_the_line_of_the_table_around_it() -> None:
    lines = key_lines("a = 1\n[b]\nc = 2\n")
    assert nearest_line(lines, ("b", "missing", "deeper")) == 2
    assert nearest_line(lines, ("missing",)) == 1


SCALARS = st.sampled_from(
    ["1", "-2.5", "true", '"x # ] }"', "'\"'", '"\\""', "07:32:00", "[]", "{}"]
)
STYLES = st.sampled_from(["plain", "inline", "array", "dotted", "header", "tables", "comment"])


@given(st.lists(st.tuples(STYLES, SCALARS, SCALARS), max_size=20))
def test_keys_of_any_document_are_on_the_lines_that_spell_them(
    entries: list[tuple[str, str, str]],
) -> None:
    written: list[str] = []
    table: KeyPath = ()
    expected: dict[KeyPath, int] = {}
    tables = 0
    for number, (style, one, two) in enumerate(entries):
        key, line = f"k{number}", len(written) + 1
        match style:
            case "plain":
                written.append(f"{key}={one}# {key}x = 1")
                expected[*table, key] = line
            case "inline":
                written.append(f"{key} = {{ p = {one} , q = {two} }}")
                expected[*table, key, "q"] = line
            case "array":
                written += [f"{key} = [", f"  {one}, # ]", f"  {two}", "]"]
                expected[*table, key, 1] = line + 2
            case "dotted":
                written.append(f' {key} . "p.q" = {one}')
                expected[*table, key, "p.q"] = line
            case "header":
                table = (key, "sub")
                written.append(f"[{key}.sub] # [x]")
                expected[table] = line
            case "tables":
                table = ("rows", tables)
                tables += 1
                written.append("[[ rows ]]")
                expected[table] = line
            case _:
                written += ["# = [", ""]
    document = "\n".join(written)
    found = key_lines(document)
    assert set(found) == set(paths_of(tomllib.loads(document)))
    assert {path: found[path] for path in expected} == expected
