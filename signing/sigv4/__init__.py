"""AWS Signature Version 4 for S3: parse and verify what a client sent, and sign as a client.

authorization.py   an Authorization header or the parameters of a presigned URL, taken apart
verify.py          what was taken apart, held against the request
sign.py            the other side: a header or a presigned URL, as a client makes them
keys.py            derived keys, their scope, and the string that they sign
payload.py         the forms of a body that `x-amz-content-sha256` names
dates.py           YYYYMMDDTHHMMSSZ

A door does it in three steps: `parse_authorization` or `parse_presigned`, look the access key up, then `verify_header`
or `verify_presigned` with its secret. What comes out names the payload form and holds what a chunked body is verified
with.

Times are Unix seconds in UTC. Paths are bytes as sent; a query string is parsed once into a `Query`.

Sources: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html and, for presigned URLs,
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
"""
