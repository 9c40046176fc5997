#!/usr/bin/env bash
# uv 0.13.9, pip 26.3, on ext4 (Linux 6.18): a virtual environment takes several times as long to install if others were
# removed in the minutes before.
#
# ext4 does not use the inode of a removed file again for some minutes. Whenever a file is made, it looks for a free inode from
# the beginning of the group, and passes over each that is held back. A virtual environment has thousands of files, so
# the kernel's CPU time grows with all that was removed before, by anybody and in any folder of the same group of inodes.
# The same was seen with files that Python makes, and after a container was removed.
#
# Most people expect the second installation to take as long as the first one, or less. A benchmark that resets its
# host by removing the virtual environment, and a test run that removes its containers, measure this.
#
# Output seen (seconds of the kernel's CPU time in five installations of Django and pip by uv):
#   kept      0.892 0.728 0.767 0.783 0.640
#   removed   0.739 2.006 3.435 4.287 5.353
#
# Exits with 1 if that has changed: if the last one after removals takes less than twice as long as the last one without.

set -euo pipefail
work=$(mktemp --directory)
trap 'rm -rf "$work"' EXIT
[[ $(stat --file-system --format=%T "$work") == ext* ]] || {
  echo "$work is not on ext4: set TMPDIR to a folder that is" >&2
  exit 2
}

python3 -m venv "$work/tools"
"$work/tools/bin/python" -m pip --quiet --disable-pip-version-check install uv==0.13.9
"$work/tools/bin/python" -m pip --quiet --disable-pip-version-check download --dest "$work/wheels" Django==5.2.19 pip==26.3

# install NAME: install into a new virtual environment with a new cache; print the seconds.
install() {
  python3 -m venv --without-pip "$work/$1"
  UV_CACHE_DIR=$work/$1-cache bash -c 'TIMEFORMAT=%S; time "$@"' - "$work/tools/bin/uv" --quiet pip install --no-index \
    --find-links "$work/wheels" --python "$work/$1/bin/python" Django pip 2>&1
}

kept='' removed=''
for round in 1 2 3 4 5; do
  kept+=" $(install "kept-$round")"
done
for round in 1 2 3 4 5; do
  removed+=" $(install "removed-$round")"
  rm -rf "$work/removed-$round" "$work/removed-$round-cache"
done
printf '%-9s%s\n' kept "$kept" removed "$removed"
awk '{ last = now; now = $6 } END { exit !(now >= 2 * last) }' <<<"$(printf '%s\n' "kept$kept" "removed$removed")"
