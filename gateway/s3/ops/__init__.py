"""What each operation does: a file a sub-resource, a function an operation, named as AWS names it."""
