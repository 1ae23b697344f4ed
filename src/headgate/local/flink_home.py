"""A FLINK_HOME made of links into the wheel, and the configuration of one cluster."""

import importlib.util
import json
import os
import site
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path

from headgate import logs
from headgate.errors import ConfigError, HeadgateError
from headgate.local.jars import require_java

REPORTER_PLUGIN = "metrics-prometheus"
# The fields of `headgate.logs.JsonLines`, in the terms of log4j's JsonTemplateLayout, whose jar is
# in Flink's wheel.
_JSON_LINE = {
    "time": {
        "$resolver": "timestamp",
        "pattern": {"format": "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'", "timeZone": "UTC"},
    },
    "level": {"$resolver": "level", "field": "name"},
    "logger": {"$resolver": "logger", "field": "name"},
    "message": {"$resolver": "message", "stringified": True},
    "thread": {"$resolver": "thread", "field": "name"},
    "error": {"$resolver": "exception", "field": "className"},
    "stack": {"$resolver": "exception", "field": "stackTrace", "stackTrace": {"stringified": True}},
}


def wheel_folder() -> Path:
    """Return the folder of the installed PyFlink, without importing it (that takes a second)."""
    spec = importlib.util.find_spec("pyflink")
    if spec is None or spec.origin is None:
        message = "apache-flink is not installed: pip install 'headgate[flink]'"
        raise HeadgateError(message)
    return Path(spec.origin).parent


def link_home(home: Path, connectors: Path, reporter: Path) -> Path:
    """Build `home` so that `lib/` has flink-python and the connectors beside the wheel's jars, and
    the plugin of Flink's Prometheus reporter has the jar `reporter` too.

    Links rather than changes to site-packages: the wheel stays as pip knows it. Jars in
    `pipeline.jars` instead of `lib/` would displace flink-python from the job's class path.
    """
    wheel = wheel_folder()
    _link(home / "bin", wheel / "bin")
    # A real folder: Flink's client looks for flink-python in opt/ and follows no link.
    for jar in wheel.glob("opt/*.jar"):
        _link(home / "opt" / jar.name, jar)
    jars = [*wheel.glob("lib/*.jar"), *wheel.glob("opt/flink-python-*.jar")]
    _link_all(home / "lib", [*jars, *connectors.glob("*.jar")])
    plugins = home / "plugins"
    if plugins.is_symlink():
        # To the wheel's, as homes had it before the reporter was one of ours.
        plugins.unlink()
    for plugin in wheel.glob("plugins/*"):
        if plugin.name == REPORTER_PLUGIN:
            # One folder, one class loader: ours extends a class that is its package's own.
            _link_all(plugins / plugin.name, [*plugin.glob("*.jar"), reporter])
        else:
            _link(plugins / plugin.name, plugin)
    return home


def class_path(home: Path) -> str:
    """Return the class path of every Flink process, flink-dist last as in Flink's own scripts."""
    jars = sorted(home.glob("lib/*.jar"), key=lambda jar: ("flink-dist" in jar.name, jar.name))
    return ":".join(str(jar) for jar in jars)


def environment(home: Path, configuration: Path, logs: Path) -> dict[str, str]:
    """Return the process environment that pins every Flink process to this home and cluster."""
    return {
        **os.environ,
        "FLINK_HOME": str(home),
        "FLINK_LIB_DIR": str(home / "lib"),
        "FLINK_OPT_DIR": str(home / "opt"),
        "FLINK_PLUGINS_DIR": str(home / "plugins"),
        "FLINK_CONF_DIR": str(configuration),
        "FLINK_LOG_DIR": str(logs),
        "FLINK_PID_DIR": str(configuration.parent / "pids"),
    }


def java(
    home: Path,
    configuration: Path,
    settings: Mapping[str, str],
    log: Path,
    main: str,
    *options: str,
    is_server: bool = False,
) -> list[str]:
    """Return the command line that Flink's own scripts would build for `main`, up to it.

    options: the JVM's; they come behind those that `settings` have for all processes, and win.
    """
    logging = configuration / f"log4j-{'console' if is_server else 'cli'}.properties"
    command = [require_java(), *settings["env.java.opts.all"].split(), *options]
    command += [f"-Dlog.file={log}", f"-Dlog4j.configurationFile={logging}"]
    # Its console output would repeat the log file.
    command += ["-Dconsole.log.level=OFF"] if is_server else []
    return [*command, "-cp", class_path(home), main]


def python_settings() -> dict[str, str]:
    """Return the settings that make Flink's Python this one, in both execution modes."""
    # Thread mode embeds the interpreter without running `site`: no .pth file is read, so the folder
    # of an editable installation has to be named as well.
    folders = [sysconfig.get_paths()["purelib"], str(Path(__file__).parents[2])]
    if sys.prefix == sys.base_prefix and site.ENABLE_USER_SITE:
        folders.append(site.getusersitepackages())
    return {
        "python.executable": sys.executable,
        "python.client.executable": sys.executable,
        "python.pythonpath": ":".join(dict.fromkeys(folders)),
    }


def read_settings(text: str) -> dict[str, str]:
    """Read a flat `config.yaml`: one dotted key per line; raises ConfigError for anything else.

    >>> read_settings("# why\\nrest.port: 8081\\n")
    {'rest.port': '8081'}
    """
    settings: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        key, colon, value = line.partition(": ")
        if not colon or line[0].isspace():
            message = f"line {number} of flink-conf/config.yaml is not 'dotted.key: value': {line}"
            raise ConfigError(message)
        settings[key] = value.strip()
    return settings


def write_configuration(folder: Path, shared: Path, own: Mapping[str, str]) -> dict[str, str]:
    """Write `config.yaml` (the shared settings, overridden by `own`) and the logging settings."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = {**read_settings(shared.read_text(encoding="utf-8")), **own}
    lines = ["# Rendered from flink-conf/config.yaml; changes here are lost.\n"]
    lines += [f"{key}: {value}\n" for key, value in settings.items()]
    (folder / "config.yaml").write_text("".join(lines), encoding="utf-8")
    for logging in wheel_folder().glob("conf/log4j*.properties"):
        if logs.chosen() == logs.JSON:
            log_as_json(folder / logging.name, logging.read_text(encoding="utf-8"))
        else:
            _link(folder / logging.name, logging)
    return settings


def log_as_json(path: Path, text: str) -> None:
    """Write log4j's settings with JSON lines in place of patterns, and the template beside them."""
    template = path.with_name("log4j-json-template.json")
    template.write_text(json.dumps(_JSON_LINE, indent=2), encoding="utf-8")
    path.unlink(missing_ok=True)
    lines = []
    for line in text.splitlines():
        key, _, value = line.partition("=")
        key = key.strip()
        if key.endswith(".layout.type") and value.strip() == "PatternLayout":
            lines.append(f"{key} = JsonTemplateLayout")
        elif key.endswith(".layout.pattern"):
            name = key.removesuffix("pattern")
            lines.append(f"{name}eventTemplateUri = {template.resolve().as_uri()}")
        else:
            lines.append(line)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _link_all(folder: Path, jars: Sequence[Path]) -> None:
    """Make `folder` have links to `jars` and nothing else."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {jar.name for jar in jars}
    for stale in folder.iterdir():
        if stale.name not in wanted:
            stale.unlink()
    for jar in jars:
        _link(folder / jar.name, jar)


def _link(link: Path, target: Path) -> None:
    if link.is_symlink() and link.readlink() == target:
        return
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(target)
