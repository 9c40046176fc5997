"""Celery writes letters, and its clock ticks each second. Huey puts on stamps."""

import time

from celery import shared_task
from huey.contrib.djhuey import db_task

from letters.hold import wait_while_held
from letters.models import work

SECONDS = 1


@shared_task(bind=True)
def letter(self, held=False):
    with work("letter", self.request.id):
        time.sleep(SECONDS)
        if held:
            wait_while_held("letter")


@shared_task(bind=True)
def tick(self):
    # The origin is the process that asked for it, here beat.
    with work("tick", self.request.id, self.request.origin):
        pass


@db_task()
def stamp(name):
    with work("stamp", name):
        time.sleep(SECONDS)
        wait_while_held("stamp")
