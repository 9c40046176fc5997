"""The Celery application, which the site needs for orders alone."""

from celery import Celery

app = Celery("letters")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
