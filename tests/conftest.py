"""Tests ask the machine they run on, whatever account or proxy the shell is set up for."""

import os

from localcloud import client

for _name in [name for name in os.environ if name.startswith("AWS_")]:
    del os.environ[_name]
os.environ.update(client.without_proxy(os.environ))
