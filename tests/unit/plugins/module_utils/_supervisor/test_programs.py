# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import configparser
import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor import programs
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

HARD = ["%", "%(here)s", "%%", "%n", "a;b", "a#b", "=", "a b", "'", '"', "\\", "é", "[program:other]", "$HOME"]


def read_as_supervisor(text: str, option: str) -> str:
    """The value as supervisor gets it: its parser is Python's with these settings, and then it expands."""
    parser = configparser.RawConfigParser(strict=False, inline_comment_prefixes=(";", "#"))
    parser.read_string(text)
    assert parser.sections() == ["program:shop"]
    return parser["program:shop"][option] % {"here": "/etc/supervisor"}


class TestProgramText:
    @pytest.mark.parametrize("value", HARD)
    def test_values_with_supervisors_own_characters(self, value: str) -> None:
        """supervisor reads the value that was given."""
        text = programs.program_text("shop", "", {"option": f"/a{value}", "last": "1"})
        assert read_as_supervisor(text, "option") == f"/a{value}"
        assert read_as_supervisor(text, "last") == "1"

    def test_the_number_of_a_process(self) -> None:
        """supervisor fills it in if the program has several, and nowhere else."""
        numbered = programs.program_text("shop", "", {"numprocs": "2", "option": f"/a % {programs.NUMBER}"})
        assert numbered.endswith("\noption=/a %% %(process_num)d\n")
        assert programs.NUMBER in programs.program_text("shop", "", {"option": f"/a{programs.NUMBER}"})

    @given(st.text())
    def test_any_value_is_the_same_or_refused(self, value: str) -> None:
        """Nothing is cut off, and nothing becomes another option or section."""
        try:
            text = programs.program_text("shop", value, {"option": f"/{value}"})
        except ValueError:
            return
        assert read_as_supervisor(text, "option") == f"/{value}"

    @given(st.lists(st.text(alphabet=st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=1), min_size=1))
    def test_any_command_is_the_same_or_refused(self, arguments: list[str]) -> None:
        """supervisor splits it as a shell does."""
        try:
            text = programs.program_text("shop", "", {"command": programs.command_line(arguments)})
        except ValueError:
            return
        assert shlex.split(read_as_supervisor(text, "command")) == arguments

    @pytest.mark.parametrize(
        "value", ["a\nuser=root", "a\r", "a ; b", "a # b", "a\t;b", " a", "a ", ";", "#a", "\0", "\x85"]
    )
    def test_values_that_supervisor_would_read_differently(self, value: str) -> None:
        """They would be another option, a comment, or gone."""
        with pytest.raises(ValueError, match="option|NUL"):
            programs.program_text("shop", "", {"option": value})

    def test_a_description_is_a_comment(self) -> None:
        """Whatever is in it."""
        text = programs.program_text("shop", "%x\n[program:other]\ncommand=/bin/sh", {"option": "1"})
        assert read_as_supervisor(text, "option") == "1"

    @pytest.mark.parametrize("name", ["all", "", "a:b", "a b", "a/b", "a]", "-a", "a\n"])
    def test_names_that_no_program_can_have(self, name: str) -> None:
        """With one of these supervisorctl would mean all programs, or none."""
        with pytest.raises(ValueError, match="not a name"):
            programs.program_text(name, "", {})


def test_programs_are_found_by_their_sections(tmp_path: Path) -> None:
    """In any file that supervisor reads: its name ends in .conf."""
    (tmp_path / "a.conf").write_text("[program:shop]\n[program:shopping]\n")
    (tmp_path / "b.conf").write_text("[fcgi-program:shop]\n")
    (tmp_path / "c.conf").write_text("; [program:shop]\n[program:other]\n")
    (tmp_path / ".previous.d.conf").write_text("[program:shop]\n")
    assert programs.find_program("shop", str(tmp_path)) == [str(tmp_path / "a.conf"), str(tmp_path / "b.conf")]


def test_a_service_name_that_no_program_can_have() -> None:
    """supervisorctl would stop all programs."""
    programs.check_service_name("shop")
    with pytest.raises(InvalidValue, match="gunicorn_service_name: 'all'"):
        programs.check_service_name("all")
