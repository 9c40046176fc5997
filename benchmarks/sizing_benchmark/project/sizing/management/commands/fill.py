"""Fill the database with a magazine, always the same one."""

import datetime

from django.core.management.base import BaseCommand
from django.db import transaction

from sizing.models import Article, Author, Comment, Tag

ARTICLES = 500
FIRST_DAY = datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)


class Command(BaseCommand):
    help = __doc__

    @transaction.atomic
    def handle(self, *args, **options):
        if Article.objects.exists():
            return
        authors = Author.objects.bulk_create(Author(name=f"Author {number}") for number in range(20))
        tags = Tag.objects.bulk_create(Tag(name=f"Tag {number}") for number in range(20))
        articles = Article.objects.bulk_create(
            Article(
                author=authors[number % len(authors)],
                title=f"Article {number}",
                text="What happened, and why. " * 40,
                published=FIRST_DAY + datetime.timedelta(hours=number),
            )
            for number in range(ARTICLES)
        )
        links = Article.tags.through
        links.objects.bulk_create(
            links(article=article, tag=tags[(number + step) % len(tags)])
            for number, article in enumerate(articles)
            for step in (0, 7)
        )
        Comment.objects.bulk_create(
            Comment(article=article, text="I see.")
            for number, article in enumerate(articles)
            for _ in range(number % 5)
        )
        self.stdout.write("filled")
