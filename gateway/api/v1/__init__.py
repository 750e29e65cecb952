"""The operations of /api/v1, a file for each part; each gives its rows of the table as `OPERATIONS`."""
