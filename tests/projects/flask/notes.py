"""A small Flask application that says what serves it."""

import os
import pwd
import threading

from flask import Flask


def create_app():
    app = Flask(__name__)

    @app.get("/")
    def home():
        return {
            "title": os.environ["NOTES_TITLE"],
            "limit": os.environ["NOTES_LIMIT"],
            "django": "DJANGO_SETTINGS_MODULE" in os.environ,
            "user": pwd.getpwuid(os.getuid()).pw_name,
            "threaded": threading.current_thread() is not threading.main_thread(),
        }

    return app
