"""The layout of the files in which workers count."""

import ast
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import counters_format
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.counters_format import CountersFormat


@given(st.integers(0, 1 << 50))
def test_each_time_has_its_bucket(took):
    """The bucket that the worker counts a time in is the one that the module takes for it."""
    bucket = CountersFormat.bucket_of(took)
    assert CountersFormat.bucket_start(bucket) <= took >> 16
    assert took >> 16 < CountersFormat.bucket_start(bucket + 1) or bucket == CountersFormat.BUCKETS - 1


def test_buckets_are_ordered():
    """Each begins where the one before ends, none wider than a quarter of its beginning from the fifth on."""
    starts = [CountersFormat.bucket_start(bucket) for bucket in range(CountersFormat.BUCKETS + 1)]
    assert starts[:10] == [0, 1, 2, 3, 4, 5, 6, 7, 8, 10]
    assert all(end - start <= max(start / 4, 1) for start, end in zip(starts, starts[1:]))


def test_layout_of_version_1():
    """Files of workers that were started by an earlier release are still read, so a change needs a new version."""
    assert CountersFormat.VERSION == 1
    assert CountersFormat.WORDS == (
        "version", "since", "requests", "time", "longest", "alone", "alone_time", "alone_cpu", "alone_delay",
    )  # fmt: skip
    assert CountersFormat.BUCKETS == 96
    assert CountersFormat.SIZE == 840


def test_text_can_be_embedded():
    """It imports nothing, and has one name, which no setting of Gunicorn has."""
    tree = ast.parse(Path(counters_format.__file__).read_text(encoding="utf-8"))
    docstring, *rest = tree.body
    assert isinstance(docstring, ast.Expr)
    assert [node.name for node in rest] == ["CountersFormat"]
    assert not [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
