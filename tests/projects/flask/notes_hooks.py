"""A user's hooks, with the arguments of Gunicorn's documentation; each logs that it was called."""


def when_ready(server):
    server.log.info("notes: when_ready")


def on_reload(server):
    server.log.info("notes: on_reload")


def post_fork(server, worker):
    worker.log.info("notes: post_fork of %s", worker.pid)


def post_worker_init(worker):
    worker.log.info("notes: post_worker_init of %s", worker.pid)


def pre_request(worker, request):
    worker.log.info("notes: pre_request of %s", request.path)


def post_request(worker, request, environ):
    """Gunicorn accepts this hook with two, three or four arguments."""
    worker.log.info("notes: post_request of %s", environ["PATH_INFO"])


def child_exit(server, worker):
    server.log.info("notes: child_exit of %s", worker.pid)
