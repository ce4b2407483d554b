"""Who could do what somebody's own permissions did not allow, and asking a colleague to do it (N02)."""
