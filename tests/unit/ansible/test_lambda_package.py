"""library/lambda_package.py, with small wheels and a uv that has no network."""

import base64
import hashlib
import importlib
import os
import struct
import sys
import zipfile
from pathlib import Path

import pytest

import module_utils.lambda_package as packages
from tests.unit.ansible.aws import Failed

UV = f"""#!{sys.executable}
import os, pathlib, sys
options = dict(word.split("=", 1) for word in sys.argv if word.startswith("--") and "=" in word)
folder = pathlib.Path(options["--target"])
assert pathlib.Path(options["--requirement"]).read_text().startswith("shelf==1.0")
files = dict.fromkeys(["shelf/__init__.py", "shelf/tests/test_shelf.py", "shelf/data/a.json",
                       "shelf/data/b.json", "bin/shelve", "shelf/py.pyi"], b"x = 1\\n")
files["shelf/_fast.so"] = bytes.fromhex(os.environ["BINARY"])
for name, content in files.items():
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
"""
COLLECT = "import os, pathlib; p = pathlib.Path(os.environ['STATIC_ROOT']); p.mkdir(); "


def binary(*symbols, machine=62):
    head = b"\x7fELF" + bytes(12) + struct.pack("<HH", 3, machine)
    return head + b"\0" + b"\0".join(symbol.encode() for symbol in symbols) + b"\0"


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """A wheel, and beside this Python a uv of ours; how to run the module on it."""
    python = tmp_path / "bin/python"
    python.parent.mkdir()
    python.symlink_to(sys.executable)
    (tmp_path / "bin/uv").write_text(UV)
    (tmp_path / "bin/uv").chmod(0o755)
    monkeypatch.setenv("BINARY", binary("GLIBC_2.2.5", "GLIBC_2.28").hex())
    write_wheel(tmp_path / "shop", "ONE = 1\n")
    return tmp_path


def write_wheel(folder, code):
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / "shop-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("shop/__init__.py", code)
        wheel.writestr("shop/requirements.txt", "shelf==1.0 \\\n    --hash=sha256:0\n")


@pytest.fixture
def build(shop, monkeypatch):
    monkeypatch.setitem(sys.modules, "ansible.module_utils.lambda_package", packages)
    module = importlib.import_module("library.lambda_package")
    monkeypatch.setattr(module.sys, "executable", str(shop / "bin/python"))

    def build(name="shop.zip", check_mode=False, **options):
        result = {}

        class Module:
            def __init__(self, argument_spec, **_):
                self.params = {each: spec.get("default") for each, spec in argument_spec.items()}
                self.params |= {
                    "wheel": str(shop / "shop"), "requirements": "shop/requirements.txt",
                    "path": str(shop / name), **options,
                }  # fmt: skip
                self.check_mode = check_mode

            def fail_json(self, msg):
                raise Failed(msg)

            def warn(self, msg):
                raise AssertionError(msg)

            def exit_json(self, **facts):
                result.update(facts)

        monkeypatch.setattr(module, "AnsibleModule", Module)
        module.main()
        return result

    return build


def names(path):
    return zipfile.ZipFile(path).namelist()


def test_it_has_code_packages_and_byte_code_and_nothing_unused(build, shop):
    found = build(exclude=["shelf/data/*"], keep=["*/b.json"])

    found_names = names(shop / "shop.zip")
    assert set(found_names) == {
        f"shelf/__pycache__/__init__.{sys.implementation.cache_tag}.pyc",
        "shelf/__init__.py", "shelf/_fast.so", "shelf/data/b.json",
        f"shop/__pycache__/__init__.{sys.implementation.cache_tag}.pyc",
        "shop/__init__.py", "shop/requirements.txt",
    }  # fmt: skip
    assert found_names == sorted(found_names)
    assert found["packages"] == ["shelf==1.0"]
    assert found["needs"] == {"GLIBC": "2.28", "GLIBCXX": "", "CXXABI": ""}


def test_it_tells_what_lambda_will_tell(build, shop):
    found = build()
    content = (shop / "shop.zip").read_bytes()

    assert base64.b64decode(found["code_sha256"]) == hashlib.sha256(content).digest()
    assert found["sha256"] == hashlib.sha256(content).hexdigest()
    assert found["size"] == len(content)
    sizes = [entry.file_size for entry in zipfile.ZipFile(shop / "shop.zip").infolist()]
    assert found["unzipped"] == sum(sizes)


def test_the_same_input_makes_the_same_bytes_at_another_time_and_place(build, shop):
    build("one.zip")
    wheel = shop / "shop/shop-1-py3-none-any.whl"
    write_wheel(shop / "shop", "ONE = 1\n")
    os.utime(wheel, (0, 0))
    build("elsewhere/two.zip")

    assert (shop / "one.zip").read_bytes() == (shop / "elsewhere/two.zip").read_bytes()


def test_nothing_is_built_twice(build, shop, monkeypatch):
    assert build()["changed"]
    monkeypatch.setenv("BINARY", "uv would fail")
    found = build()

    assert not found["changed"]
    assert found["packages"] == ["shelf==1.0"]


@pytest.mark.parametrize("harm", ["gone", "other"])
def test_a_zip_that_is_not_what_was_noted_is_built_again(build, shop, harm):
    first = build()
    path = shop / "shop.zip"
    path.unlink() if harm == "gone" else path.write_bytes(b"torn")
    found = build()

    assert found["changed"]
    assert found["sha256"] == first["sha256"]


def test_other_code_is_another_zip_and_the_diff_shows_it(build, shop):
    first = build()
    write_wheel(shop / "shop", "ONE = 2\n")
    found = build()

    assert found["changed"]
    assert found["diff"]["before"]["sha256"] == first["sha256"]
    assert found["diff"]["after"]["sha256"] == found["sha256"] != first["sha256"]


def test_in_check_mode_it_says_what_it_would_do(build, shop):
    found = build(check_mode=True)
    assert (found["changed"], found["sha256"]) == (True, "")
    assert not (shop / "shop.zip").exists()

    made = build()
    found = build(check_mode=True)
    assert (found["changed"], found["sha256"]) == (False, made["sha256"])


def test_a_wheel_that_was_only_announced_is_none_yet_in_check_mode(build, shop):
    assert build(check_mode=True, wheel=str(shop / "to be"))["changed"]
    with pytest.raises(Failed, match="0 wheels, not one"):
        build(wheel=str(shop / "to be"))


def test_static_files_come_along(build, shop):
    code = COLLECT + "(p / 'site.css').write_text(os.environ['COLOUR'])"
    build(static=["-c", code], environment={"COLOUR": "blue"})

    assert zipfile.ZipFile(shop / "shop.zip").read("static/site.css") == b"blue"


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (binary("GLIBC_2.2.5", "GLIBC_2.38"), "_fast.so needs GLIBC 2.38; there is 2.34"),
        (binary("GLIBCXX_3.4.30"), "needs GLIBCXX 3.4.30; there is 3.4.29"),
        (binary(machine=183), "not for x86-64"),
    ],
)
def test_what_lambda_cannot_run_is_refused(build, shop, monkeypatch, found, said):
    monkeypatch.setenv("BINARY", found.hex())
    with pytest.raises(Failed, match=said):
        build()
    assert not (shop / "shop.zip").exists()


def test_too_much_is_refused_with_what_has_the_most(build, shop):
    with pytest.raises(Failed, match=r"Unzipped it has \d+ bytes; Lambda takes 100.*in: shelf"):
        build(limit=100)


def test_why_a_package_cannot_be_had_is_told(build, monkeypatch):
    monkeypatch.setenv("BINARY", "no hexadecimal digits")
    with pytest.raises(Failed, match="non-hexadecimal"):
        build()
    with pytest.raises(Failed, match=r"has no lock\.txt"):
        build(requirements="lock.txt")


@pytest.mark.parametrize(
    ("content", "newest"),
    [
        (b"\0GLIBC_2.2.5\0GLIBC_2.17\0", "2.17"),
        (b"\0GLIBC_2.9\0GLIBC_2.10\0", "2.10"),
        (b"\0GLIBC_PRIVATE\0GLIBCXX_3.4.1\0", None),
    ],
)
def test_versions_are_compared_as_numbers(content, newest):
    assert packages.needs(content, "GLIBC") == newest


def test_programs_stay_programs(tmp_path):
    (tmp_path / "run").write_text("")
    Path(tmp_path, "run").chmod(0o755)
    (tmp_path / "read").write_text("")
    packages.write(packages.files(tmp_path), tmp_path / "x.zip")

    modes = {
        entry.filename: oct(entry.external_attr >> 16)
        for entry in zipfile.ZipFile(tmp_path / "x.zip").infolist()
    }
    assert modes == {"read": "0o100644", "run": "0o100755"}
