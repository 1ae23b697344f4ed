"""Agent services as Headgate calls them: connections, queues, deadlines."""
