"""The front door: request and response, over HTTP and gRPC, to agents that live in the job."""
