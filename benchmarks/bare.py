"""This code without metrics, tracing and the ledger: a copy with their lines taken out.

For measuring what they cost, as nothing else can: they cannot be switched off, and what is switched
off costs as well. Each cut names the text that it takes out; one that no longer finds it says so.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Cut:
    """A text of a module of Headgate's, and what stands in its place."""

    module: str
    text: str
    instead: str = ""


_TRACING = (
    Cut(
        "core/dispatch.py",
        "    if not trace.takes(fingerprints[0], around.sampled_below):\n"
        "        call.untraced = True\n",
    ),
    Cut("rpc/dispatcher.py", "        trace.begin(call)\n"),
    Cut("core/outcome.py", "    trace.carry(request, events, outcome)\n"),
)

_METRICS = (
    Cut("flink/gate.py", "        self._tally.lag(self._now_ms - value[4])\n"),
    Cut("flink/gate.py", "                self._metrics.heard.take(record.tick, self._now_ms)\n"),
    Cut("flink/gate.py", "        self._metrics.see(address, control)\n"),
    Cut(
        "flink/gate.py",
        "        self._tally.count(agent_type, address, given, made)\n"
        "        if made.parked_by:\n"
        "            self._metrics.parked(shard.number, address, made.parked_by)\n",
    ),
    Cut("flink/gate.py", "            self._metrics.begin_shard(number)\n"),
    Cut(
        "flink/gate.py",
        "            self._is_told = made is not None\n"
        "            if made is not None:\n"
        "                self._tally.told(made)\n",
    ),
    Cut(
        "flink/gate.py",
        "                    if not self._is_told:\n"
        "                        self._tally.of(outcome.agent_type).call(outcome)\n",
    ),
    Cut("core/batch.py", "records=records, made=made", "records=records"),
    Cut(
        "rpc/dispatcher.py",
        "calls_made(outcome for _, outcome in entries) if len(entries) > 1 else None",
        "None",
    ),
    Cut(
        "flink/gate.py",
        "        moment = self._horizon.moment\n"
        "        if moment >= self._metrics.show_at:\n"
        "            self._metrics.show(self._horizon.shown, self._now_ms, moment)\n",
    ),
    Cut(
        "rpc/dispatcher.py",
        "CallsTold(\n"
        "            endpoints=self._pools.stand(), repeats=self.counts.repeats\n"
        "        )",
        "None",
    ),
)

_LEDGER = (
    Cut(
        "flink/gate.py",
        "                    if self._is_billed:\n"
        "                        self._settle(address, read)\n",
    ),
    Cut(
        "flink/gate.py",
        "        self._is_billed = self._billing.is_on or not self._horizon.is_complete\n",
    ),
    Cut("flink/gate.py", "                self._billing.see(appended_ms)\n"),
    Cut(
        "flink/gate.py",
        "                if self._readiness.is_ready and not was_ready:\n"
        "                    self._billing.greet(*self._subtask)\n",
    ),
    Cut(
        "flink/horizon.py",
        "            self._billing.know(shown.budgets, now_ms * 1_000)\n"
        "            self._outputs.agree(shown.terms)\n",
    ),
    Cut(
        "flink/gate.py",
        "        if shown.budgets is not shard.budgets:\n"
        "            shard.budgets = shown.budgets\n"
        "            for address in shard.waiting():\n"
        "                # By the alarm, so many at a time: it may be all that there are.\n"
        "                shard.wake_by(address, self._now_ms)\n",
    ),
    Cut("flink/outputs.py", " and not self._billing.budgets.rules:", ":"),
    Cut(
        "flink/outputs.py",
        "        call = held.call\n"
        "        if call is not None and "
        "self._billing.is_counted(call.tenant, call.request.agent_type):\n"
        "            self._billing.ask(call, held.estimate_nanos, held.raw)\n"
        "        else:\n"
        "            self._requests.append(held.raw)",
        "        self._requests.append(held.raw)",
    ),
    Cut(
        "flink/outputs.py",
        "        if self._billing.gathered:\n"
        "            out += [(BILLED, LightRow(*each)) for each in self._billing.give()]\n",
    ),
    Cut(
        "flink/job.py",
        "    granted = (\n"
        "        _by_shard(_at_once(_side_output(gate, BILLED)))\n"
        "        .process(LedgerHost(ledger), output_type=KEYED_ROW)\n"
        '        .name("ledger")\n'
        '        .uid("ledger")\n'
        "        .set_buffer_timeout(AT_ONCE)\n"
        "    )\n"
        "    grants = _to_shard(granted).process(Grants(), output_type=BYTES)"
        '.name("grants").uid("grants")\n'
        "    return _side_output(gate, REQUESTED).union(grants.set_buffer_timeout(AT_ONCE))\n",
        "    return _side_output(gate, REQUESTED)\n",
    ),
    Cut(
        "core/dispatch.py",
        '    if spec is not None and spec.HasField("tenancy"):\n'
        "        call.tenant = tenant_of(spec.tenancy, request.key)\n"
        "    else:\n"
        "        call.tenant = DEFAULT_TENANT\n",
    ),
    Cut(
        "core/dispatch.py",
        "    estimate = spec.estimate_nanos if spec is not None else 0\n",
        "    estimate = 0\n",
    ),
    Cut(
        "core/outcome.py",
        "    if called_us and terms.prices:\n"
        "        # Of what was answered, though the answer may have come to nothing: it was paid.\n"
        "        outcome.cost_nanos = cost_of(\n"
        "            terms,\n"
        "            request.stand_in or request.agent_type,\n"
        "            told,\n"
        "            called_us=called_us,\n"
        "            answered_us=answered_us,\n"
        "        )\n",
    ),
    Cut(
        "core/outcome.py",
        "    outcome.tenant = call.tenant\n    outcome.stand_in = request.stand_in\n",
    ),
    Cut(
        "rpc/pools.py",
        "call.request.stand_in or call.request.agent_type",
        "call.request.agent_type",
    ),
)

CUTS = _TRACING + _METRICS + _LEDGER


def copy(root: Path, target: Path) -> None:
    """Copy a checkout's code and what runs with it to a folder."""
    shutil.rmtree(target, ignore_errors=True)
    for part in ("src", "benchmarks", "jobs", "agents", "flink-conf"):
        shutil.copytree(
            root / part, target / part, ignore=shutil.ignore_patterns("__pycache__", ".venv")
        )


def make(root: Path, target: Path) -> Path:
    """Copy a checkout's code and what runs with it to a folder, without the three; return it.

    Raises:
        ValueError: a cut does not find its text exactly once.
    """
    copy(root, target)
    for cut in CUTS:
        file = target / "src" / "headgate" / cut.module
        text = file.read_text(encoding="utf-8")
        if text.count(cut.text) != 1:
            message = (
                f"{cut.module} has {text.count(cut.text)} times instead of once: {cut.text!r}; "
                "bring benchmarks/bare.py up to date"
            )
            raise ValueError(message)
        file.write_text(text.replace(cut.text, cut.instead), encoding="utf-8")
    return target
