"""`python -m service COMMAND`: Django's manage.py for this project."""

import os
import sys

from django.core.management import execute_from_command_line


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "service.settings")
    execute_from_command_line(["python -m service", *sys.argv[1:]])


if __name__ == "__main__":
    main()
