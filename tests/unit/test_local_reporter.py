"""The reporter of metrics: what is said where it cannot be compiled, and where its jar is put.

That it compiles, loads and listens on loopback is for tests/flink/test_stack.py.
"""

from pathlib import Path

import pytest

from headgate.errors import HeadgateError
from headgate.local import flink_home, reporter
from headgate.local.jars import MissingToolError


def java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    """Put a Java that says this and fails in the place of the real one."""
    program = tmp_path / "java"
    said = "\n".join(lines)
    program.write_text(f"#!/bin/sh\ncat >&2 <<'END'\n{said}\nEND\nexit 1\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setattr(reporter, "require_java", lambda: str(program))


def test_a_java_without_a_compiler_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    java(
        tmp_path,
        monkeypatch,
        "Error occurred during initialization of boot layer",
        "java.lang.module.FindException: Module jdk.compiler not found",
    )
    with pytest.raises(MissingToolError, match="apt install openjdk-17-jdk-headless") as caught:
        reporter.build(tmp_path / "jars")
    assert str(tmp_path / "java") in str(caught.value)


def test_what_the_compiler_says_is_told_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    java(tmp_path, monkeypatch, "error: cannot find symbol", "  AbstractPrometheusReporter")
    with pytest.raises(HeadgateError, match=r"this Flink:\nerror: cannot find symbol"):
        reporter.build(tmp_path / "jars")
    assert list((tmp_path / "jars").iterdir()) == []


def test_a_jar_that_is_there_is_taken_and_another_source_asks_for_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "Source.java"
    monkeypatch.setattr(reporter, "SOURCE", source)
    compiled: list[Path] = []

    def compile_instead(class_path: list[Path], target: Path) -> None:
        assert all(jar.is_file() for jar in class_path)
        target.mkdir()
        (target / "Some.class").write_bytes(b"")
        compiled.append(target)

    monkeypatch.setattr(reporter, "_compile", compile_instead)
    made = []
    for text in ("one", "one", "another"):
        source.write_text(text, encoding="utf-8")
        made.append(reporter.build(tmp_path / "jars"))
    assert made[0] == made[1] != made[2]
    assert len(compiled) == 2
    assert all(jar.is_file() for jar in made)


def test_the_plugin_has_flinks_jar_and_ours_and_the_wheel_stays_as_it_is(tmp_path: Path) -> None:
    wheel = flink_home.wheel_folder()
    before = sorted(wheel.rglob("plugins/*/*"))
    home, connectors = tmp_path / "dist", tmp_path / "flink"
    connectors.mkdir()
    home.mkdir()
    # As homes were before.
    (home / "plugins").symlink_to(wheel / "plugins")
    for name in ("old.jar", "new.jar"):
        (tmp_path / name).write_bytes(b"")
        flink_home.link_home(home, connectors, tmp_path / name)
    plugin = home / "plugins" / flink_home.REPORTER_PLUGIN
    [flinks] = (wheel / "plugins" / flink_home.REPORTER_PLUGIN).glob("*.jar")
    assert {path.readlink() for path in plugin.iterdir()} == {flinks, tmp_path / "new.jar"}
    assert {path.name for path in (home / "plugins").iterdir()} == {
        path.name for path in (wheel / "plugins").iterdir()
    }
    assert sorted(wheel.rglob("plugins/*/*")) == before
