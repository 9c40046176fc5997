#!/usr/bin/env bash
# pip 26.3 (Python 3.11): PIP_NO_COMPILE=1 compiles, and PIP_NO_DEPS=1 installs no dependencies.
#
# pip reads each option from an environment variable of its name. The value is given to what the option sets, and not to
# the option's name: --no-compile sets "compile" to false, so that PIP_NO_COMPILE=1 sets "compile" to 1. --no-deps sets
# "ignore dependencies" to true, so that PIP_NO_DEPS=1 does what it says. Two variables that begin alike have opposite
# meanings, and neither gives an error or a warning. The same holds for `no-compile = yes` in pip.conf.
#
# Most people expect that PIP_NO_COMPILE=1 does what --no-compile does. An image that must be small gets its bytecode
# all the same; with PIP_NO_COMPILE=0 it gets none.
#
# Output seen:
#   pip install --no-compile   0 compiled files
#   PIP_NO_COMPILE=1           1 compiled files
#   PIP_NO_COMPILE=0           0 compiled files
#   PIP_NO_DEPS=1              0 dependencies
#   PIP_NO_DEPS=0              1 dependencies
#
# Exits with 1 if that has changed.

set -euo pipefail
work=$(mktemp --directory)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
pip=("$work/venv/bin/python" -m pip --isolated --quiet --disable-pip-version-check)
"${pip[@]}" install pip==26.3
# --isolated would ignore the variables, too.
pip=("$work/venv/bin/python" -m pip --quiet --disable-pip-version-check)

# compiled NAME=VALUE OPTION...: print how many compiled files an installation of six leaves.
compiled() {
  rm -rf "$work/target"
  env "$1" "${pip[@]}" install --no-deps --target "$work/target" "${@:2}" six==1.17.0
  find "$work/target" -name '*.pyc' | wc -l
}

# dependencies NAME=VALUE: print how many packages python-dateutil, which depends on six, brings with it.
dependencies() {
  rm -rf "$work/target"
  env "$1" "${pip[@]}" install --target "$work/target" python-dateutil==2.9.0.post0
  find "$work/target" -maxdepth 1 -name 'six-*.dist-info' | wc -l
}

seen=$(
  printf '%-26s %s compiled files\n' 'pip install --no-compile' "$(compiled PIP_NO_INPUT=1 --no-compile)"
  printf '%-26s %s compiled files\n' PIP_NO_COMPILE=1 "$(compiled PIP_NO_COMPILE=1)"
  printf '%-26s %s compiled files\n' PIP_NO_COMPILE=0 "$(compiled PIP_NO_COMPILE=0)"
  printf '%-26s %s dependencies\n' PIP_NO_DEPS=1 "$(dependencies PIP_NO_DEPS=1)"
  printf '%-26s %s dependencies\n' PIP_NO_DEPS=0 "$(dependencies PIP_NO_DEPS=0)"
)
printf '%s\n' "$seen"
diff <(sed -n '/^# Output seen:/,/^#$/s/^#   //p' "$0") <(printf '%s\n' "$seen")
