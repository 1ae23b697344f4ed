"""Packaging of Headgate: one distribution, several extras.

`[sdk]` is what an agent service installs: gRPC and protobuf, nothing of Flink or Kafka. `[chat]` is
that and what agents/chat needs, `[temporal]` that and Temporal's SDK. `[tracing]` goes with either
of the two: OpenTelemetry.
`[flink]` is the runtime and the command line, `[ui]` the console and the command line without
Flink. `[dev]` is what the tests and `make lint` need.

Every requirement has a floor (the oldest release tried) and a ceiling (the first one known or
likely to break), with the reason beside it. docs/adr/0005-dependency-cage.md tells the story.
"""

from pathlib import Path

from setuptools import find_namespace_packages, setup

# The cage. apache-flink 2.3.0 accepts apache-beam up to 2.61.0 and resolves to it; that release
# of Beam fixes the ceilings of everything below it.
CAGE = [
    "apache-beam>=2.61.0,<2.62",  # the newest that apache-flink 2.3.0 accepts; older is untried
    "grpcio>=1.65.5,<1.66",  # Beam: <1.66; floor: the release that generated our stubs
    "grpcio-health-checking>=1.65.5,<1.66",  # the next one asks for grpcio 1.66
    "grpcio-reflection>=1.65.5,<1.66",  # the same
    "protobuf>=5.29.0,<6",  # Beam: <6
    "redis>=5.0.0,<6",  # Beam: >=5,<6
    "numpy>=2.1,<2.2",  # Beam: <2.2
    "pyarrow>=16.1,<17",  # Beam: <17
]

# Pages of the web console.
PAGES = [
    "jinja2>=3.1.6,<4",  # floor: what was tried; a major may change what is escaped
    "markupsafe>=3.0,<4",  # as jinja2: what is markup and what is text
]

FLINK = [
    "apache-flink>=2.3.0,<2.4",  # thread mode and async I/O were measured on 2.3.0
    *CAGE,
    "kafka-python>=3.0.7,<4",  # admin, command line, tests; the 3 series is what was tried
    "confluent-kafka>=2.16,<3",  # Invoke's producer: a third less CPU there than kafka-python
    "pydantic>=2.14,<3",  # headgate.toml; a major renames the error types we turn into sentences
    "typer>=0.29,<1",  # command line; below 1.0 it promises nothing beyond a minor
    "rich>=15,<16",  # tables and progress; a major may change how they render
    "cronsim>=2.6,<3",  # cron expressions as Debian's cron reads them, summer time included
    "starlette>=1.0,<2",  # the front door's HTTP; 1.0 is the first that promises to stay
    "uvicorn>=0.54,<0.60",  # serves it; below 1.0 a minor may change the hooks of its server
    "sqlalchemy>=2.0.46,<2.1",  # the history store, on SQLite and PostgreSQL; a minor drops APIs
    "psycopg[binary]>=3.2,<3.4",  # its PostgreSQL; below 4 a minor may change adaptation
    "cryptography>=44,<47",  # seals payloads; 44 to 46 have the same AES-GCM; a major may drop APIs
    "psutil>=7.2,<8",  # the embedded stack finds and ends its own children with it
    *PAGES,  # `headgate dev` has a console
]

# `headgate ui` and the other commands that need no Flink.
UI = [
    each
    for each in FLINK
    if each.split(">")[0] not in {"apache-flink", "apache-beam", "numpy", "pyarrow"}
]

# Agent services live in their own environments: the ceilings are those of the protocol stubs,
# not those of Flink. protobuf promises that generated code runs on its own major and the next.
SDK = [
    "grpcio>=1.65.5,<2",  # floor: the release that generated the stubs
    "grpcio-health-checking>=1.65.5,<2",  # grpc.health.v1, required of every agent service
    "grpcio-reflection>=1.65.5,<2",  # server reflection, required as well
    "protobuf>=5.26.1,<7",  # floor: what grpcio-tools 1.65.5 generates for; ceiling: one major on
]

# agents/chat, which runs in an environment of its own as well.
CHAT = [
    *SDK,
    "httpx>=0.28.1,<0.29",  # 0.28 took arguments of the client away; below 1.0 a minor may again
]

# Workers of Temporal that drive agents (headgate.temporal), and agents/temporal.
TEMPORAL = [
    *SDK,
    "temporalio>=1.35,<2",  # its core is compiled in; a major may change how workflows are replayed
]

# Agents that read other agents' state (headgate.view).
VIEW = [
    "redis>=5.0.0,<8",  # floor: the cage's; ceiling: the newest major that is likely to behave so
    "protobuf>=5.26.1,<7",  # as SDK
]

# `headgate trace export`, and agent services that record spans of their own.
TRACING = [
    "opentelemetry-sdk>=1.45,<2",  # floor: tried; 1.x keeps what it exports
    "opentelemetry-exporter-otlp-proto-grpc>=1.45,<2",  # runs beside grpcio 1.65 and protobuf 5.29
    "opentelemetry-exporter-otlp-proto-http>=1.45,<2",  # OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf
]

DEV = [
    *TRACING,  # the tests record and export spans; opentelemetry-proto serves their collector
    *CHAT,  # the tests talk with agents/chat
    *TEMPORAL,  # and with a real Temporal server
    "pytest>=9.2,<10",  # a major removes what the one before deprecated, and plugins follow late
    "pytest-asyncio>=1.5,<2",  # the loop scopes of pyproject.toml belong to the 1 series
    "pytest-timeout>=2.4,<3",  # hangs become failures; a major may rename options
    "playwright>=1.65,<2",  # drives Debian's chromium in tests of the console; downloads none
    "cloudevents>=2.2,<3",  # reads our outputs as any consumer would
    "hypothesis>=6.170,<7",  # a major may change what a stored failing example means
    "ruff>=0.17.6,<0.18",  # each minor adds rules to the families we enable: raise it on purpose
    "mypy>=2.4,<3",  # --strict grows with each major: raise it on purpose
    "grpcio-tools==1.65.5",  # exact: a test regenerates the stubs and compares them byte for byte
    "setuptools>=77,<81",  # grpcio-tools 1.65.5 imports pkg_resources: deprecated, then removed
    "types-protobuf>=5.29,<6",  # in step with protobuf
    "types-PyYAML>=6.0,<7",  # in step with PyYAML
    "types-psutil>=7.2,<8",  # in step with psutil
    "pyyaml>=6.0,<7",  # tests read docker-compose.yml, k8s/ and flink-conf/config.yaml; Beam: <7
    "kubernetes-validate>=1.37,<1.38",  # a minor brings schemas: which versions tests name is ours
    "jsonschema>=4.23,<5",  # checks k8s/ by schema; floor: what kubernetes-validate asks for
]

setup(
    name="headgate",
    version="0.1.0.dev0",
    description="A stateful streaming runtime for AI agents, in Python on Apache Flink",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    package_dir={"": "src"},
    # Namespace packages as well: the folder of the generated stubs has no __init__.py.
    packages=find_namespace_packages("src", include=["headgate*"]),
    package_data={
        "headgate": ["py.typed"],
        "": ["*.pyi", "*.lua", "*.java"],
        "headgate.ui": ["templates/*", "static/*"],
    },
    # headgate.local looks here for Flink's settings and the list of jars.
    data_files=[("share/headgate/flink-conf", ["flink-conf/config.yaml", "flink-conf/jars.xml"])],
    # One minor only, the one that Debian 12 ships and everything was measured on: TaskManagers and
    # workers must run the same one (PyFlink pickles functions between them).
    python_requires=">=3.11,<3.12",
    # The stubs are part of every install: core, sdk and runtime all import them.
    install_requires=["protobuf>=5.26.1,<7"],
    extras_require={
        "flink": FLINK,
        "ui": UI,
        "sdk": SDK,
        "chat": CHAT,
        "temporal": TEMPORAL,
        "view": VIEW,
        "tracing": TRACING,
        "dev": DEV,
    },
    entry_points={
        "console_scripts": ["headgate = headgate.cli.app:main"],
        "pytest11": ["headgate = headgate.testing.plugin"],
    },
)
