"""Real servers for tests and figures: PostgreSQL, Redis, MinIO and rclone's S3, started without root or containers.

Each runs on a free loopback port over a folder of its own, is watched by a keeper process, and ends with the last process
that uses it, however that one ends. `python -m tests.servers --help` starts them for people.
"""
