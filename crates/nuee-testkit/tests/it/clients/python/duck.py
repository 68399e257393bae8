"""DuckDB, which reads and writes tables in S3 through its extension httpfs."""

import pathlib
import urllib.parse

import boto3
import duckdb
import duckdb_extension_httpfs
from common import *

EXTENSIONS = pathlib.Path(duckdb_extension_httpfs.__file__).parent / "extensions"


def _database(secret=None):
    key_id, owners = keys()
    database = duckdb.connect(config={"autoinstall_known_extensions": "false"})
    # It comes with a package of Python's, and is not fetched from elsewhere.
    (extension,) = EXTENSIONS.glob("*/httpfs.duckdb_extension")
    database.execute(f"LOAD '{extension}'")
    address = urllib.parse.urlsplit(ENDPOINT).netloc
    secure = ENDPOINT.startswith("https:")
    if secure:
        database.execute(f"SET ca_cert_file = '{os.environ['AWS_CA_BUNDLE']}'")
    database.execute(
        f"CREATE SECRET (TYPE s3, KEY_ID '{key_id}', SECRET '{secret or owners}', REGION 'fr1', "
        f"ENDPOINT '{address}', URL_STYLE 'path', USE_SSL {secure})"
    )
    return database


def _bucket():
    boto3.client("s3").create_bucket(Bucket="papers")
    return _database()


def _all(database, question):
    return database.execute(question).fetchall()


def _keys():
    return [entry["Key"] for entry in boto3.client("s3").list_objects_v2(Bucket="papers").get("Contents", [])]


def _refused(attempt, *words):
    try:
        attempt()
    except duckdb.Error as error:
        equal([word for word in words if word not in str(error)], [])
    else:
        raise AssertionError(f"it was done, and {words} was expected")


NUMBERS = "SELECT range AS number, 'été ' || range AS name, range % 3 AS rest FROM range({})"


def a_parquet_file_comes_back():
    database = _bucket()
    database.execute(f"COPY ({NUMBERS.format(300_000)}) TO 's3://papers/a b/é.parquet' (ROW_GROUP_SIZE 20_000)")
    told = _all(database, "SELECT count(*), sum(number), max(name) FROM 's3://papers/a b/é.parquet'")
    equal(told, [(300_000, 299_999 * 150_000, "été 99999")])
    some = "SELECT number FROM read_parquet('s3://papers/a b/é.parquet') WHERE number BETWEEN 200_000 AND 200_002"
    equal(_all(database, some), [(200_000,), (200_001,), (200_002,)])


def a_file_of_text_comes_back():
    database = _bucket()
    for name in ("data.csv", "data.csv.gz"):
        database.execute(f"COPY ({NUMBERS.format(50_000)}) TO 's3://papers/{name}' (HEADER)")
        told = _all(database, f"SELECT count(*), sum(number) FROM read_csv('s3://papers/{name}')")
        equal(told, [(50_000, 49_999 * 25_000)])
    database.execute(f"COPY ({NUMBERS.format(100)}) TO 's3://papers/data.json'")
    equal(_all(database, "SELECT count(*) FROM read_json('s3://papers/data.json')"), [(100,)])


def a_large_file_is_sent_in_parts():
    database = _bucket()
    database.execute("SET s3_uploader_max_filesize = '50GB'")
    database.execute("COPY (SELECT md5(range::VARCHAR) AS text FROM range(1_000_000)) TO 's3://papers/a.csv'")
    tag = boto3.client("s3").head_object(Bucket="papers", Key="a.csv")["ETag"]
    equal(int(tag.strip('"').split("-")[1]) > 1, True)
    equal(_all(database, "SELECT count(DISTINCT text) FROM 's3://papers/a.csv'"), [(1_000_000,)])


def patterns_name_files():
    database = _bucket()
    for name in ("a/1", "a/2", "b/1", "b/c/1", "é f/1"):
        database.execute(f"COPY (SELECT '{name}' AS name) TO 's3://papers/{name}.parquet'")
    found = lambda pattern: _all(database, f"SELECT file FROM glob('s3://papers/{pattern}') ORDER BY file")
    equal(found("a/*.parquet"), [("s3://papers/a/1.parquet",), ("s3://papers/a/2.parquet",)])
    equal(len(found("**/1.parquet")), 4)
    equal(found("[ac]/[2-9].parquet"), [("s3://papers/a/2.parquet",)])
    equal(found("none/*"), [])
    rows = _all(database, "SELECT name FROM 's3://papers/*/1.parquet' ORDER BY name")
    equal(rows, [("a/1",), ("b/1",), ("é f/1",)])


def a_table_is_written_and_read_by_its_partitions():
    database = _bucket()
    for _ in range(2):
        database.execute(
            f"COPY ({NUMBERS.format(3_000)}) TO 's3://papers/set' (FORMAT parquet, PARTITION_BY (rest), OVERWRITE_OR_IGNORE)"
        )
    equal(_keys(), [f"set/rest={rest}/data_0.parquet" for rest in range(3)])
    one = "SELECT count(*), min(number) FROM read_parquet('s3://papers/set/**/*.parquet', hive_partitioning = true)"
    equal(_all(database, f"{one} WHERE rest = 1"), [(1_000, 1)])


def a_thousand_files_are_listed_page_by_page():
    database = _bucket()
    s3 = boto3.client("s3")
    for number in range(1_005):
        s3.put_object(Bucket="papers", Key=f"{number:04}.csv", Body=b"a\n1\n")
    equal(_all(database, "SELECT count(*) FROM glob('s3://papers/*.csv')"), [(1_005,)])


def what_a_file_is_said_to_be_is_what_it_is():
    database = _bucket()
    boto3.client("s3").put_object(Bucket="papers", Key="a%2Fb+c&d", Body=content(100_000))
    told = _all(database, "SELECT size, content FROM read_blob('s3://papers/a%2Fb+c&d')")
    equal(told == [(100_000, content(100_000))], True)


def a_signed_url_is_read_without_a_secret():
    _bucket().execute(f"COPY ({NUMBERS.format(1_000)}) TO 's3://papers/a.parquet'")
    s3 = boto3.client("s3")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "papers", "Key": "a.parquet"})
    equal(_all(_database("0" * 40), f"SELECT count(*) FROM read_parquet('{url}')"), [(1_000,)])


def what_is_not_there_or_not_allowed_is_said():
    database = _bucket()
    _refused(lambda: database.execute("SELECT * FROM 's3://papers/none.parquet'"), "404")
    _refused(lambda: database.execute("COPY (SELECT 1) TO 's3://none/a.parquet'"), "404")
    database.execute("COPY (SELECT 1 AS number) TO 's3://papers/a.parquet'")
    _refused(lambda: _database("0" * 40).execute("SELECT * FROM 's3://papers/a.parquet'"), "403")
