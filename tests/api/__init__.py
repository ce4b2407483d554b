"""The service as a caller of its GraphQL API sees it."""
