"""The process: settings, transport, sign-in, limits, command line and pages."""
