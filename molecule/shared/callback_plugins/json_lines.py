"""A stdout callback for tests: a line of JSON for each result that is not skipped."""

import json

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: json_lines
type: stdout
short_description: A line of JSON for each result that is not skipped
description: For tests that check what a run did.
options: {}
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "json_lines"

    def _write(self, result, failed=False):
        told = result.result
        line = {
            "host": result.host.get_name(),
            "task": result.task.get_name().split(" : ")[-1],
            "changed": bool(told.get("changed")),
            "failed": failed,
            # Only a module's result has the arguments that it was called with.
            "on_host": any("invocation" in each for each in [told, *told.get("results", [])]),
            "message": str(told.get("msg", "")),
            "warnings": [str(warning) for warning in told.get("warnings") or []],
            "diff": "".join(self._get_diff(item) for item in self._diffs(told)),
        }
        self._display.display(json.dumps(line))

    @staticmethod
    def _diffs(told):
        diffs = told.get("diff") or []
        return [item for item in (diffs if isinstance(diffs, list) else [diffs]) if item]

    def v2_runner_on_ok(self, result):
        self._write(result)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._write(result, failed=True)

    def v2_runner_on_unreachable(self, result):
        self._write(result, failed=True)
