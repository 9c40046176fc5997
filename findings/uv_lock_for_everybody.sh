#!/usr/bin/env bash
# uv 0.13.9: what it installs into gets a file .lock with mode 0666, whatever the umask is.
#
# `uv pip install` locks a virtual environment by a file in it, and gives this file's mode itself. All else that uv writes
# has the mode that the umask leaves. The file is empty, and stays there.
#
# Most people expect that a virtual environment of root's, made with the usual umask 022 or a strict 077, has nothing in
# it that other users may write to. A check for such files, as in audits and before root runs a program, finds this one.
# pip leaves none.
#
# Output seen:
#   umask 022   pip                none
#   umask 022   uv                 .lock 666
#   umask 077   pip                none
#   umask 077   uv                 .lock 666
#
# Exits with 1 if that has changed.

set -euo pipefail
work=$(mktemp --directory)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/tools"
"$work/tools/bin/python" -m pip --quiet --disable-pip-version-check install uv==0.13.9

# writable MASK INSTALLER: print the files of a new virtual environment with six that everybody may write.
writable() {
  (
    umask "$1"
    python3 -m venv "$work/$1-$2"
    case $2 in
      pip) "$work/$1-$2/bin/python" -m pip --quiet --disable-pip-version-check install six==1.17.0 ;;
      uv) "$work/tools/bin/uv" --quiet pip install --python "$work/$1-$2/bin/python" six==1.17.0 ;;
    esac
    find "$work/$1-$2" -perm -o+w -not -type l -printf '%P %m\n'
  )
}

seen=$(
  for mask in 022 077; do
    for installer in pip uv; do
      found=$(writable "$mask" "$installer")
      printf 'umask %s   %-18s %s\n' "$mask" "$installer" "${found:-none}"
    done
  done
)
printf '%s\n' "$seen"
diff <(sed -n '/^# Output seen:/,/^#$/s/^#   //p' "$0") <(printf '%s\n' "$seen")
