"""How to connect each client, with the address that this server really has."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

PLACEHOLDER_ACCESS_KEY = "YOUR_ACCESS_KEY"
PLACEHOLDER_SECRET = "YOUR_SECRET_KEY"  # noqa: S105 -- what a reader replaces


@dataclass(frozen=True, slots=True)
class Recipe:
    """`language` is for the page's label; `text` can be pasted as it is once the keys are filled in."""

    id: str
    client: str
    language: str
    text: str


def recipes(
    base_url: str, region: str, access_key: str = PLACEHOLDER_ACCESS_KEY, secret_key: str = PLACEHOLDER_SECRET
) -> tuple[Recipe, ...]:
    """Settings for each client. `base_url` has no trailing slash."""
    parts = urlsplit(base_url)
    secure = parts.scheme == "https"
    return (
        Recipe("aws-cli", "aws-cli", "shell", aws_cli(base_url, region, access_key, secret_key)),
        Recipe("rclone", "rclone", "rclone.conf", rclone(base_url, region, access_key, secret_key)),
        Recipe(
            "boto3",
            "boto3",
            "Python",
            "import boto3\n\n"
            "s3 = boto3.client(\n"
            '    "s3",\n'
            f'    endpoint_url="{base_url}",\n'
            f'    region_name="{region}",\n'
            f'    aws_access_key_id="{access_key}",\n'
            f'    aws_secret_access_key="{secret_key}",\n'
            ")\n"
            's3.create_bucket(Bucket="photos")\n'
            's3.upload_file("cat.jpg", "photos", "cat.jpg")',
        ),
        Recipe(
            "s3cmd",
            "s3cmd",
            "~/.s3cfg",
            "[default]\n"
            f"access_key = {access_key}\n"
            f"secret_key = {secret_key}\n"
            f"host_base = {parts.netloc}\n"
            f"host_bucket = {parts.netloc}\n"
            f"bucket_location = {region}\n"
            f"use_https = {secure}",
        ),
        Recipe(
            "minio-py",
            "minio-py",
            "Python",
            "from minio import Minio\n\n"
            "client = Minio(\n"
            f'    "{parts.netloc}",\n'
            f'    access_key="{access_key}",\n'
            f'    secret_key="{secret_key}",\n'
            f'    region="{region}",\n'
            f"    secure={secure},\n"
            ")\n"
            'client.make_bucket("photos")\n'
            'client.fput_object("photos", "cat.jpg", "cat.jpg")',
        ),
        Recipe(
            "js",
            "AWS SDK for JavaScript",
            "JavaScript",
            'import { S3Client, ListBucketsCommand } from "@aws-sdk/client-s3";\n\n'
            "const s3 = new S3Client({\n"
            f'  endpoint: "{base_url}",\n'
            f'  region: "{region}",\n'
            "  forcePathStyle: true,\n"
            f'  credentials: {{ accessKeyId: "{access_key}", secretAccessKey: "{secret_key}" }},\n'
            "});\n"
            "console.log(await s3.send(new ListBucketsCommand({})));",
        ),
    )


def aws_cli(base_url: str, region: str, access_key: str, secret_key: str) -> str:
    """Lines for a shell, then a first command."""
    return (
        f"export AWS_ACCESS_KEY_ID={access_key}\n"
        f"export AWS_SECRET_ACCESS_KEY={secret_key}\n"
        f"export AWS_DEFAULT_REGION={region}\n"
        f"export AWS_ENDPOINT_URL={base_url}\n"
        "aws s3 mb s3://photos\n"
        "aws s3 cp cat.jpg s3://photos/"
    )


def rclone(base_url: str, region: str, access_key: str, secret_key: str) -> str:
    """A section for rclone.conf."""
    return (
        "[pixgate]\n"
        "type = s3\n"
        "provider = Other\n"
        f"endpoint = {base_url}\n"
        f"region = {region}\n"
        f"access_key_id = {access_key}\n"
        f"secret_access_key = {secret_key}"
    )
