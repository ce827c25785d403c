#!/usr/bin/python
"""Ansible module: several files of a host in one call."""

DOCUMENTATION = r"""
module: host_files
short_description: Keep several files of a host together
description:
  - Writes, changes and removes files, with their folders, owners and modes, in one call.
  - Folders that are missing are made for root, with mode 0755.
notes:
  - "Gap in the collections: M(ansible.builtin.copy) and M(ansible.builtin.template) take two
    round trips a file (0.4 s), and M(ansible.builtin.template) fails in check mode for a folder
    that was only announced."
options:
  files:
    description: The files.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: Where it is on the host.
        type: path
        required: true
      state:
        description: Whether it is a file, a folder, or not there. Folders are never removed.
        type: str
        choices: [file, directory, absent]
        default: file
      content:
        description: What is in a file.
        type: str
        default: ""
      validate:
        description: Command that judges the new content before it is anybody's, with V(%s) for its
          path. If it fails, the file stays as it was.
        type: str
      mode:
        description: Its mode, in octal digits; if omitted V(0644) for a file, V(0755) for a folder.
        type: str
      owner:
        description: Whose it is.
        type: str
        default: root
      group:
        description: Its group.
        type: str
        default: root
author: Simple Mustache Service
"""

EXAMPLES = r"""
- name: Install a script and its unit
  host_files:
    files:
      - path: /usr/local/sbin/sweep
        content: "{{ lookup('ansible.builtin.file', 'sweep', rstrip=false) }}"
        mode: "0755"
        validate: sh -n %s
      - path: /etc/systemd/system/sweep.service
        content: "{{ lookup('ansible.builtin.template', 'sweep.service') }}"
      - path: /etc/cron.d/sweep
        state: absent
  notify: Reload systemd
"""

RETURN = r"""
changed_paths:
  description: Paths of what was changed.
  returned: always
  type: list
  elements: str
  sample: [/usr/local/sbin/sweep]
"""

import os
import shlex
import tempfile
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

DEFAULT_MODES = {"file": "0644", "directory": "0755"}


def text(path):
    """What a diff shows of a file."""
    return path.read_text(errors="replace") if path.is_file() else ""


def part(module, content):
    """Path of a temporary file with the content."""
    handle, temporary = tempfile.mkstemp(dir=module.tmpdir)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    return temporary


def judge(module, path, temporary, command):
    """Stop where the command refuses the new content."""
    code, out, err = module.run_command(command.replace("%s", shlex.quote(temporary)))
    if code:
        Path(temporary).unlink()
        said = (err or out).replace(temporary, str(path)).strip()
        module.fail_json(msg=f"{path} stays as it was, the new one is not valid: {said}")


def ensure_folder(module, path):
    if path.is_dir():
        return False
    if not module.check_mode:
        path.mkdir(parents=True, mode=0o755)
    return True


def ensure_file(module, path, content, validate):
    if path.is_file() and not path.is_symlink() and path.read_bytes() == content:
        return False
    if not module.check_mode:
        temporary = part(module, content)
        if validate:
            judge(module, path, temporary, validate)
        ensure_folder(module, path.parent)
        # In one step: nobody reads half of it.
        module.atomic_move(temporary, str(path))
    return True


def ensure_absent(module, path):
    if not os.path.lexists(path):
        return False
    if not module.check_mode:
        path.unlink()
    return True


def ensure(module, item):
    """Whether anything of this file had to change."""
    path = Path(item["path"])
    if item["state"] == "absent":
        return ensure_absent(module, path)
    if item["state"] == "directory":
        changed = ensure_folder(module, path)
    else:
        changed = ensure_file(module, path, item["content"].encode(), item["validate"])
    if not path.exists():  # in check mode only
        return changed
    mode = item["mode"] or DEFAULT_MODES[item["state"]]
    attributes = module.load_file_common_arguments(item | {"mode": mode})
    return module.set_fs_attributes_if_different(attributes, changed)


def main():
    file = {
        "path": {"type": "path", "required": True},
        "state": {
            "type": "str",
            "choices": ["file", "directory", "absent"],
            "default": "file",
        },
        "content": {"type": "str", "default": ""},
        "validate": {"type": "str"},
        "mode": {"type": "str"},
        "owner": {"type": "str", "default": "root"},
        "group": {"type": "str", "default": "root"},
    }
    module = AnsibleModule(
        argument_spec={
            "files": {"type": "list", "elements": "dict", "required": True, "options": file}
        },
        supports_check_mode=True,
    )
    changed, diffs = [], []
    for item in module.params["files"]:
        path = item["path"]
        try:
            before = text(Path(path))
            if ensure(module, item):
                changed.append(path)
                after = item["content"] if item["state"] == "file" else ""
                diffs.append({"before_header": path, "after_header": path,
                              "before": before, "after": after})  # fmt: skip
        except OSError as error:
            module.fail_json(msg=f"Cannot keep {path}: {error}", changed_paths=changed)
    module.exit_json(changed=bool(changed), changed_paths=changed, diff=diffs)


if __name__ == "__main__":
    main()
