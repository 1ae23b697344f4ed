"""The embedded stack: real Kafka, a real Flink cluster and agent services as child processes."""
