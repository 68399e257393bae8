"""Arrow's own file system for S3, which is the AWS SDK for C++, and datasets on it."""

import urllib.parse

import pyarrow
import pyarrow.csv
import pyarrow.dataset
import pyarrow.fs
import pyarrow.parquet
from common import *


def _files(secret=None, **arguments):
    key_id, owners = keys()
    return pyarrow.fs.S3FileSystem(
        access_key=key_id,
        secret_key=secret or owners,
        endpoint_override=urllib.parse.urlsplit(ENDPOINT).netloc,
        scheme=urllib.parse.urlsplit(ENDPOINT).scheme,
        tls_ca_file_path=os.environ.get("AWS_CA_BUNDLE"),
        region="fr1",
        allow_bucket_creation=True,
        allow_bucket_deletion=True,
        **arguments,
    )


def _bucket(**arguments):
    files = _files(**arguments)
    files.create_dir("papers")
    return files


def _write(files, path, body, **arguments):
    with files.open_output_stream(path, **arguments) as stream:
        stream.write(body)


def _read(files, path):
    with files.open_input_stream(path) as stream:
        return stream.read()


def _table(rows):
    years = [2020 + number % 3 for number in range(rows)]
    return pyarrow.table({"year": years, "place": ["été"] * rows, "value": range(rows)})


def _fails(error, attempt):
    try:
        attempt()
    except error:
        return
    raise AssertionError(f"it was done, and {error.__name__} was expected")


def a_bucket_is_made_found_and_removed():
    files = _bucket()
    info = files.get_file_info("papers")
    equal(info.type, pyarrow.fs.FileType.Directory)
    equal(files.get_file_info("none").type, pyarrow.fs.FileType.NotFound)
    files.create_dir("papers")
    files.delete_dir("papers")
    equal(files.get_file_info("papers").type, pyarrow.fs.FileType.NotFound)


def files_of_every_size_come_back():
    files = _bucket()
    for size in (0, 1, PART, 12 * MIB):
        _write(files, "papers/été/a b", content(size))
        equal(_read(files, "papers/été/a b") == content(size), True)
        info = files.get_file_info("papers/été/a b")
        equal((info.size, info.type), (size, pyarrow.fs.FileType.File))


def ranges_are_read_one_after_the_other():
    files = _bucket()
    body = content(3 * MIB)
    _write(files, "papers/a", body)
    with files.open_input_file("papers/a") as file:
        equal(file.size(), len(body))
        for start, length in ((0, 10), (2 * MIB, 300_000), (5, 5), (3 * MIB - 4, 100)):
            equal(file.read_at(length, start) == body[start : start + length], True)


def names_are_listed():
    files = _bucket()
    for name in ("a", "a b", "d/1", "d/2/x", "é/1"):
        _write(files, f"papers/{name}", name.encode())
    told = lambda selector: sorted(info.path for info in files.get_file_info(selector))
    equal(told(pyarrow.fs.FileSelector("papers")), ["papers/a", "papers/a b", "papers/d", "papers/é"])
    equal(len(told(pyarrow.fs.FileSelector("papers", recursive=True))), 8)
    equal(told(pyarrow.fs.FileSelector("papers/d")), ["papers/d/1", "papers/d/2"])
    _fails(FileNotFoundError, lambda: told(pyarrow.fs.FileSelector("papers/none")))
    equal(told(pyarrow.fs.FileSelector("papers/none", allow_not_found=True)), [])


def directories_are_made_and_removed():
    files = _bucket()
    files.create_dir("papers/d/e")
    equal(files.get_file_info("papers/d/e").type, pyarrow.fs.FileType.Directory)
    for number in range(30):
        _write(files, f"papers/d/e/{number}", b"text")
    files.delete_dir_contents("papers/d")
    equal(files.get_file_info("papers/d").type, pyarrow.fs.FileType.Directory)
    equal(files.get_file_info(pyarrow.fs.FileSelector("papers/d")), [])
    files.delete_dir("papers/d")
    equal(files.get_file_info("papers/d").type, pyarrow.fs.FileType.NotFound)


def files_are_copied_moved_and_removed():
    files = _bucket()
    _write(files, "papers/a", content(6 * MIB))
    files.copy_file("papers/a", "papers/b c")
    files.move("papers/b c", "papers/é")
    equal(_read(files, "papers/é") == content(6 * MIB), True)
    files.delete_file("papers/a")
    found = files.get_file_info(["papers/a", "papers/b c", "papers/é"])
    equal([info.type == pyarrow.fs.FileType.File for info in found], [False, False, True])


def awkward_keys_name_objects_of_their_own():
    files = _bucket()
    # A path has no empty segments and no end that is a slash, and the HTTP library resolves dots.
    sent = [key for key in AWKWARD_KEYS if not {"", ".", ".."} & set(key.split("/"))]
    for key in sent:
        _write(files, f"papers/{key}", key.encode())
    for key in sent:
        equal(_read(files, f"papers/{key}"), key.encode())
        files.delete_file(f"papers/{key}")


def metadata_comes_back():
    files = _bucket()
    _write(files, "papers/a", b"text", metadata={"Content-Type": "text/csv", "Cache-Control": "no-store"})
    with files.open_input_stream("papers/a") as stream:
        equal(stream.metadata()["Content-Type"], b"text/csv")
        equal(stream.metadata()["Cache-Control"], b"no-store")


def a_parquet_file_comes_back():
    files = _bucket()
    table = _table(500_000)
    pyarrow.parquet.write_table(table, "papers/data.parquet", filesystem=files, row_group_size=50_000)
    equal(pyarrow.parquet.read_table("papers/data.parquet", filesystem=files).equals(table), True)
    some = pyarrow.parquet.read_table(
        "papers/data.parquet", filesystem=files, columns=["value"], filters=[("value", ">", 499_990)]
    )
    equal(some.column("value").to_pylist(), list(range(499_991, 500_000)))
    equal(pyarrow.parquet.read_schema("papers/data.parquet", filesystem=files).names, table.column_names)


def a_dataset_is_written_and_read_by_its_partitions():
    files = _bucket()
    by_year = pyarrow.dataset.partitioning(pyarrow.schema([("year", pyarrow.int64())]), flavor="hive")
    settings = {"filesystem": files, "format": "parquet", "partitioning": by_year}
    for _ in range(2):
        pyarrow.dataset.write_dataset(
            _table(9_000), "papers/set", **settings, existing_data_behavior="delete_matching"
        )
    dataset = pyarrow.dataset.dataset("papers/set", **settings)
    equal((len(dataset.files), dataset.count_rows()), (3, 9_000))
    one = dataset.to_table(filter=pyarrow.dataset.field("year") == 2021)
    equal((one.num_rows, set(one.column("year").to_pylist())), (3_000, {2021}))


def a_table_of_text_comes_back():
    files = _bucket(background_writes=False)
    table = _table(200_000)
    with files.open_output_stream("papers/data.csv.gz", compression="gzip") as stream:
        pyarrow.csv.write_csv(table, stream)
    with files.open_input_stream("papers/data.csv.gz", compression="gzip") as stream:
        equal(pyarrow.csv.read_csv(stream).equals(table), True)


def errors_are_those_of_files():
    files = _bucket()
    _fails(FileNotFoundError, lambda: _read(files, "papers/none"))
    _fails(OSError, lambda: _write(files, "none/a", b"text"))
    _write(files, "papers/a", b"text")
    _fails(OSError, lambda: files.delete_dir("none"))
    _fails(OSError, lambda: _read(_files("0" * 40), "papers/a"))
