from django.db import models


class Note(models.Model):
    text = models.TextField()
    # The code before this adds notes without one.
    author = models.TextField(null=True)
