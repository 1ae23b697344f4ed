"""The demo's stage: the embedded stack with the counted agent and the job on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

from headgate.config import Config, load
from headgate.demo import counted_agent
from headgate.local.jars import settings_folder
from headgate.local.stack import LocalStack
from headgate.local.submit import submit

AGENT_NAME = "dialogue_state"
TOPIC = "dialogues"
# The job's first start compiles the generated code of its sources; on two busy cores that alone
# has taken half a minute.
JOB_SECONDS = 240.0

TOML = """\
# Written by `headgate demo`; every run writes it anew.

[kafka]
bootstrap = "{bootstrap}"

[job]
parallelism = {parallelism}

[[topics]]
name = "{topic}"

[[routes]]
topic = "{topic}"
agent = "{agent}"

[agents.{agent}]
endpoint = "{endpoint}"
"""


class Stage:
    """Kafka, Flink, the agent service and the running job; a fresh one each time."""

    config: Config
    job: str

    def __init__(
        self,
        home: Path,
        schema: Path,
        *,
        parallelism: int = 1,
        task_managers: int | None = None,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Describe it; `start` makes it. One TaskManager for each slot unless told otherwise."""
        self.stack = LocalStack(home, task_managers or parallelism, say=say)
        self.config_path = self.stack.home / "headgate.toml"
        self.ledger = self.stack.home / "calls.jsonl"
        self.schema = schema
        self.is_warm = False
        self._parallelism = parallelism
        self._say = say

    def start(self) -> Self:
        """Erase the last run, start everything, wait until the job runs."""
        self.stack.erase()
        self.ledger.unlink(missing_ok=True)
        self.stack.start(self._prepare)
        return self

    def stop(self) -> None:
        """End everything."""
        self.stack.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _prepare(self, stack: LocalStack) -> None:
        arguments: Sequence[str] = (
            "--schema", str(self.schema.resolve()), "--ledger", str(self.ledger),
        )  # fmt: skip
        script = Path(counted_agent.__file__)
        endpoint = stack.agents.start(AGENT_NAME, script, arguments)
        text = TOML.format(
            bootstrap=stack.kafka.bootstrap,
            parallelism=self._parallelism,
            topic=TOPIC,
            agent=AGENT_NAME,
            endpoint=endpoint,
        )
        self.config_path.write_text(text, encoding="utf-8")
        self.config = load(self.config_path)
        self._say("submitting the job")
        entry = settings_folder().parent / "jobs" / "agent_runtime.py"
        stack.job = self.job = submit(stack.flink, entry, ["--config", str(self.config_path)])
        stack.flink.rest.await_running(self.job, JOB_SECONDS)
