"""`python -m mustache`, as people call it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from mustache import STYLES
from mustache.__main__ import main
from PIL import Image

APP = Path(__file__).parents[2]


@pytest.fixture
def portrait(tmp_path, small_face) -> Path:
    path = tmp_path / "me.png"
    small_face.save(path)
    return path


def test_one_picture(portrait, tmp_path, decoded, capsys):
    out = tmp_path / "out.png"
    assert main([str(portrait), "-o", str(out)]) == 0
    assert decoded(out.read_bytes()).size == (150, 150)
    assert "1 face" in capsys.readouterr().out


def test_json(portrait, tmp_path, capsys):
    assert main([str(portrait), "-o", str(tmp_path / "out.png"), "--json", "--style", "dali"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["style"] == "dali"
    assert (found["width"], found["height"]) == (150, 150)
    assert found["faces"][0]["mustache"]["width"] > 20


def test_random_style(portrait, tmp_path, capsys):
    out = tmp_path / "out"
    assert main([str(portrait), "-o", str(out), "--json", "--style", "random"]) == 0
    assert (out / "me.png").exists()
    assert json.loads(capsys.readouterr().out)["style"] in STYLES


def test_debug_draws_more(portrait, tmp_path):
    plain, debug = tmp_path / "plain.png", tmp_path / "debug.png"
    assert main([str(portrait), "-o", str(plain)]) == 0
    assert main([str(portrait), "-o", str(debug), "--debug"]) == 0
    one, other = (np.asarray(Image.open(path).convert("RGB"), int) for path in (plain, debug))
    assert (np.abs(one - other).max(axis=2) > 60).sum() > 100


def test_folder_with_a_bad_picture(portrait, tmp_path, small_face, capsys):
    folder = tmp_path / "in" / "deeper"
    folder.mkdir(parents=True)
    small_face.save(folder / "good.jpg")
    small_face.save(folder.parent / "good.webp")
    (folder / "bad.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    (folder / "notes.txt").write_text("not looked at")
    out = tmp_path / "out"
    assert main([str(folder.parent), "-o", str(out)]) == 1
    written = sorted(path.relative_to(out).as_posix() for path in out.rglob("*.*"))
    assert written == ["deeper/good.jpg", "good.webp"]
    captured = capsys.readouterr()
    assert "bad.jpg: The picture is incomplete or damaged." in captured.err
    assert "1 of 3 pictures failed." in captured.err
    assert "[3/3]" in captured.out + captured.err


def test_original_is_never_replaced(portrait, tmp_path, capsys):
    before = portrait.read_bytes()
    for output in (portrait, tmp_path):
        with pytest.raises(SystemExit) as stop:
            main([str(portrait), "-o", str(output)])
        assert stop.value.code == 2
    assert portrait.read_bytes() == before
    assert "replace the picture itself" in capsys.readouterr().err


def test_a_name_for_another_kind_is_noted(portrait, tmp_path, capsys):
    assert main([str(portrait), "-o", str(tmp_path / "out.jpg")]) == 0
    assert "out.jpg holds a .png picture" in capsys.readouterr().err


def test_a_huge_file_is_not_read(tmp_path, capsys):
    huge = tmp_path / "disk.jpg"
    with huge.open("wb") as file:
        file.truncate(1 << 42)  # 4 TB on paper
    assert main([str(huge), "-o", str(tmp_path / "out.jpg")]) == 1
    assert "more than the 30 MB allowed" in capsys.readouterr().err


def test_missing_file(tmp_path, capsys):
    assert main([str(tmp_path / "none.jpg"), "-o", str(tmp_path / "out.jpg")]) == 1
    assert "none.jpg: No such file or directory" in capsys.readouterr().err
    assert not (tmp_path / "out.jpg").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["a.jpg"],
        ["a.jpg", "-o", "b.jpg", "--style", "beard"],
        ["a/x.jpg", "b/x.jpg", "-o", "out"],
        ["a.jpg", "-o", "b.jpg", "--colour"],
    ],
)
def test_wrong_usage(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_empty_folder_is_wrong_usage(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        main([str(tmp_path), "-o", str(tmp_path / "out")])
    assert stop.value.code == 2
    assert "no picture" in capsys.readouterr().err


def test_as_a_program(portrait, tmp_path):
    run = subprocess.run(
        [sys.executable, "-m", "mustache", portrait, "-o", tmp_path / "out.png"],
        cwd=APP,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert "1 face, handlebar" in run.stdout


def test_import_is_light():
    """A page and `--help` do not wait for numpy, the codecs or the networks."""
    script = (
        "import sys, mustache, mustache.__main__; list(mustache.STYLES); mustache.Limits()\n"
        "print({'numpy', 'simplejpeg', 'onnxruntime', 'pillow_heif'} & set(sys.modules))"
    )
    run = subprocess.run(
        [sys.executable, "-c", script],
        cwd=APP,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert run.stdout.strip() == "set()"
