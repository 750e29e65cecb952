"""From a request to who sent it: SigV4 in the header, presigned, or anonymous. Shared by the doors that S3 keys open."""
