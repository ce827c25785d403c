#!/usr/bin/python
"""Ansible module: the zip of a Python application for AWS Lambda."""

DOCUMENTATION = r"""
module: lambda_package
short_description: Build the zip of a Python application for Lambda
description:
  - Puts the wheel of an application, the packages that its lock file pins, and its static files
    into one zip, on the machine that this runs on. The same input makes the same bytes.
  - Python's byte code is in it, since a function cannot write any and would compile all of it at
    each start. That takes a Python of the version O(python); without one the module warns.
  - Programs, translations, type stubs and tests of packages are left out.
  - Refuses what Lambda could not run, that is more than O(limit) bytes, and binaries that need
    newer C libraries than its system has.
  - Beside the zip it keeps a note of what it was made of, so that nothing is built twice.
notes:
  - "Gap in the collections: M(amazon.aws.lambda) takes a zip that is there;
    M(community.general.archive) writes the date of each file, and neither knows what Lambda can
    run."
  - Needs C(uv) beside the Python of Ansible, or on the path.
options:
  wheel:
    description: The application's wheel, or the folder that has it and no other.
    type: path
    required: true
  requirements:
    description: Name of the lock file, with hashes, inside the wheel.
    type: str
    required: true
  path:
    description: The zip.
    type: path
    required: true
  static:
    description:
      - Command, without the interpreter, that collects static files into the folder C(STATIC_ROOT),
        which becomes C(static/). It runs with this machine's Python on the content of the wheel.
    type: list
    elements: str
    default: []
  environment:
    description: Variables for O(static).
    type: dict
    default: {}
  python:
    description: Version of Python that Lambda runs.
    type: str
    default: "3.13"
  platform:
    description: Platform of the wheels, as C(uv) calls it.
    type: str
    default: x86_64-manylinux_2_34
  libraries:
    description:
      - What Lambda's system has at most, by the prefix of symbols' versions. The default is what
        Amazon Linux 2023 has.
    type: dict
    default: {GLIBC: "2.34", GLIBCXX: "3.4.29", CXXABI: "1.3.13"}
  exclude:
    description: Patterns of further files that are left out.
    type: list
    elements: str
    default: []
  keep:
    description: Patterns of files that stay although they match O(exclude).
    type: list
    elements: str
    default: []
  limit:
    description: Bytes that it may have unzipped.
    type: int
    default: 262144000
author: Simple Mustache Service
"""

EXAMPLES = r"""
- name: Build the package of the functions
  lambda_package:
    wheel: wheelhouse/1.4.0-0f3a5c1e
    requirements: shop/functions/requirements.txt
    path: wheelhouse/lambda/1.4.0-0f3a5c1e.zip
    static: [-m, shop, collectstatic, --noinput]
    exclude: [botocore/data/*/*]
    keep: [botocore/data/s3/*, botocore/data/dynamodb/*]
  register: package

- name: Bring it to where Lambda takes it from
  amazon.aws.s3_object:
    bucket: shop-packages
    object: "{{ package.sha256 }}.zip"
    src: "{{ package.path }}"
    mode: put
"""

RETURN = r"""
path:
  description: The zip.
  returned: always
  type: str
  sample: /srv/wheelhouse/lambda/1.4.0-0f3a5c1e.zip
sha256:
  description: Its digest, hexadecimal. Empty in check mode when it would have to be built.
  returned: always
  type: str
  sample: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
code_sha256:
  description: The same as Lambda tells it (C(CodeSha256)).
  returned: always
  type: str
  sample: n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=
size:
  description: Bytes of the zip. Lambda takes more than 50 MB from a bucket only.
  returned: when it is there
  type: int
  sample: 70254592
unzipped:
  description: Bytes of all its files.
  returned: when it is there
  type: int
  sample: 221249536
needs:
  description: The newest version of each of the C libraries that a binary needs.
  returned: when it is there
  type: dict
  sample: {GLIBC: "2.28", GLIBCXX: 3.4.22, CXXABI: 1.3.9}
packages:
  description: What its lock file pins.
  returned: when it is there
  type: list
  elements: str
  sample: [django==5.2.19]
"""

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.lambda_package import (
    PackageError,
    check_binaries,
    check_size,
    files,
    left_out,
    pins,
    sha256,
    write,
)  # fmt: skip

# Bump when this module makes something else of the same input.
RECIPE = "1"
UNUSED = ("bin/*", "*.pyi", "*.po", "*.mo", "*/tests/*", "*/__pycache__/*")
NOTED = ("size", "unzipped", "needs", "packages")


def wheel_in(path):
    if path.suffix == ".whl":
        return path
    wheels = list(path.glob("*.whl"))
    if len(wheels) != 1:
        raise PackageError(f"{path} has {len(wheels)} wheels, not one")
    return wheels[0]


def interpreter(python):
    """A Python of that version, for its byte code; None without one."""
    if f"{sys.version_info.major}.{sys.version_info.minor}" == python:
        return sys.executable
    return shutil.which(f"python{python}")


def byte_code_of(program):
    """What byte code depends on: the version of the interpreter to the last digit."""
    if program is None:
        return ""
    told = subprocess.run([program, "-VV"], capture_output=True, text=True, check=True)
    return told.stdout.strip()


def digest(wheel, params, byte_code):
    """Changes with whatever the zip is made of. A wheel's own bytes differ from build to build."""
    whole = hashlib.sha256(json.dumps([RECIPE, byte_code, params], sort_keys=True).encode())
    with zipfile.ZipFile(wheel) as content:
        for entry in sorted(content.infolist(), key=lambda entry: entry.filename):
            whole.update(f"{entry.filename}\0{entry.CRC}\0".encode())
            whole.update(hashlib.sha256(content.read(entry)).digest())
    return whole.hexdigest()


def run(command, **options):
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    if done.returncode:
        raise PackageError(f"{' '.join(map(str, command))}: {(done.stderr or done.stdout)[-2000:]}")


def install(folder, requirements, params):
    uv = Path(sys.executable).with_name("uv")
    run([uv if uv.exists() else "uv", "pip", "install", "--quiet", "--no-config", "--no-deps",
         "--link-mode=copy", f"--target={folder}", f"--python-version={params['python']}",
         f"--python-platform={params['platform']}", "--only-binary=:all:", "--require-hashes",
         f"--requirement={requirements}"])  # fmt: skip


def collect(wheel, folder, params):
    """What pages name by the hash of its content has to be known to the app, too."""
    with tempfile.TemporaryDirectory() as scratch:
        shutil.unpack_archive(wheel, scratch, "zip")
        settings = {"PATH": os.environ["PATH"], "PYTHONPATH": scratch,
                    "STATIC_ROOT": str(folder / "static"), **params["environment"]}  # fmt: skip
        run([sys.executable, *params["static"]], env=settings, cwd=scratch)


def compile_all(folder, program):
    """Byte code that is not compared with its source, whose date the zip does not keep."""
    run([program, "-m", "compileall", "-q", "-j1", "--invalidation-mode=unchecked-hash",
         "-s", folder, "-p", "/var/task", folder],
        env={"PATH": os.environ["PATH"], "PYTHONHASHSEED": "0"})  # fmt: skip


def gather(folder, wheel, params, program):
    """All that belongs in the zip, and nothing else."""
    shutil.unpack_archive(wheel, folder, "zip")
    requirements = folder / params["requirements"]
    if not requirements.exists():
        raise PackageError(f"{wheel.name} has no {params['requirements']}")
    locked = requirements.read_text()
    install(folder, requirements, params)
    for name in left_out(files(folder), (*UNUSED, *params["exclude"]), params["keep"]):
        (folder / name).unlink()
    if params["static"]:
        collect(wheel, folder, params)
    if program:
        compile_all(folder, program)
    return pins(locked)


def build(target, wheel, params, program):
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "package")
        packages = gather(folder, wheel, params, program)
        found = files(folder)
        facts = {
            "packages": packages,
            "unzipped": check_size(found, params["limit"]),
            "needs": check_binaries(found, params["libraries"]),
        }
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_suffix(".partial")
        write(found, partial)
        partial.replace(target)
    return facts | {"size": target.stat().st_size, "sha256": sha256(target).hexdigest()}


def noted(note, target):
    """What was noted of the zip that is there; nothing if that is another one."""
    try:
        facts = json.loads(note.read_text())
        same = sha256(target).hexdigest() == facts["sha256"]
    except (OSError, ValueError, KeyError):
        return {}
    return facts if same else {}


def result(target, facts, changed, before):
    digest_ = facts.get("sha256", "")

    def shown(each):
        return {name: each.get(name) for name in ("sha256", "packages")}

    return {
        "changed": changed,
        "path": str(target),
        "sha256": digest_,
        "code_sha256": base64.b64encode(bytes.fromhex(digest_)).decode(),
        **{name: facts[name] for name in NOTED if name in facts},
        "diff": {"before": shown(before), "after": shown(facts)},
    }


def ensure(module):
    params = module.params
    target = Path(params["path"]).absolute()
    note = target.with_suffix(".json")
    before = noted(note, target)
    if module.check_mode and not Path(params["wheel"]).exists():  # it was only announced
        return result(target, {}, True, before)
    wheel, program = wheel_in(Path(params["wheel"])), interpreter(params["python"])
    if program is None:
        module.warn(
            f"No Python {params['python']} here: functions compile their code at each start"
        )
    input_ = digest(
        wheel, {name: params[name] for name in params if name not in ("wheel", "path")},
        byte_code_of(program),
    )  # fmt: skip
    if before.get("input") == input_:
        return result(target, before, False, before)
    if module.check_mode:
        return result(target, {}, True, before)
    facts = build(target, wheel, params, program) | {"input": input_}
    note.write_text(json.dumps(facts, indent=1) + "\n")
    return result(target, facts, facts["sha256"] != before.get("sha256"), before)


def main():
    module = AnsibleModule(
        argument_spec={
            "wheel": {"type": "path", "required": True},
            "requirements": {"type": "str", "required": True},
            "path": {"type": "path", "required": True},
            "static": {"type": "list", "elements": "str", "default": []},
            "environment": {"type": "dict", "default": {}},
            "python": {"type": "str", "default": "3.13"},
            "platform": {"type": "str", "default": "x86_64-manylinux_2_34"},
            "libraries": {
                "type": "dict",
                "default": {"GLIBC": "2.34", "GLIBCXX": "3.4.29", "CXXABI": "1.3.13"},
            },
            "exclude": {"type": "list", "elements": "str", "default": []},
            "keep": {"type": "list", "elements": "str", "default": []},
            "limit": {"type": "int", "default": 262_144_000},
        },
        supports_check_mode=True,
    )
    try:
        found = ensure(module)
    except (PackageError, OSError, subprocess.CalledProcessError, zipfile.BadZipFile) as error:
        module.fail_json(msg=f"No package for Lambda: {error}")
    module.exit_json(**found)


if __name__ == "__main__":
    main()
