"""The token service, by boto3: who one is, roles of service accounts, tokens of the web, and policies that narrow."""

import json
import os

import boto3
import botocore
from botocore import UNSIGNED
from botocore.config import Config
from common import equal

ACCOUNTS, LAB = os.environ["NUEE_ROLE_ACCOUNTS"], os.environ["NUEE_ROLE_LAB"]
TOKEN = os.environ["NUEE_TOKEN"]


def client(service, credentials=None, **named):
    """A client, with temporary keys if some are given."""
    if credentials:
        named |= {
            "aws_access_key_id": credentials["AccessKeyId"],
            "aws_secret_access_key": credentials["SecretAccessKey"],
            "aws_session_token": credentials["SessionToken"],
        }
    return boto3.client(service, **named)


def refused(code, attempt, **named):
    try:
        attempt(**named)
    except botocore.exceptions.ClientError as error:
        equal(error.response["Error"]["Code"], code)
        return
    raise AssertionError(f"it was done, and {code} was expected")


sts, s3 = client("sts"), client("s3")
me = sts.get_caller_identity()
equal(me["Arn"].startswith("arn:aws:iam::"), True)
equal(s3.list_buckets()["Owner"]["ID"], me["Account"])

s3.create_bucket(Bucket="papers")
s3.put_object(Bucket="papers", Key="a", Body=b"content")
answer = sts.assume_role(RoleArn=ACCOUNTS, RoleSessionName="ci", DurationSeconds=900)
session = client("s3", answer["Credentials"])
equal(session.get_object(Bucket="papers", Key="a")["Body"].read(), b"content")
session.put_object(Bucket="papers", Key="b", Body=b"content")
refused("AccessDenied", session.create_bucket, Bucket="others")
who = client("sts", answer["Credentials"]).get_caller_identity()
equal(who["Arn"], answer["AssumedRoleUser"]["Arn"])
url = session.generate_presigned_url("get_object", Params={"Bucket": "papers", "Key": "a"})
equal("X-Amz-Security-Token" in url, True)

policy = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::papers/a"}
policy = json.dumps({"Version": "2012-10-17", "Statement": policy})
narrowed = sts.assume_role(RoleArn=ACCOUNTS, RoleSessionName="ci", Policy=policy)["Credentials"]
narrowed = client("s3", narrowed)
equal(narrowed.get_object(Bucket="papers", Key="a")["Body"].read(), b"content")
refused("AccessDenied", narrowed.get_object, Bucket="papers", Key="b")
refused("AccessDenied", narrowed.put_object, Bucket="papers", Key="a", Body=b"")
refused("AccessDenied", narrowed.list_buckets)

web = client("sts", config=Config(signature_version=UNSIGNED))
answer = web.assume_role_with_web_identity(RoleArn=LAB, RoleSessionName="ada", WebIdentityToken=TOKEN)
ada = client("s3", answer["Credentials"])
ada.create_bucket(Bucket="user-ada")
ada.upload_fileobj(__import__("io").BytesIO(bytes(20 << 20)), "user-ada", "large")
equal(ada.head_object(Bucket="user-ada", Key="large")["ContentLength"], 20 << 20)
refused("AccessDenied", ada.get_object, Bucket="papers", Key="a")
refused("AccessDenied", client("sts", answer["Credentials"]).assume_role, RoleArn=ACCOUNTS, RoleSessionName="ci")
refused(
    "InvalidIdentityToken",
    web.assume_role_with_web_identity,
    RoleArn=LAB,
    RoleSessionName="ada",
    WebIdentityToken=TOKEN[:-8] + "AAAAAAAA",
)
stolen = answer["Credentials"] | {"SessionToken": answer["Credentials"]["SessionToken"][::-1]}
refused("InvalidToken", client("s3", stolen).get_object, Bucket="user-ada", Key="large")

# As programs in a cluster do it, with a token in a file.
with open("token", "w") as file:
    file.write(TOKEN)
os.environ |= {"AWS_ROLE_ARN": LAB, "AWS_WEB_IDENTITY_TOKEN_FILE": "token", "AWS_ROLE_SESSION_NAME": "pod"}
del os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
pod = boto3.Session().client("s3")
equal(pod.head_object(Bucket="user-ada", Key="large")["ContentLength"], 20 << 20)
