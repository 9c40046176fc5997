import contextlib
import os

from django.db import models
from django.utils.timezone import now

from letters.version import VERSION


class Work(models.Model):
    """Something that was begun, and done: a row each time, so that what is done twice has two."""

    kind = models.TextField()
    # Tells one from another of its kind
    name = models.TextField()
    # Who asked for it
    origin = models.TextField()
    version = models.TextField()
    pid = models.IntegerField()
    started = models.DateTimeField()
    ended = models.DateTimeField(null=True)


@contextlib.contextmanager
def work(kind, name, origin=""):
    """Note what is done meanwhile."""
    row = Work.objects.create(kind=kind, name=name, origin=origin, version=VERSION, pid=os.getpid(), started=now())
    yield
    row.ended = now()
    row.save()
