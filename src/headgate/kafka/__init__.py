"""The Kafka side: topics, publishing, reading, the registry of agents."""
