"""The line of every key in a TOML document, which tomllib does not tell.

`key_lines(text)` walks a document that tomllib has already accepted: it may rely on valid syntax
and only has to know where keys and values begin and end. Paths are those of the parsed document:
names for tables, numbers for arrays, `("topics", 1, "name")` for the second `[[topics]]`.
"""

import re
import tomllib
from bisect import bisect_right

KeyPath = tuple[str | int, ...]

_BLANK = re.compile(r"[ \t]*")
_BLANK_LINES = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_KEY_PART = re.compile(r'[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|\'[^\']*\'')
_STRING = re.compile(
    # A multi-line string may end in up to two quotes of its own before the three that close it.
    r'"""(?:[^\\]|\\.)*?"""(?:""?(?!"))?|\'\'\'.*?\'\'\'(?:\'\'?(?!\'))?'
    r'|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'',
    re.DOTALL,
)
_SCALAR = re.compile(r"[^,\]}#\r\n]+")


def key_lines(text: str) -> dict[KeyPath, int]:
    """The line, counted from 1, on which each key or array item of `text` begins.

    `text` must be valid TOML. A table that is only implied by a longer header has the line of
    the first one that implies it.
    """
    return _Walk(text).document()


def nearest_line(lines: dict[KeyPath, int], path: KeyPath) -> int:
    """The line of `path`, or of the innermost table around it that the document has; at least 1."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


class _Walk:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.breaks = [match.start() for match in re.finditer("\n", text)]
        self.lines: dict[KeyPath, int] = {}
        # Number of the newest element of each array of tables.
        self.newest: dict[KeyPath, int] = {}

    def document(self) -> dict[KeyPath, int]:
        table: KeyPath = ()
        self.skip(_BLANK_LINES)
        while self.at < len(self.text):
            if self.text[self.at] == "[":
                table = self.header()
            else:
                self.assignment(table)
            self.skip(_BLANK_LINES)
        return self.lines

    def header(self) -> KeyPath:
        line = self.line()
        is_array = self.text.startswith("[[", self.at)
        self.at += 2 if is_array else 1
        *outer, last = self.key()
        self.at += 2 if is_array else 1
        path: KeyPath = ()
        for name in outer:
            path = self.imply((*path, name), line)
            if path in self.newest:
                path = (*path, self.newest[path])
        path = (*path, last)
        if is_array:
            self.newest[path] = self.newest.get(path, -1) + 1
            self.imply(path, line)
            path = (*path, self.newest[path])
        self.declare(path, line)
        return path

    def assignment(self, table: KeyPath) -> None:
        line = self.line()
        *outer, last = self.key()
        for name in outer:
            table = self.imply((*table, name), line)
        self.declare((*table, last), line)
        self.at += 1  # the equals sign
        self.skip(_BLANK)
        self.value((*table, last))

    def value(self, path: KeyPath) -> None:
        match self.text[self.at]:
            case "{":
                self.inline_table(path)
            case "[":
                self.array(path)
            case '"' | "'":
                self.take(_STRING)
            case _:
                self.take(_SCALAR)

    def inline_table(self, path: KeyPath) -> None:
        self.at += 1
        self.skip(_BLANK_LINES)
        while self.text[self.at] != "}":
            self.assignment(path)
            self.skip_comma()
        self.at += 1

    def array(self, path: KeyPath) -> None:
        self.at += 1
        self.skip(_BLANK_LINES)
        index = 0
        while self.text[self.at] != "]":
            self.declare((*path, index), self.line())
            self.value((*path, index))
            self.skip_comma()
            index += 1
        self.at += 1

    def key(self) -> list[str]:
        parts = []
        while True:
            self.skip(_BLANK)
            raw = self.take(_KEY_PART)
            is_quoted = raw[0] in "\"'"
            parts.append(str(tomllib.loads(f"k = {raw}")["k"]) if is_quoted else raw)
            self.skip(_BLANK)
            if self.text[self.at] != ".":
                return parts
            self.at += 1

    def imply(self, path: KeyPath, line: int) -> KeyPath:
        if path not in self.lines:
            self.lines[path] = line
        return path

    def declare(self, path: KeyPath, line: int) -> None:
        self.lines[path] = line

    def skip_comma(self) -> None:
        self.skip(_BLANK_LINES)
        if self.text[self.at] == ",":
            self.at += 1
            self.skip(_BLANK_LINES)

    def skip(self, pattern: re.Pattern[str]) -> None:
        self.take(pattern)

    def take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.text, self.at)
        if match is None:
            message = f"line {self.line()}: not the valid TOML that was promised"
            raise ValueError(message)
        self.at = match.end()
        return match[0]

    def line(self) -> int:
        return bisect_right(self.breaks, self.at - 1) + 1
