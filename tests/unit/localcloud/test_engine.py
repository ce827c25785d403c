"""How podman is started."""

from pathlib import Path

import pytest

from localcloud import shell
from localcloud.engine import Container, EngineError, Podman, Sandbox


@pytest.fixture
def started(tmp_path, monkeypatch):
    """Verbs of podman, and the directories that it was started in."""
    seen = {}

    def run(*words, cwd=None, **options):
        verb = next(each for each in words if each in ("run", "exec", "ps", "rm"))
        seen[verb] = cwd and Path(cwd)
        return "1"

    monkeypatch.setattr(shell, "run", run)
    return seen


@pytest.fixture
def engine(tmp_path):
    made = Podman("beef", tmp_path / "engine")
    made.run_directory = tmp_path / "run"
    return made


def test_what_conmon_writes_is_not_in_the_users_directory(engine, started, tmp_path):
    engine.run(
        Container(name="i-1", root=tmp_path, hostname="a", network_namespace="n", cpus=1, memory=64)
    )
    assert started.pop("run") == engine.run_directory
    (tmp_path / "pid").write_text("7")
    made = engine.run_sandbox(
        Sandbox(
            name="fn-1", root=tmp_path, hostname="a", network_namespace="n", cpus=1, memory=64,
            user="1:1", directory="/", command=("true",), pid_file=tmp_path / "pid",
        )
    )  # fmt: skip
    assert made == 7
    assert started["run"] == engine.run_directory
    engine.execute("i-1", "true")
    assert started["exec"] == engine.run_directory
    assert engine.run_directory.is_dir()


@pytest.mark.parametrize(("there", "said"), [("etc", "has etc"), (None, "has nothing")])
def test_a_root_that_lacks_what_is_to_boot_is_told_of(engine, tmp_path, monkeypatch, there, said):
    def run(*words, **options):
        if "run" in words:
            raise shell.CommandError("podman run: Error: runc: stat systemd: no such file")
        return ""

    monkeypatch.setattr(shell, "run", run)
    root = tmp_path / "root"
    root.mkdir()
    if there:
        (root / there).mkdir()
    host = Container(name="i", root=root, hostname="a", network_namespace="n", cpus=1, memory=64)
    with pytest.raises(EngineError, match=f"no such file .*{said}; mounted are: nothing"):
        engine.run(host)
    (root / "lib/systemd").mkdir(parents=True)
    (root / "lib/systemd/systemd").touch()
    with pytest.raises(EngineError, match=r"no such file$"):
        engine.run(host)
