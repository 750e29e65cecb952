"""Cases, one file an operation or group of operations, named after them."""
