"""Count what was done, at some time of the day."""

import os
import uuid
from pathlib import Path

from django.core.management.base import BaseCommand

from letters.hold import wait_while_held
from letters.models import Work, work


class Command(BaseCommand):
    def handle(self, **options):
        seal = Path(os.environ["CREDENTIALS_DIRECTORY"], "seal").read_text()
        with work("report", uuid.uuid4().hex, seal):
            wait_while_held("report")
        self.stdout.write(f"{Work.objects.count()} rows")
