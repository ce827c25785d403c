"""library/host_files.py, on files of this machine."""

import grp
import json
import os
import pwd

import pytest
from ansible.module_utils.testing import patch_module_args

from library import host_files

MINE = {
    "owner": pwd.getpwuid(os.getuid()).pw_name,
    "group": grp.getgrgid(os.getgid()).gr_name,
}


@pytest.fixture
def keep(capsys):
    """Run the module with these files; what it returns."""

    def run(*files, check=False, code=0):
        arguments = {"files": [MINE | file for file in files], "_ansible_check_mode": check}
        with patch_module_args(arguments), pytest.raises(SystemExit) as end:
            host_files.main()
        assert end.value.code == code
        return json.loads(capsys.readouterr().out)

    return run


def mode(path):
    return f"{path.stat().st_mode & 0o7777:04o}"


def test_files_are_written_with_their_folders_once(keep, tmp_path):
    script = {"path": str(tmp_path / "a/b/script"), "content": "#!/bin/sh\n", "mode": "0755"}
    unit = {"path": str(tmp_path / "unit"), "content": "[Unit]\n"}

    first, second = keep(script, unit), keep(script, unit)

    assert first["changed_paths"] == [script["path"], unit["path"]]
    assert (tmp_path / "a/b/script").read_text() == "#!/bin/sh\n"
    assert mode(tmp_path / "a/b/script") == "0755"
    assert mode(tmp_path / "unit") == "0644"
    assert not second["changed"]
    assert second["changed_paths"] == second["diff"] == []


def test_the_diff_shows_what_changes(keep, tmp_path):
    (tmp_path / "file").write_text("old\n")

    result = keep({"path": str(tmp_path / "file"), "content": "new\n"})

    assert [(each["before"], each["after"]) for each in result["diff"]] == [("old\n", "new\n")]


def test_a_mode_alone_is_a_change(keep, tmp_path):
    (tmp_path / "file").write_text("same\n")
    (tmp_path / "file").chmod(0o666)

    assert keep({"path": str(tmp_path / "file"), "content": "same\n"})["changed"]
    assert mode(tmp_path / "file") == "0644"


def test_a_link_is_replaced_and_its_target_left_alone(keep, tmp_path):
    (tmp_path / "target").write_text("theirs\n")
    (tmp_path / "file").symlink_to(tmp_path / "target")

    assert keep({"path": str(tmp_path / "file"), "content": "theirs\n"})["changed"]
    assert not (tmp_path / "file").is_symlink()
    assert (tmp_path / "target").read_text() == "theirs\n"


def test_what_must_not_be_there_goes_once(keep, tmp_path):
    (tmp_path / "default").symlink_to(tmp_path / "nowhere")
    gone = {"path": str(tmp_path / "default"), "state": "absent"}

    assert keep(gone)["changed"]
    assert not os.path.lexists(tmp_path / "default")
    assert not keep(gone)["changed"]


def test_a_folder_is_made_and_never_removed(keep, tmp_path):
    folder = {"path": str(tmp_path / "a/b"), "state": "directory", "mode": "0750"}

    assert keep(folder)["changed"]
    assert mode(tmp_path / "a/b") == "0750"
    assert not keep(folder)["changed"]
    failed = keep({"path": str(tmp_path / "a/b"), "state": "absent"}, code=1)
    assert f"Cannot keep {tmp_path}/a/b" in failed["msg"]
    assert (tmp_path / "a/b").is_dir()


def test_check_mode_announces_and_writes_nothing(keep, tmp_path):
    (tmp_path / "old").write_text("old\n")
    files = [
        {"path": str(tmp_path / "a/new"), "content": "new\n"},
        {"path": str(tmp_path / "old"), "content": "new\n"},
        {"path": str(tmp_path / "folder"), "state": "directory"},
        {"path": str(tmp_path / "old"), "state": "absent"},
    ]

    result = keep(*files, check=True)

    assert result["changed_paths"] == [file["path"] for file in files]
    assert [path.name for path in tmp_path.iterdir()] == ["old"]
    assert (tmp_path / "old").read_text() == "old\n"


def test_a_file_that_its_checker_refuses_leaves_the_old_one(keep, tmp_path):
    path = tmp_path / "script"
    checked = {"path": str(path), "validate": "sh -n %s"}
    keep(checked | {"content": "echo fine\n"})

    refused = keep(checked | {"content": "if\n"}, code=1)

    assert "is not valid" in refused["msg"]
    assert str(path) in refused["msg"]
    assert path.read_text() == "echo fine\n"
    assert [each.name for each in tmp_path.iterdir()] == ["script"]
