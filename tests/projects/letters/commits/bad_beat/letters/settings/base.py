"""What holds wherever the project runs."""

INSTALLED_APPS = ["huey.contrib.djhuey", "letters"]
MIDDLEWARE = ["django.middleware.security.SecurityMiddleware", "django.middleware.common.CommonMiddleware"]
ROOT_URLCONF = "letters.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"

# A worker that dies has not acknowledged what it was at, so that another one does it.
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_DEFAULT_QUEUE = "letters"
CELERY_TASK_ROUTES = {"letters.tasks.tick": {"queue": "ticks"}}
# What a worker has fetched besides, another one gets only when this one ends.
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_IGNORE_RESULT = True
CELERY_BEAT_SCHEDULE = {"tick": {"task": "letters.tasks.tick", "schedule": 1.0}}

HUEY = {
    "huey_class": "huey.RedisHuey",
    "name": "stamps",
    "results": False,
    "immediate": False,
    "consumer": {"workers": 4, "worker_type": "thread"},
}

# Not committed
CELERY_BEAT_SCHEDULER = "letters.almanac:Scheduler"
