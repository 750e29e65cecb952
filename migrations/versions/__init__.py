"""One file a revision, in order. Alembic loads them by path; as a package they are installed with the rest."""
