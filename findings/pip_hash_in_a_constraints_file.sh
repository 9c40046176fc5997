#!/usr/bin/env bash
# pip 26.3 (Python 3.11): one hash in a constraints file makes pip ask for a hash of every package, also of those that the
# file does not name.
#
# A constraint that no requirement uses changes nothing, as documented: constraints only say which version is taken if a
# package is installed anyway. If its line has --hash, pip turns on --require-hashes all the same. The file can't be given
# beside any requirement that has no hash.
#
# Most people expect that a constraint for another package has no effect. A lock with hashes can't serve as constraints
# for a part of what it locks and something more.
#
# Output seen:
#   six==1.17.0 alone                               installed
#   with idna==3.10 as a constraint                 installed
#   with idna==3.10 --hash=... as a constraint      refused: Hashes are required in --require-hashes mode
#
# Exits with 1 if that has changed.

set -euo pipefail
work=$(mktemp --directory)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
pip=("$work/venv/bin/python" -m pip --isolated --quiet --disable-pip-version-check)
"${pip[@]}" install pip==26.3
"${pip[@]}" download --no-deps --dest "$work/wheels" idna==3.10 six==1.17.0
hash=$(sha256sum "$work"/wheels/idna-3.10-*.whl | cut --delimiter=' ' --fields=1)

# outcome CONSTRAINT: what becomes of six, with a constraint for another package.
outcome() {
  rm -rf "$work/target"
  echo "$1" >"$work/constraints.txt"
  if "${pip[@]}" install --no-index --find-links "$work/wheels" --target "$work/target" \
    --constraint "$work/constraints.txt" six==1.17.0 2>"$work/errors"; then
    echo installed
  else
    echo "refused: $(grep --only-matching 'Hashes are required in --require-hashes mode' "$work/errors")"
  fi
}

seen=$(
  printf '%-47s %s\n' 'six==1.17.0 alone' "$(outcome '')"
  printf '%-47s %s\n' 'with idna==3.10 as a constraint' "$(outcome 'idna==3.10')"
  printf '%-47s %s\n' 'with idna==3.10 --hash=... as a constraint' "$(outcome "idna==3.10 --hash=sha256:$hash")"
)
printf '%s\n' "$seen"
diff <(sed -n '/^# Output seen:/,/^#$/s/^#   //p' "$0") <(printf '%s\n' "$seen")
