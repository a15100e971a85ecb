"""Compiles the app's own modules at its build: its directory is read-only afterwards, so that each start would compile anew.

Never fails: what does not compile may be a template, or never be imported; the first lines of why are printed. The result
is not checked against the source at a start: neither changes once the app is staged.
"""

import compileall
import os
import re
import sys

PACKAGES = re.compile(r"(^|/)(\.appengine-venv|node_modules|\.git)(/|$)")

sys.path[0] = os.getcwd()
compileall.compile_dir(
    ".",
    quiet=1,
    force=True,
    rx=PACKAGES,
    invalidation_mode=compileall.py_compile.PycInvalidationMode.UNCHECKED_HASH,
)
