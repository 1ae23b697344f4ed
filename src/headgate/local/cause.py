"""The one line of much output that says why: of a Java stack trace, of a client that failed."""

import re

CAUSED_BY = "Caused by: "
# Of a script of one's own it is worth knowing where it failed; of a Flink that refuses, what it
# says.
REFUSED = re.compile(r"headgate(?:\.\w+)*\.(\w+): ")
BY_FLINK = re.compile(r"(?:py4j\.protocol\.)?Py4JJavaError: ")
LINES_AT_MOST = 40


def last_cause(trace: str) -> str:
    """Return the innermost cause of a Java stack trace: what stands above is its way of failing.

    >>> last_cause("java.lang.Exception: a\\n\\tat b\\nCaused by: c.D: e\\n\\tat f")
    'c.D: e'
    """
    lines = [line.strip() for line in trace.splitlines() if line.strip()]
    causes = [line.removeprefix(CAUSED_BY) for line in lines if line.startswith(CAUSED_BY)]
    return (causes or lines or [""])[-1 if causes else 0]


def cause_of_failed(output: str) -> str:
    """Return what a client's output tells of the script that it ran: Headgate's own refusal as
    `NameOfError: message`, the innermost cause where Flink refused the job, else the script's
    traceback.
    """
    start = output.rfind("Traceback (most recent call last)")
    text = output[start:] if start >= 0 else output
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("at org.apache.")]
    if start < 0:
        return "\n".join(lines[:LINES_AT_MOST])
    # Frames are indented; what was raised is the first line that is not.
    raised = next((n for n, line in enumerate(lines) if n and line[:1].strip()), len(lines))
    told = lines[raised:]
    refused = REFUSED.match(told[0]) if told else None
    if refused:
        ends = (n for n, s in enumerate(told) if not s.strip() or s.startswith("org.apache."))
        end = next(ends, len(told))
        return "\n".join([f"{refused[1]}: {told[0][refused.end() :]}", *told[1:end]])
    if told and BY_FLINK.match(told[0]):
        # The client has a trace of its own after it, that Python ended with 1.
        ends = (n for n, line in enumerate(told) if line.startswith("org.apache.flink.client."))
        trace = "\n".join(told[: next(ends, len(told))])
        if f"\n{CAUSED_BY}" in trace:
            return last_cause(trace)
    return "\n".join(lines[:LINES_AT_MOST])
