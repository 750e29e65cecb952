"""`python -m gateway` is `pixgate`."""

from gateway.cli import main

main()
