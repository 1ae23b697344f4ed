"""Talks with users through any server of the chat-completions API, with tools.

Where the model is and its key come from the environment (README). Headgate keeps the conversation,
tries failed calls again, and makes no call twice whose answer it has.
"""

import argparse
import importlib.util
import sys
from pathlib import Path

from completions import Answer, Completions  # type: ignore[import-not-found]
from conversation import Conversation, Message, shown  # type: ignore[import-not-found]
from settings import Settings  # type: ignore[import-not-found]
from tools import Tools  # type: ignore[import-not-found]

from headgate.sdk import Agent, Event, TerminalError, Turn, serve

TAKES = "chat.message"
EMITS = "chat.reply"

SYSTEM = "You are a helpful assistant. Answer briefly."
# Times that a model may call tools before it must answer; one that circles would pay for ever.
ROUNDS = 5
# Messages shown to the model. The policy's `log_window` (1000 by default) must let as many travel.
CONTEXT = 40


def make_agent(
    completions: Completions,
    tools: Tools,
    *,
    system: str = SYSTEM,
    rounds: int = ROUNDS,
    context: int = CONTEXT,
) -> Agent[Conversation]:
    """Make the agent: `completions` asks the model, which may call `tools`."""
    agent = Agent("chat", Conversation, summary=f"Chats by {completions.settings.model}")

    @agent.on(TAKES)
    async def message(turn: Turn[Conversation], event: Event) -> None:
        messages = turn.state.messages
        messages.append(Message("user", _text(event)))
        called: list[str] = []
        for number in range(rounds + 1):
            answer: Answer = await completions.complete(
                shown(system, list(messages), context),
                tools.schemas(),
                may_call_tools=number < rounds,
                idempotency_key=turn.step_key(event, f"completion {number}"),
                trace_headers=turn.trace_headers(),
            )
            turn.used(
                model=answer.model,
                input_tokens=answer.input_tokens,
                output_tokens=answer.output_tokens,
            )
            messages.append(Message("assistant", answer.text, answer.tool_calls))
            if not answer.tool_calls:
                break
            if number == rounds:
                text = f"the model still called tools after {rounds} rounds of them"
                raise TerminalError(text)
            for place, call in enumerate(answer.tool_calls):
                called.append(call.name)
                step = turn.step_key(event, f"tool {number}.{place} {call.name}")
                result = await tools.run(call.name, call.arguments, step)
                messages.append(Message("tool", result, tool_call_id=call.id))
        turn.emit(
            EMITS,
            {
                "text": answer.text,
                "model": answer.model,
                "finish_reason": answer.finish_reason,
                "tools": called,
            },
        )

    return agent


def _text(event: Event) -> str:
    data = event.data
    text = data.get("text") if isinstance(data, dict) else None
    if not isinstance(text, str) or not text.strip():
        message = 'the data of a message is {"text": "..."}'
        raise TerminalError(message)
    return text


def load_tools(path: Path) -> Tools:
    """Load a Python file and take its `tools`."""
    spec = importlib.util.spec_from_file_location(f"tools_of_{path.stem}", path)
    if spec is None or spec.loader is None or not path.exists():
        message = f"no Python file at {path}"
        raise SystemExit(message)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    found = getattr(module, "tools", None)
    if not isinstance(found, Tools):
        message = f"{path} has no `tools = Tools()`"
        raise SystemExit(message)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=7073, help="0 picks a free one")
    parser.add_argument("--system", default=SYSTEM, help="what the model is told first")
    parser.add_argument("--tools", type=Path, help="a Python file with `tools = Tools()`")
    parser.add_argument("--max-turns", type=int, default=100, help="turns at once")
    args = parser.parse_args()
    completions = Completions(Settings.read())
    tools = load_tools(args.tools) if args.tools else Tools()
    agent = make_agent(completions, tools, system=args.system)
    serve(agent, host=args.host, port=args.port, max_turns=args.max_turns)


if __name__ == "__main__":
    main()
