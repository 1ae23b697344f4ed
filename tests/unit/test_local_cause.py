"""What a person is told of a submission that failed: why, and nothing else."""

from headgate.local.cause import cause_of_failed

CLIENT = """
org.apache.flink.client.program.ProgramAbortException: java.lang.RuntimeException: Python process \
exits with code: 1
\tat org.apache.flink.client.python.PythonDriver.main(PythonDriver.java:140)
Caused by: java.lang.RuntimeException: Python process exits with code: 1
\tat org.apache.flink.client.python.PythonDriver.main(PythonDriver.java:130)
"""
SCRIPT = """Some line of Flink's
Traceback (most recent call last):
  File "agent_runtime.py", line 14, in <module>
    config = configure(sys.argv[1:])
             ^^^^^^^^^^^^^^^^^^^^^^^
"""


def test_of_a_refusal_of_headgates_its_name_and_text_are_told() -> None:
    raised = "headgate.flink.restore.LongOutageError: 3 records are missing:\nrun `headgate repair`"
    assert cause_of_failed(f"{SCRIPT}{raised}\n{CLIENT}") == (
        "LongOutageError: 3 records are missing:\nrun `headgate repair`"
    )


def test_of_a_job_that_flink_refuses_the_innermost_cause_is_told() -> None:
    raised = """py4j.protocol.Py4JJavaError: An error occurred while calling o295.execute.
: org.apache.flink.util.FlinkException: Failed to execute job 'headgate'.
\tat org.apache.flink.streaming.api.X.execute(X.java:1)
Caused by: java.util.concurrent.CompletionException: java.lang.IllegalStateException: Failed
\t... 4 more
Caused by: java.lang.IllegalStateException: Max parallelism mismatch: 8, not 4
\t... 4 more
"""
    told = cause_of_failed(f"{SCRIPT}{raised}\n{CLIENT}")
    assert told == "java.lang.IllegalStateException: Max parallelism mismatch: 8, not 4"


def test_of_a_script_that_breaks_where_it_broke_is_told() -> None:
    told = cause_of_failed(f"{SCRIPT}KeyError: 'topic'\n{CLIENT}")
    assert told.startswith("Traceback")
    assert 'File "agent_runtime.py", line 14' in told
    assert "KeyError: 'topic'" in told


def test_of_a_client_that_ran_no_script_all_but_its_frames_is_told() -> None:
    assert cause_of_failed("The file is not there\n\tat org.apache.flink.X\n") == (
        "The file is not there"
    )
