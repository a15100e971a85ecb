"""What the suites in Python share: names that no other run uses, and the project.

They are written against Google's published clients as their documentation teaches, and run against any Datastore server:
    npx appengine emulator datastore --ephemeral --exec "python3 -m unittest discover tests/google-clients/python"
"""

import itertools
import os
import uuid

if not os.environ.get("DATASTORE_EMULATOR_HOST"):
    raise RuntimeError("DATASTORE_EMULATOR_HOST is not set: this suite writes, so it runs against an emulator only.")

PROJECT = os.environ.get("GOOGLE_CLOUD_PROJECT", "client-tests")

_run = uuid.uuid4().hex[:8]
_numbers = itertools.count(1)


def unique_name(stem):
    """A name that no other test and no other run uses."""
    return f"{stem}_{_run}_{next(_numbers)}"
