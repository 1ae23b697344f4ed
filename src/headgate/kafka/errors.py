"""What can go wrong between Headgate and Kafka, as sentences for the operator."""

from headgate.errors import ConfigError, HeadgateError


class BrokerUnreachableError(HeadgateError):
    """No broker answers at the address.

    Operator action: start Kafka (`headgate dev` starts one), or correct the address.
    """


class UnknownTopicError(HeadgateError):
    """A topic is not there.

    Operator action: correct the name, or declare the topic in headgate.toml.
    """


class TopicMismatchError(ConfigError):
    """An existing topic is not as headgate.toml and the protocol need it.

    Operator action: change the topic or headgate.toml as the message says.
    """


class PublishError(HeadgateError):
    """A record was not written.

    Operator action: read the message; publish again once its cause is gone.
    """


class BrokerRefusesError(BrokerUnreachableError):
    """A broker is there, and does not let this client in.

    Operator action: correct the key of headgate.toml that the message names.
    """


class KafkaCredentialError(BrokerUnreachableError):
    """A certificate, a key or the password for Kafka cannot be used on this machine.

    Operator action: put the file, or the variable, that the message names where the process runs,
    readable for it; then start again.
    """
