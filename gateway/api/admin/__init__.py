"""The operations of /api/admin/v1, a file for each part; each gives its rows of the table as `OPERATIONS`."""
