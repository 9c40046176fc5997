# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a step prints: its end is kept."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._steps import output as step_output
from ansible_collections.pyweb.gunicorn.plugins.module_utils._steps.output import Output


def test_the_end_is_kept_of_any_amount(tmp_path: Path) -> None:
    """Others open the FIFO by its path, as systemd does."""
    output = Output(str(tmp_path / "fifo"))
    script = f"exec >{tmp_path}/fifo; yes 'some line' | head -c 30000000; echo the end"
    subprocess.run(["sh", "-c", script], check=True)
    said = output.end()
    assert said.endswith("the end\n")
    assert len(said) == step_output.LONGEST
    assert os.listdir(tmp_path) == []


def test_what_is_no_text_is_kept(tmp_path: Path) -> None:
    """Bytes that are no characters are replaced; nothing at all is nothing."""
    output = Output(str(tmp_path / "fifo"))
    os.write(output.writer, b"a\xffb")
    assert output.end() == "a\ufffdb"
    assert Output(str(tmp_path / "fifo")).end() == ""


def test_a_process_that_keeps_the_output_open_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The step may have given its output to a process that is not its own, such as the service."""
    monkeypatch.setattr(step_output, "_TIMEOUT", 0.2)
    output = Output(str(tmp_path / "fifo"))
    began = time.monotonic()
    with subprocess.Popen(["sleep", "30"], stdout=output.writer) as held:
        assert output.end() == ""
        held.kill()
    assert time.monotonic() - began < 5
