"""What the service does, in the words of its rules, without HTTP and without GraphQL types."""
