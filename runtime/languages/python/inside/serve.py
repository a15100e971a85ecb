"""Serves `app` of main.py: started in the app's directory when app.yaml has no `entrypoint`.

An ASGI app is served by uvicorn or hypercorn, whichever the app has; a WSGI app by appengine_wsgi.py beside this file.
(Apps that name gunicorn in requirements.txt are served by that instead: gunicorn_settings.py.) All listen on the
instance's own socket, after the app was imported, so that an app that cannot be imported never looks ready.
"""

import os
import sys

import appengine_wsgi

SOCKET = os.environ["APPENGINE_LISTEN"]
CONCURRENCY = int(os.environ.get("APPENGINE_CONCURRENCY", "10"))
IS_COROUTINE = 0x80  # inspect.CO_COROUTINE; importing inspect takes longer than the rest of this file


def main():
    # Ours went first, to be found; the app's directory takes its place, as with `python main.py`.
    sys.path[0] = os.getcwd()
    app = find_app()
    if is_asgi(app):
        serve_asgi(app)
    else:
        appengine_wsgi.serve(app, SOCKET, CONCURRENCY)


def find_app():
    import main as module

    for name in ("app", "application"):
        found = getattr(module, name, None)
        if callable(found):
            return found
    stop("main.py has no `app`: name your WSGI or ASGI app so, or add an `entrypoint:` to app.yaml")


def is_asgi(app):
    """ASGI apps are coroutines of scope, receive and send; WSGI apps are functions of environ and start_response."""
    for candidate in (app, getattr(type(app), "__call__", None)):
        code = getattr(candidate, "__code__", None)
        if code is not None:
            takes_self = 0 if candidate is app else 1
            return bool(code.co_flags & IS_COROUTINE) or code.co_argcount - takes_self == 3
    import inspect

    if inspect.iscoroutinefunction(app) or inspect.iscoroutinefunction(getattr(app, "__call__", None)):
        return True
    try:
        parameters = inspect.signature(app).parameters.values()
    except (TypeError, ValueError):
        return False
    return sum(each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD) for each in parameters) == 3


def serve_asgi(app):
    try:
        import uvicorn
    except ImportError:
        serve_by_hypercorn(app)
        return
    uvicorn.run(app, uds=SOCKET, access_log=False, proxy_headers=True, forwarded_allow_ips="*", timeout_keep_alive=75)


def serve_by_hypercorn(app):
    try:
        import hypercorn.asyncio
        import hypercorn.config
    except ImportError:
        stop("main:app is an ASGI app, and nothing is installed to serve it: add uvicorn to requirements.txt")
    import asyncio

    config = hypercorn.config.Config()
    config.bind = ["unix:" + SOCKET]
    asyncio.run(hypercorn.asyncio.serve(app, config))


def stop(reason):
    print(reason, file=sys.stderr)
    sys.exit(1)


main()
