"""A bucket of an S3 service as a store: MinIO, AWS, Ceph, Garage, anything that speaks Signature Version 4."""
