"""What the service is measured against: the same job done in other ways on the same database."""
