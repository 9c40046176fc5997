"""A small magazine."""

from django.db import models


class Author(models.Model):
    name = models.CharField(max_length=100)


class Tag(models.Model):
    name = models.CharField(max_length=30)


class Article(models.Model):
    author = models.ForeignKey(Author, models.CASCADE)
    tags = models.ManyToManyField(Tag)
    title = models.CharField(max_length=200)
    text = models.TextField()
    published = models.DateTimeField(db_index=True)


class Comment(models.Model):
    article = models.ForeignKey(Article, models.CASCADE)
    text = models.TextField()
