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
