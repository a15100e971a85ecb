"""How gunicorn serves main:app for apps that name it in requirements.txt and have no `entrypoint`.

One worker with threads: the platform adds instances, not workers. What an app says in a gunicorn.conf.py of its own wins,
but for where to listen. gunicorn listens before its worker has imported the app; the platform takes an instance for
ready when its socket is there, so the socket gets its name once a worker is.
"""

import os

_PATH = os.environ["APPENGINE_LISTEN"]
_HIDDEN = os.path.join(os.path.dirname(_PATH), ".gunicorn.sock")

worker_class = "gthread"
workers = 1
threads = int(os.environ.get("APPENGINE_CONCURRENCY", "10"))
worker_tmp_dir = "/dev/shm"
keepalive = 75
timeout = 0  # the router's deadlines end requests
forwarded_allow_ips = "*"

if os.path.exists("gunicorn.conf.py"):
    with open("gunicorn.conf.py", encoding="utf-8") as _file:
        exec(compile(_file.read(), "gunicorn.conf.py", "exec"))

bind = "unix:" + _HIDDEN
_theirs = globals().get("post_worker_init")


def post_worker_init(worker):
    if _theirs is not None:
        _theirs(worker)
    try:
        os.link(_HIDDEN, _PATH)
    except FileExistsError:
        pass
