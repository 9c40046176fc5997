#!/usr/bin/env bash
# uv 0.13.9: a folder in a requirements file is installed from the cache, with its old code, into a new virtual environment.
#
# `uv pip install ./folder` builds the folder. With the same path as a line of a requirements file, uv takes what it built
# before, unless a file that describes the project (pyproject.toml, setup.py, setup.cfg) has changed: a change of the code
# is none. With --refresh, or with [tool.uv] cache-keys in the folder, it looks at the code.
#
# Most people expect that a new virtual environment gets the code that is in the folder now, as with pip, and that a line
# in a file means the same as an argument. A deployment that makes a new environment for each release serves the code of
# the first.
#
# Output seen:
#   uv ./folder              new
#   uv -r FILE               old
#   uv -r FILE --refresh     new
#   pip -r FILE              new
#
# Exits with 1 if that has changed.

set -euo pipefail
work=$(mktemp --directory)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/tools"
pip=("$work/tools/bin/python" -m pip --quiet --disable-pip-version-check)
"${pip[@]}" install uv==0.13.9
"${pip[@]}" download --no-deps --no-binary=:all: --dest "$work" six==1.17.0
export UV_CACHE_DIR=$work/cache
echo "$work/six-1.17.0" >"$work/requirements.txt"

# code NAME INSTALLER...: install the folder twice, each time into a new environment; print the code of the second.
code() {
  rm -rf "$work/six-1.17.0" "$work/cache"
  tar --extract --gzip --file "$work/six-1.17.0.tar.gz" --directory "$work"
  echo 'WHICH = "old"' >>"$work/six-1.17.0/six.py"
  for time in first second; do
    python3 -m venv --without-pip "$work/$1-$time"
    "${@:2}" --python "$work/$1-$time/bin/python"
    sed --in-place 's/^WHICH = "old"/WHICH = "new"/' "$work/six-1.17.0/six.py"
  done
  "$work/$1-second/bin/python" -c 'import six; print(six.WHICH)'
}

uv() {
  "$work/tools/bin/uv" --quiet pip install "$@"
}

# pip's option --python comes before its command.
pip() {
  "${pip[@]}" "${@: -2}" install "${@:1:$#-2}"
}

seen=$(
  printf '%-24s %s\n' 'uv ./folder' "$(code argument uv "$work/six-1.17.0")"
  printf '%-24s %s\n' 'uv -r FILE' "$(code file uv -r "$work/requirements.txt")"
  printf '%-24s %s\n' 'uv -r FILE --refresh' "$(code refresh uv -r "$work/requirements.txt" --refresh)"
  printf '%-24s %s\n' 'pip -r FILE' "$(code pip pip -r "$work/requirements.txt")"
)
printf '%s\n' "$seen"
diff <(sed -n '/^# Output seen:/,/^#$/s/^#   //p' "$0") <(printf '%s\n' "$seen")
