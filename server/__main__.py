"""`python -m server` is `cam`."""

from server.command import main

main()
