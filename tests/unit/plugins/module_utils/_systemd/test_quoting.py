# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
import shlex

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd.quoting import (
    command_argument,
    directives,
    environment_assignment,
    environment_file_line,
    environment_file_names,
    environment_file_values,
    text,
    with_drop_in,
)
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.text import checked

# All that means something to systemd somewhere, and what it takes for the end of a line.
SPECIAL = "\\\"'%$;#=!@:+-|<>&{}[]() \t\n\r\x0b\x0c\x01\x1b\x7f`~*?\u0085\u2028\ufeffé😀xnu0"
NONCHARACTERS = ["\ufdd0", "\ufdef", "\ufffe", "\uffff", "\U0001fffe", "\U0010ffff"]


def is_noncharacter(character: str) -> bool:
    """Whether the code point is a noncharacter of Unicode, as systemd's utf8_is_valid() asks."""
    code = ord(character)
    return 0xFDD0 <= code <= 0xFDEF or code & 0xFFFE == 0xFFFE


values = st.text(
    st.sampled_from(SPECIAL)
    | st.characters(codec="utf-8", exclude_characters="\0").filter(lambda c: not is_noncharacter(c))
)


def unquoted(line: str) -> list[str]:
    """The words of a line by the rules of systemd.syntax(7), "Quoting", implemented independently."""
    escapes = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "'": "'", "s": " "}
    words, position = [], 0
    while position < len(line):
        if line[position] in " \t":
            position += 1
            continue
        quote = line[position] if line[position] in "\"'" else ""
        position += len(quote)
        word = ""
        while position < len(line) and line[position] not in (quote or " \t"):
            if line[position] != "\\":
                word += line[position]
                position += 1
            elif line[position + 1] == "x":
                word += chr(int(line[position + 2 : position + 4], 16))
                position += 4
            else:
                word += escapes[line[position + 1]]
                position += 2
        if quote:
            assert line[position] == quote, "the quote is not closed"
            position += 1
            assert line[position : position + 1] in ("", " ", "\t"), "something follows the quote"
        words.append(word)
    return words


def expanded(word: str, sign: str) -> str:
    """The word after systemd has replaced what the sign begins; a doubled sign is the sign itself."""
    assert not re.search(rf"(?<!{re.escape(sign)})({re.escape(sign * 2)})*{re.escape(sign)}(?!{re.escape(sign)})", word)
    return word.replace(sign * 2, sign)


def one_line(item: str) -> bool:
    """Whether systemd reads the item as (a part of) one line: nothing ends the line, or joins the next one to it."""
    return not re.search(r"[\x00-\x1f\x7f]", item) and not item.endswith("\\")


class TestEnvironmentAssignment:
    @given(value=values)
    @example(value="\\")
    @example(value="x\nUser=root")
    @example(value="a\r\nExecStartPre=+/bin/id")
    def test_the_process_gets_the_value(self, value: str) -> None:
        """By systemd's own rules the item is one word, which says NAME=value."""
        item = environment_assignment("NAME", value)
        assert [expanded(word, "%") for word in unquoted(item)] == [f"NAME={value}"]
        assert one_line(item)

    @pytest.mark.parametrize(
        ("value", "item"),
        [
            ("/opt/shop:/etc/opt/shop", "NAME=/opt/shop:/etc/opt/shop"),
            ("", "NAME="),
            ("two words", '"NAME=two words"'),
            ('say "hi"', '"NAME=say \\"hi\\""'),
            ("C:\\new", '"NAME=C:\\\\new"'),
            ("100%n", '"NAME=100%%n"'),
            ("$HOME", '"NAME=$HOME"'),
            ("a\nb\tc\rd", '"NAME=a\\nb\\tc\\rd"'),
            ("\x1b[0m\x7f", '"NAME=\\x1b[0m\\x7f"'),
            ("schön 😀", '"NAME=schön 😀"'),
            ("trailing\\", '"NAME=trailing\\\\"'),
        ],
    )
    def test_it_is_written_as_systemd_documents_it(self, value: str, item: str) -> None:
        """Quoted as a whole where quotes are needed, and left readable where they are not."""
        assert environment_assignment("NAME", value) == item

    @pytest.mark.parametrize("name", ["", "1A", "A B", "A=B", "A\nUser", "É", "A-B", "A\n"])
    def test_a_name_that_is_none_is_refused(self, name: str) -> None:
        """systemd would read any other name as something else."""
        with pytest.raises(ValueError, match=re.escape(repr(name))):
            environment_assignment(name, "x")


class TestCommandArgument:
    @given(arguments=st.lists(values))
    @example(arguments=["", ";", "\\;", "$MAINPID", "${A}", "%n", "-", "'"])
    def test_the_process_gets_the_arguments(self, arguments: list[str]) -> None:
        """By systemd's own rules each stays one argument, with neither specifiers nor variables in it."""
        line = " ".join(command_argument(argument) for argument in arguments)
        assert [expanded(expanded(word, "%"), "$") for word in unquoted(line)] == arguments
        assert one_line(line)

    @pytest.mark.parametrize(
        ("argument", "quoted"),
        [
            ("--bind=[::1]:8000", "--bind=[::1]:8000"),
            ("", '""'),
            (";", '";"'),
            ("$MAINPID", '"$$MAINPID"'),
            ("~", '"~"'),
            (8000, "8000"),
        ],
    )
    def test_it_is_written_as_systemd_documents_it(self, argument: str, quoted: str) -> None:
        """A lone semicolon would begin another command, an empty word would vanish."""
        assert command_argument(argument) == quoted


class TestChecked:
    @given(value=values)
    def test_what_can_be_passed_is_returned_as_it_is(self, value: str) -> None:
        """Emoji, control characters and quotes are values like any other."""
        assert checked(value) == value

    @pytest.mark.parametrize("bad", ["\0", "\ud800", *NONCHARACTERS])
    @pytest.mark.parametrize(
        "write", [checked, command_argument, text, lambda value: environment_assignment("A", value)]
    )
    def test_what_systemd_would_drop_is_refused(self, write, bad: str) -> None:
        """systemd ignores a line with such a character, and the service would start without the value."""
        with pytest.raises(ValueError, match="NUL|Unicode"):
            write(f"a{bad}b")


class TestText:
    @given(value=values)
    @example(value="a\\ \\")
    def test_it_is_one_line_that_nothing_can_leave(self, value: str) -> None:
        """No newline, no backslash at the end that would join the next line, no specifier."""
        line = text(value)
        assert one_line(line)
        assert line == line.strip()
        expanded(line, "%")

    @pytest.mark.parametrize(
        ("value", "line"),
        [
            ("shop: Gunicorn", "shop: Gunicorn"),
            ("  two\n lines\t", "two lines"),
            ("100 %", "100 %%"),
            ("x\nUser=root", "x User=root"),
            ("ends in \\", "ends in"),
            ("ends in \\ \\", "ends in"),
            ("a\\b", "a\\b"),
            (2026, "2026"),
            ("", ""),
        ],
    )
    def test_it_reads_as_it_was_written(self, value: object, line: str) -> None:
        """Only white space changes, and characters that systemd does not take for text."""
        assert text(value) == line


class TestDirectives:
    def test_each_type_has_its_form(self) -> None:
        """A list repeats, a boolean is yes or no, None is left out, and specifiers stay specifiers."""
        wanted = {
            "User": "shop",
            "PrivateTmp": True,
            "ProtectHome": False,
            "OOMScoreAdjust": 100,
            "CapabilityBoundingSet": "",
            "MemoryMax": None,
            "ReadWritePaths": ["/var/opt/shop", "%L/shop"],
            "SystemCallFilter": [],
        }
        assert directives(wanted) == [
            "User=shop",
            "PrivateTmp=yes",
            "ProtectHome=no",
            "OOMScoreAdjust=100",
            "CapabilityBoundingSet=",
            "ReadWritePaths=/var/opt/shop",
            "ReadWritePaths=%L/shop",
        ]

    @given(value=st.text() | st.integers() | st.booleans() | st.floats())
    def test_it_is_one_line_or_refused(self, value: object) -> None:
        """No value begins a second directive."""
        try:
            (line,) = directives({"Nice": value})
        except ValueError:
            return
        assert one_line(line)
        assert line.startswith("Nice=")

    @pytest.mark.parametrize(
        "value", ["x\nUser=root", "x\r", "x\\", "x\0", "\ud800", "\uffff", {"a": 1}, [None], [["a"]], ["a", {}]]
    )
    def test_a_value_that_is_no_line_is_refused(self, value: object) -> None:
        """The error names the directive or what is wrong with the text."""
        with pytest.raises(ValueError, match="Nice: |NUL|Unicode"):
            directives({"Nice": value})

    @pytest.mark.parametrize("name", ["", "user", "User Group", "User=root\nX", "Ünit", "X\n", 5])
    def test_a_name_that_is_none_is_refused(self, name: object) -> None:
        """The error names it."""
        with pytest.raises(ValueError, match="is not a name of a systemd directive"):
            directives({name: "x"})


class TestWithDropIn:
    @pytest.mark.parametrize(
        ("drop_in", "merged"),
        [
            ({}, {"Type": "notify", "Paths": ["/a"]}),
            ({"Type": "exec"}, {"Type": "exec", "Paths": ["/a"]}),
            ({"Type": None}, {"Type": None, "Paths": ["/a"]}),
            ({"Nice": 5}, {"Type": "notify", "Paths": ["/a"], "Nice": 5}),
            ({"Paths": "/b"}, {"Type": "notify", "Paths": ["/a", "/b"]}),
            ({"Paths": ["/b", "/c"]}, {"Type": "notify", "Paths": ["/a", "/b", "/c"]}),
            ({"Paths": ["", "/b"]}, {"Type": "notify", "Paths": ["/a", "", "/b"]}),
            ({"Paths": []}, {"Type": "notify", "Paths": ["/a"]}),
            ({"Paths": None}, {"Type": "notify", "Paths": None}),
        ],
    )
    def test_lists_grow_and_others_are_replaced(self, drop_in: dict, merged: dict) -> None:
        """As systemd reads a drop-in: an empty value empties a list. None removes a directive."""
        wanted = {"Type": "notify", "Paths": ["/a"]}
        assert with_drop_in(wanted, drop_in) == merged
        assert wanted == {"Type": "notify", "Paths": ["/a"]}


class TestEnvironmentFileLine:
    @pytest.mark.parametrize(
        ("value", "line"),
        [
            ("plain", 'A="plain"'),
            ('$HOME `id` \\ "x"', 'A="\\$HOME \\`id\\` \\\\ \\"x\\""'),
            ("50% 'of' it", "A=\"50% 'of' it\""),
            ("two\nlines", 'A="two\nlines"'),
        ],
    )
    def test_it_is_quoted_as_in_a_shell(self, value: str, line: str) -> None:
        """Characters that are special in a shell's double quotes have a backslash. Percent signs and newlines have none."""
        assert environment_file_line("A", value) == line

    @given(value=st.text(alphabet=st.characters(exclude_categories=["Cs", "Cn"], exclude_characters="\0\r")))
    def test_a_shell_reads_the_value(self, value: str) -> None:
        """shlex reads the value; it has the same rules, except for dollars and backticks."""
        (word,) = shlex.split(environment_file_line("A", value).replace("\\$", "$").replace("\\`", "`"))
        assert word == f"A={value}"

    @given(values=st.lists(st.text(alphabet=st.characters(exclude_categories=["Cs", "Cn"], exclude_characters="\0"))))
    def test_the_values_are_read_back(self, values: list[str]) -> None:
        """From a file that has other lines as well."""
        lines = [environment_file_line(f"A{number}", value) for number, value in enumerate(values)]
        text = "\n".join(["# Managed", *lines, "GUNICORN_SECRETS=abc", ""])
        assert environment_file_values(text) == values
        assert environment_file_names(text) == [f"A{number}" for number in range(len(values))]

    @pytest.mark.parametrize(("name", "value"), [("A B", "x"), ("A", "\0"), ("", "x"), ("A\nB", "x"), ("A", "\ufffe")])
    def test_what_cannot_be_handed_over_is_refused(self, name: str, value: str) -> None:
        """Names of no variable, and characters that systemd does not take."""
        with pytest.raises(ValueError, match="name|NUL|noncharacter"):
            environment_file_line(name, value)
