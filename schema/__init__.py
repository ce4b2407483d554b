"""What callers see: the GraphQL types, inputs, payloads and errors."""
