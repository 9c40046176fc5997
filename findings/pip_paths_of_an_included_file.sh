#!/usr/bin/env bash
# pip 26.3 (Python 3.11): in an included requirements file, a path to install and a path of an option have different homes.
#
# `pip install -r more/extra.txt` looks for what the options -r, -c and --find-links of this file name beside the file.
# What the file names to install, such as ./six-1.17.0-py2.py3-none-any.whl or -e ., it looks for in the directory in
# which pip runs.
#
# Most people expect that all relative paths in a file have the same home. A file with `--find-links wheels` and `./lib`
# works from one directory, and from no other.
#
# Output seen:
#   -r other.txt          beside the file
#   -c limits.txt         beside the file
#   --find-links wheels   beside the file, or in the current directory
#   ./six.whl             in the current directory
#
# Exits with 1 if that has changed.

set -euo pipefail
work=$(mktemp --directory)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
pip=("$work/venv/bin/python" -m pip --isolated --quiet --disable-pip-version-check)
"${pip[@]}" install pip==26.3
"${pip[@]}" download --no-deps --dest "$work/fetched" six==1.17.0
wheel=six-1.17.0-py2.py3-none-any.whl

# works LINE FOLDER: whether a file in more/ with this line installs six if what the line names is in the folder.
works() {
  rm -rf "$work/top" "$work/target"
  mkdir -p "$work/top/more" "$work/top/$2/wheels"
  cp "$work/fetched/$wheel" "$work/top/$2/"
  cp "$work/fetched/$wheel" "$work/top/$2/wheels/"
  echo "$work/fetched/$wheel" >"$work/top/$2/other.txt"
  echo 'six==1.17.0' >"$work/top/$2/limits.txt"
  echo "$1" >"$work/top/more/extra.txt"
  case $1 in
    --find-links*) echo six >>"$work/top/more/extra.txt" ;;
    -c*) printf '%s\n' "--find-links $work/fetched" six >>"$work/top/more/extra.txt" ;;
  esac
  (cd "$work/top" && "${pip[@]}" install --no-index --target "$work/target" -r more/extra.txt) >/dev/null 2>&1
}

# homes LINE: where pip finds what the line names.
homes() {
  local found=()
  if works "$1" more; then found+=('beside the file'); fi
  if works "$1" .; then found+=('in the current directory'); fi
  if ((${#found[@]} == 2)); then echo "${found[0]}, or ${found[1]}"; else echo "${found[0]:-nowhere}"; fi
}

seen=$(
  printf '%-21s %s\n' '-r other.txt' "$(homes '-r other.txt')"
  printf '%-21s %s\n' '-c limits.txt' "$(homes '-c limits.txt')"
  printf '%-21s %s\n' '--find-links wheels' "$(homes '--find-links wheels')"
  printf '%-21s %s\n' './six.whl' "$(homes "./$wheel")"
)
printf '%s\n' "$seen"
diff <(sed -n '/^# Output seen:/,/^#$/s/^#   //p' "$0") <(printf '%s\n' "$seen")
