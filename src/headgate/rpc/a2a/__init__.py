"""A2A 1.x over gRPC as a second wire: one turn is one message, and the task that it makes."""
