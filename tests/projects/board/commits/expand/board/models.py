from django.db import models


class Note(models.Model):
    text = models.TextField()
    # The new name of text. The code before this adds notes without it.
    body = models.TextField(null=True)
    author = models.TextField(null=True)
