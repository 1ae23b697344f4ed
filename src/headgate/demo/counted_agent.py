"""The demo's agent service: dialogue_state, with a ledger of the calls it is given."""

import argparse
from pathlib import Path

from headgate.demo.calls import keep_ledger
from headgate.demo.sgd import load_agent
from headgate.sdk import serve


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--schema", type=Path, required=True, help="schema.json of the services")
    parser.add_argument("--ledger", type=Path, required=True, help="where calls are noted")
    given = parser.parse_args()
    serve(keep_ledger(load_agent(given.schema), given.ledger), port=given.port)


if __name__ == "__main__":
    main()
