"""The S3 door: address, operation table, authentication, body decoding, XML and errors; `ops` has a file a sub-resource."""
