"""Lookup plugin: one digest of all that is in some files and folders."""

DOCUMENTATION = r"""
name: tree_digest
short_description: A digest of files, and of all files beneath folders
description:
  - Changes when the content or the name of a file does; not with dates, nor with what Python or an
    editor leaves beside.
options:
  _terms:
    description: Paths of files and folders. One that there is not counts as empty.
    type: list
    elements: str
    required: true
author: Simple Mustache Service
"""

EXAMPLES = r"""
digest: "{{ lookup('tree_digest', 'roles/web', 'roles/common') }}"
"""

RETURN = r"""
_raw:
  description: The digest.
  type: list
  elements: str
"""

import hashlib
from pathlib import Path

from ansible.plugins.lookup import LookupBase

# They say what there is, and change no host.
LEFT_OUT = {"README.md", "__pycache__", "meta"}


def files(path):
    """``(name, file)`` of a file or of those beneath a folder, in one order."""
    if path.is_file():
        return [(path.name, path)]
    return [
        (str(each.relative_to(path)), each)
        for each in sorted(path.rglob("*"))
        if each.is_file() and not LEFT_OUT.intersection(each.relative_to(path).parts)
    ]


def digest(paths):
    found = hashlib.sha256()
    for path in map(Path, paths):
        for name, file in files(path):
            content = hashlib.sha256(file.read_bytes()).hexdigest()
            found.update(f"{path.name}/{name} {content}\n".encode())
    return found.hexdigest()


class LookupModule(LookupBase):
    def run(self, terms, variables=None, **options):
        return [digest(terms)]
