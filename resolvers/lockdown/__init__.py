"""Template lockdown: an agency, or a client for its account, lets access be given by permission sets only (P27)."""
