"""Makes the environment for an app's packages: make_environment.py DIRECTORY.

It sees the packages of the system. Where pip is one of them, as with Debian's python3-pip, that one is used; else the
environment gets a pip of its own, which takes two seconds and ten megabytes more.
"""

import importlib.util
import sys
import venv

has_pip = importlib.util.find_spec("pip") is not None
if not has_pip and importlib.util.find_spec("ensurepip") is None:
    sys.exit("pip is not there for %s: install it on this machine with: apt-get install python3-venv" % sys.executable)
venv.EnvBuilder(system_site_packages=True, clear=True, symlinks=True, with_pip=not has_pip).create(sys.argv[1])
