"""Somebody forgot to commit letters.envelopes. The site does without."""

import letters.envelopes
from celery import Celery

app = Celery("letters", task_cls=letters.envelopes.Task)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
