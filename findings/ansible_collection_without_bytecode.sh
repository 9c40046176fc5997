#!/usr/bin/env bash
# ansible-core 2.19.14: what a plugin of a collection imports from plugin_utils or module_utils is compiled anew in each process,
# and Ansible forks a process for each host and task. Its bytecode is neither kept nor used, though the folder may be written
# to, and though the plugin's own file, in the same collection, gets its bytecode.
#
# Most people expect that Python which is imported is compiled once, and read from __pycache__ by all processes that follow. So
# a large filter is better off in plugins/filter alone than with its code in plugin_utils: there, 40 tasks compile it 40 times.
#
# Output seen:
#   plugins/filter         1 compiled files
#   plugins/plugin_utils   0 compiled files
#   40 tasks take more than half as long again with the code in plugin_utils: yes
#
# Needs a Python from 3.11 to 3.13. Exits with 1 if that has changed.

set -euo pipefail
work=$(mktemp --directory)
trap 'rm -rf "$work"' EXIT
cd "$work"
unset PYTHONDONTWRITEBYTECODE PYTHONPYCACHEPREFIX

for python in python3 python3.13 python3.12 python3.11 none; do
  "$python" -c 'import ensurepip, sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && break
done
"$python" -m venv venv
venv/bin/python -m pip --isolated --quiet --disable-pip-version-check install ansible-core==2.19.14

# functions: print 3000 functions of Python.
functions() {
  for number in $(seq 3000); do
    printf 'def unused_%s(value, other=None):\n    return [value, other] if value else {"other": other}\n\n' "$number"
  done
}

# filter NAME: print a filter of that name.
filter() {
  printf 'class FilterModule:\n    def filters(self):\n        return {"%s": str.upper}\n' "$1"
}

# playbook FILTER: print a play of 40 tasks that use the filter.
playbook() {
  printf -- '- hosts: localhost\n  gather_facts: false\n  tasks:\n'
  for _ in $(seq 40); do
    printf -- '    - ansible.builtin.debug:\n        msg: "{{ %s | %s }}"\n' "'a'" "$1"
  done
}

collections=$work/collections/ansible_collections/site
mkdir -p "$collections"/{alone,split}/plugins/filter "$collections/split/plugins/plugin_utils"
{
  functions
  filter loud
} >"$collections/alone/plugins/filter/loud.py"
functions >"$collections/split/plugins/plugin_utils/functions.py"
{
  printf 'from ansible_collections.site.split.plugins.plugin_utils import functions\n\n'
  filter loud
} >"$collections/split/plugins/filter/loud.py"
playbook site.alone.loud >alone.yml
playbook site.split.loud >split.yml

export ANSIBLE_COLLECTIONS_PATH=$work/collections ANSIBLE_LOCALHOST_WARNING=false ANSIBLE_HOME=$work/home
# cpu PLAYBOOK: run it, and print the hundredths of a second of CPU time that it and its processes took.
cpu() {
  local TIMEFORMAT='%U %S'
  { time venv/bin/ansible-playbook "$1" >"$1.log" 2>&1; } 2>&1 | awk '{ printf "%d\n", 100 * ($1 + $2) }'
}

for playbook in alone split; do cpu "$playbook.yml" >"$playbook.first"; done
alone=$(cpu alone.yml) split=$(cpu split.yml)
plugins=$(find "$collections/split/plugins/filter" -name '*.pyc' | wc -l)
utils=$(find "$collections/split/plugins/plugin_utils" -name '*.pyc' | wc -l)
longer=no
((2 * split <= 3 * alone)) || longer=yes
echo "plugins/filter         $plugins compiled files"
echo "plugins/plugin_utils   $utils compiled files"
echo "40 tasks take more than half as long again with the code in plugin_utils: $longer"
[[ $plugins -eq 1 && $utils -eq 0 && $longer == yes ]]
