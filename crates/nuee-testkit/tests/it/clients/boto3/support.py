"""What the scripts beside this one share: clients of the server under test, buckets, refusals."""

import contextlib
import json

import boto3
import botocore.exceptions
from botocore.config import Config
from common import *


def client(account=None, config=None, **settings):
    """A client with the settings of the environment, or with another service account's keys."""
    if account is not None:
        key_id, secret = json.loads(os.environ["NUEE_ACCOUNTS"])[account]
        settings |= {"aws_access_key_id": key_id, "aws_secret_access_key": secret}
    return boto3.client("s3", config=config and Config(**config), **settings)


def bucket(s3, name="papers"):
    """A new bucket."""
    s3.create_bucket(Bucket=name)
    return name


def read(s3, bucket, key, **arguments):
    """The whole content of an object."""
    return s3.get_object(Bucket=bucket, Key=key, **arguments)["Body"].read()


@contextlib.contextmanager
def refused(code, status=None):
    """What is done inside fails with this error of S3."""
    try:
        yield
    except botocore.exceptions.ClientError as error:
        told = error.response["Error"]["Code"]
        answered = error.response["ResponseMetadata"]["HTTPStatusCode"]
        assert told == code, f"{told} ({error}) instead of {code}"
        assert status in (None, answered), f"{answered} instead of {status}"
    else:
        raise AssertionError(f"it was done, and {code} was expected")
