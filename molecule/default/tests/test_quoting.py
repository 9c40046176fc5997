"""systemd passes on each value that the filters wrote into a unit, as environment and as arguments."""

import json
import random
import string

from files_on_host import write
from service import shown

from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import quoting

AWKWARD = [
    "", " ", "  two  spaces ", "plain", "%n %h %%", "$HOME ${HOME} $$", "back\\slash", "\\n is no newline", "\\",
    'double "quotes"', "single 'quotes'", "new\nline", "\nUser=root", "x\n[Service]\nExecStartPre=+/bin/false",
    "tab\t", "carriage\rreturn", "bell\a and escape\x1b[0m", "\x7f", "snow ☃ and 🦄", "ünïcödé", "é", "\u2028",
    "; semicolon", ";", "# hash", "-dash", "@at", "+plus", "!bang", "trailing \\", "a=b", "=", "~", "*?[a-z]", "{a,b}",
]  # fmt: skip
ALPHABET = string.printable + "\x01\x02\x1f\x7f%%%$$$\\\\\"\"''\n\n äß☃🦄\u0085\u00a0"
PROBE = "import json, os, sys; json.dump([dict(os.environ), sys.argv[1:]], open('/run/quoting.json', 'w'))"


def values():
    """Awkward values and random ones, which the seed makes the same in every run."""
    randomness = random.Random(20)
    lengths = [randomness.randrange(1, 40) for _number in range(300)]
    return AWKWARD + ["".join(randomness.choices(ALPHABET, k=length)) for length in lengths]


def test_systemd_passes_on_what_was_written(host):
    """Every value arrives unchanged, and none adds a directive."""
    wanted = values()
    environment = [quoting.environment_assignment(f"V{number}", value) for number, value in enumerate(wanted)]
    command = [quoting.command_argument(item) for item in ["/usr/bin/python3", "-I", "-c", PROBE, *wanted]]
    unit = "\n".join(
        [
            "[Unit]",
            f"Description={quoting.text('50% of ' + repr(wanted))}",
            "[Service]",
            "Type=oneshot",
            "User=daemon",
            "ExecStartPre=+/usr/bin/install -o daemon /dev/null /run/quoting.json",
            *(f"Environment={item}" for item in environment),
            "EnvironmentFile=/run/quoting.env",
            f"ExecStart={' '.join(command)}",
            "",
        ]
    )
    lines = [quoting.environment_file_line(f"F{number}", value) for number, value in enumerate(wanted)]
    write(host, "/run/quoting.env", "\n".join([*lines, ""]))
    write(host, "/run/systemd/system/quoting.service", unit)
    assert host.run("systemctl daemon-reload && systemctl start quoting.service").rc == 0
    got_environment, got_arguments = json.loads(host.check_output("cat /run/quoting.json"))
    assert got_arguments == wanted
    assert [got_environment.get(f"V{number}") for number in range(len(wanted))] == wanted
    assert [got_environment.get(f"F{number}") for number in range(len(wanted))] == wanted
    assert shown(host, "quoting.service", "User") == "daemon"
