"""The applications of the benchmark: each is a path, with what it costs in the query."""

import json
import os
import time
import urllib.request

from django.db.models import Count
from django.http import HttpResponse, JsonResponse
from django.shortcuts import render

from sizing.models import Article, Author, Comment
from sizing.work import compute

MIB = 1 << 20
# Memory of each worker: not zeros, whose pages all workers would share
HELD = b"\1" * (int(os.environ.get("SIZING_HELD_MIB", "0")) * MIB)


def home(request):
    return HttpResponse("ok")


def work(request):
    """Compute and wait for so many milliseconds."""
    milliseconds, wait = (float(request.GET[name]) for name in ("compute", "wait"))
    compute(milliseconds / 2)
    if wait:
        time.sleep(wait / 1000)
    compute(milliseconds / 2)
    return HttpResponse("done")


def hold(request):
    """Answer when the file `hold` is gone: the agent decides how long the request is in flight."""
    while os.path.exists(os.path.join(os.environ["RUNTIME_DIRECTORY"], "hold")):
        time.sleep(0.02)
    return HttpResponse("held")


def articles(request):
    """A common page: the newest articles with author, tags and comments, and the authors who write most."""
    page = Article.objects.select_related("author").prefetch_related("tags").order_by("-published")[:10]
    comments = Comment.objects.filter(article__in=list(page)).values_list("article").annotate(Count("id"))
    return render(
        request,
        "articles.html",
        {
            "page": page,
            "comments": dict(comments),
            "total": Article.objects.count(),
            "writers": Author.objects.annotate(articles=Count("article")).order_by("-articles", "name")[:5],
        },
    )


def search(request):
    """The same page, which waits for most of its time: for each request, the database looks through all articles."""
    Article.objects.filter(text__iregex="why. what happened, and how").count()
    return articles(request)


def ask(request):
    """Ask a slow service, and answer with its answer."""
    with urllib.request.urlopen(os.environ["SIZING_PEER"], timeout=10) as answer:
        return JsonResponse({"peer": json.load(answer)})
