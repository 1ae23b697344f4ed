"""What each client library is given, and that secrets come from where headgate.toml says."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from headgate.bootstrap import Bootstrap, Security
from headgate.flink.credentials import SHADED, client_properties
from headgate.kafka.credentials import librdkafka_settings, password_of, python_settings
from headgate.kafka.errors import KafkaCredentialError
from headgate.kafka.keys import check_key

SECRET = "s3cret-of-kafka"


def sasl(place: str = "", *, env: str = "") -> Security:
    return Security(
        "SASL_SSL",
        ca_file="",
        mechanism="SCRAM-SHA-512",
        username="me",
        password_file=place,
        password_env=env,
    )


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A file with the password."""
    file = tmp_path / "password"
    file.write_text(SECRET + "\n")
    return file


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_password_may_end_as_editors_leave_it(place: Path, end: str) -> None:
    place.write_bytes(SECRET.encode() + end.encode())
    assert password_of(sasl(str(place))) == SECRET


def test_a_password_comes_from_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_SECRET", SECRET)
    assert password_of(sasl(env="KAFKA_SECRET")) == SECRET
    monkeypatch.delenv("KAFKA_SECRET")
    with pytest.raises(KafkaCredentialError, match=r"KAFKA_SECRET \(kafka.password_env\) is not"):
        password_of(sasl(env="KAFKA_SECRET"))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"two\nlines", "must be one line"),
        (b'quo"ted', "must be one line"),
        (b"back\\slash", "must be one line"),
        (b"\xff\xfe", "is no text in UTF-8"),
    ],
)
def test_what_cannot_be_a_password_is_told_by_its_key_and_not_repeated(
    place: Path, content: bytes, told: str
) -> None:
    place.write_bytes(content)
    with pytest.raises(KafkaCredentialError, match=told) as caught:
        password_of(sasl(str(place)))
    assert f"{place} (kafka.password_file)" in str(caught.value)
    if content.strip():
        assert content not in str(caught.value).encode()
    assert caught.value.__cause__ is None


def test_a_file_that_is_missing_is_named_with_its_key(tmp_path: Path) -> None:
    there = Bootstrap("h:1", Security("SSL", ca_file=f"{tmp_path}/gone.crt"))
    for settings in (python_settings, librdkafka_settings):
        with pytest.raises(KafkaCredentialError, match=r"gone.crt \(kafka.ca_file\) cannot be"):
            settings(there)
    (tmp_path / "gone.crt").write_text("nothing")
    with pytest.raises(KafkaCredentialError, match="holds no PEM"):
        python_settings(there)


def test_every_library_is_told_all_of_it(place: Path, tmp_path: Path) -> None:
    paths = {name: str(tmp_path / name) for name in ("ca", "cert", "key")}
    for path in paths.values():
        Path(path).write_text("-----BEGIN PRIVATE KEY-----")
    given = Security(
        "SASL_SSL", paths["ca"], paths["cert"], paths["key"], "PLAIN", "me", str(place)
    )
    python = python_settings(Bootstrap("h:1,i:2", given))
    assert python == {
        "bootstrap_servers": "h:1,i:2",
        "security_protocol": "SASL_SSL",
        "ssl_cafile": paths["ca"],
        "ssl_certfile": paths["cert"],
        "ssl_keyfile": paths["key"],
        "sasl_mechanism": "PLAIN",
        "sasl_plain_username": "me",
        "sasl_plain_password": SECRET,
    }
    assert librdkafka_settings(Bootstrap("h:1,i:2", given)) == {
        "bootstrap.servers": "h:1,i:2",
        "security.protocol": "SASL_SSL",
        "ssl.ca.location": paths["ca"],
        "ssl.certificate.location": paths["cert"],
        "ssl.key.location": paths["key"],
        "sasl.mechanism": "PLAIN",
        "sasl.username": "me",
        "sasl.password": SECRET,
    }
    java = client_properties(given, SHADED)
    assert java["security.protocol"] == "SASL_SSL"
    assert java["ssl.truststore.location"] == paths["ca"]
    assert java["ssl.keystore.key"] == f"${{directory:{tmp_path}:key}}"
    assert java["sasl.jaas.config"].startswith(f"{SHADED}common.security.plain.PlainLoginModule ")
    assert f"${{directory:{tmp_path}:password}}" in java["sasl.jaas.config"]


def test_what_goes_into_the_jobs_graph_names_the_secret_and_does_not_hold_it(place: Path) -> None:
    there = Bootstrap("h:1", sasl(str(place)))
    assert SECRET not in str(client_properties(there.security, SHADED))
    assert SECRET not in repr(there)
    assert SECRET.encode() not in pickle.dumps(there)
    assert there == Bootstrap("h:1", sasl(str(place)))


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_java_is_told_the_mechanism_and_checks_the_brokers_name(
    place: Path, mechanism: Any
) -> None:
    security = replace(sasl(str(place)), mechanism=mechanism)
    java = client_properties(security, SHADED)
    assert java["sasl.mechanism"] == mechanism
    # Kafka's client checks the name in the certificate unless this is set, and to nothing.
    assert "ssl.endpoint.identification.algorithm" not in java


def test_plaintext_is_an_address_and_nothing_else() -> None:
    assert python_settings(Bootstrap("h:1")) == {"bootstrap_servers": "h:1"}
    assert librdkafka_settings(Bootstrap("h:1")) == {"bootstrap.servers": "h:1"}


@pytest.mark.parametrize("form", ["RSA PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY"])
def test_a_key_that_java_cannot_read_is_told_with_the_remedy(tmp_path: Path, form: str) -> None:
    file = tmp_path / "client.key"
    file.write_text(f"-----BEGIN {form}-----\nabc\n-----END {form}-----\n")
    with pytest.raises(KafkaCredentialError, match=rf"kafka.key_file\) is '{form}'.*pkcs8"):
        check_key(str(file))
    file.write_text("-----BEGIN PRIVATE KEY-----\n")
    check_key(str(file))
