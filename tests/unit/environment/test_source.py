"""The script and its git checkout are told quickly, and nothing of the repository runs."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from reproof.environment import collect_environment, source
from reproof.environment.source import find_script

if TYPE_CHECKING:
    from pathlib import Path

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


@needs_git
class TestSource:
    """The script, and the git checkout that it lies in."""

    @staticmethod
    def git(folder: Path, *arguments: str) -> str:
        """Run git in a folder as a test user, without any configuration of this machine."""
        command = ["git", "-C", str(folder), "-c", "user.name=Test", "-c", "user.email=t@example.org", *arguments]
        environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout.strip()

    @pytest.fixture
    def script(self, tmp_path: Path) -> Path:
        """Return a committed script in a new repository."""
        path = tmp_path / "project" / "scripts" / "train.py"
        path.parent.mkdir(parents=True)
        path.write_text("print(1)\n")
        self.git(tmp_path, "init", "--quiet", "project")
        self.git(path.parent, "add", ".")
        self.git(path.parent, "commit", "--quiet", "--message", "First")
        return path

    def test_commit_and_uncommitted_changes_are_told(self, script: Path) -> None:
        """A clean checkout has a commit; an edit makes it dirty, and each edit has its own digest."""
        clean = collect_environment([str(script), "--epochs", "2"])["code"]
        script.write_text("print(2)\n")
        edited = collect_environment([str(script)])["code"]
        script.write_text("print(3)\n")
        again = collect_environment([str(script)])["code"]

        assert clean["script"] == str(script)
        assert clean["commit"] == edited["commit"] == self.git(script.parent, "rev-parse", "HEAD")
        assert (clean["dirty"], edited["dirty"], again["dirty"]) == (False, True, True)
        assert len({facts["diff_sha256"] for facts in (clean, edited, again)}) == 3
        assert len({facts["script_sha256"] for facts in (clean, edited, again)}) == 3

    def test_a_repository_without_commits_is_told_as_such(self, tmp_path: Path) -> None:
        """Before the first commit there is neither commit nor difference."""
        self.git(tmp_path, "init", "--quiet")
        (tmp_path / "train.py").touch()

        code = collect_environment([str(tmp_path / "train.py")])["code"]

        assert (code["commit"], code["diff_sha256"]) == (None, None)

    def test_variables_of_git_do_not_mislead(self, script: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Inside a hook git sets its folder for others; the script's own checkout is asked all the same."""
        monkeypatch.setenv("GIT_DIR", str(script.parent / "nowhere"))
        monkeypatch.setenv("GIT_INDEX_FILE", str(script.parent / "nothing"))

        assert collect_environment([str(script)])["code"]["dirty"] is False

    @pytest.mark.parametrize("body", ["exec {sleep} 60", "exit 1", None])
    def test_a_git_that_hangs_fails_or_is_missing_only_leaves_facts_out(
        self, script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str | None
    ) -> None:
        """The digest of the script is there, and what git would have told is unknown."""
        (tmp_path / "bin").mkdir()
        if body:
            (tmp_path / "bin" / "git").write_text(f"#!/bin/sh\n{body.format(sleep=shutil.which('sleep'))}\n")
            (tmp_path / "bin" / "git").chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path / "bin"))
        monkeypatch.setattr(source, "GIT_TIMEOUT_SECONDS", 0.2)

        code = collect_environment([str(script)])["code"]

        assert (code["commit"], code["dirty"], code["diff_sha256"]) == (None, None, None)
        assert len(code["script_sha256"]) == 64

    def test_no_program_of_the_repository_runs(self, script: Path, tmp_path: Path) -> None:
        """A file-system monitor that the repository asks for is not started."""
        monitor = tmp_path / "monitor"
        monitor.write_text(f"#!/bin/sh\n: > {tmp_path / 'marker'}\n")
        monitor.chmod(0o755)
        self.git(script.parent, "config", "core.fsmonitor", str(monitor))
        script.write_text("print(2)\n")

        assert collect_environment([str(script)])["code"]["dirty"] is True
        assert not (tmp_path / "marker").exists()

    def test_the_script_is_found_in_a_command(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The first Python file counts, else the program itself; a module, a name too long or nothing is no script."""
        (tmp_path / "train.py").touch()
        (tmp_path / "tool").touch()
        monkeypatch.chdir(tmp_path)

        assert find_script(["python", "-u", "train.py", "other.py"]) == tmp_path / "train.py"
        assert find_script(["tool", "--x"]) == tmp_path / "tool"
        assert find_script(["-m", "package.module"]) is None
        assert find_script(["a\0b.py"]) is None
        assert find_script(["x" * 5000 + ".py"]) is None
