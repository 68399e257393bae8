"""s3fs, through which fsspec, pandas and Dask read and write."""

import fsspec
import s3fs
from common import *


def _files(secret=None, **arguments):
    key_id, owners = keys()
    # Settings would be kept from one file system to the next.
    s3fs.S3FileSystem.clear_instance_cache()
    return s3fs.S3FileSystem(
        key=key_id, secret=secret or owners, endpoint_url=ENDPOINT, client_kwargs={"region_name": "fr1"}, **arguments
    )


def _bucket(**arguments):
    files = _files(**arguments)
    files.mkdir("papers")
    return files


def _fails(error, attempt):
    try:
        attempt()
    except error:
        return
    raise AssertionError(f"it was done, and {error.__name__} was expected")


def a_bucket_is_made_found_and_removed():
    files = _files()
    equal(files.exists("papers"), False)
    files.mkdir("papers")
    equal((files.exists("papers"), files.ls("")), (True, ["papers"]))
    _fails(FileExistsError, lambda: files.mkdir("papers"))
    files.pipe("papers/a", b"text")
    _fails(OSError, lambda: files.rmdir("papers"))
    files.rm("papers/a")
    files.rmdir("papers")
    files.invalidate_cache()
    equal(files.exists("papers"), False)


def files_of_every_size_come_back():
    files = _bucket()
    for size in (0, 1, PART, 12 * MIB):
        with files.open("papers/été/a b", "wb", block_size=PART) as file:
            for start in range(0, size, MIB):
                file.write(content(size)[start : start + MIB])
        equal(files.cat("papers/été/a b") == content(size), True)
        equal(files.info("papers/été/a b")["size"], size)
    equal(files.info("papers/été/a b")["ETag"].endswith('-3"'), True)


def ranges_are_read_one_after_the_other():
    files = _bucket()
    body = content(3 * MIB)
    files.pipe("papers/a", body)
    with files.open("papers/a", "rb", block_size=100_000) as file:
        for start, length in ((0, 10), (2 * MIB, 300_000), (5, 5), (3 * MIB - 4, 100)):
            file.seek(start)
            equal(file.read(length) == body[start : start + length], True)
    equal(files.cat_file("papers/a", start=-4), body[-4:])
    equal(files.tail("papers/a", 10), body[-10:])


def a_text_is_added_to():
    files = _bucket()
    files.pipe("papers/log", b"first\n")
    with files.open("papers/log", "ab") as file:
        file.write(b"second\n")
    files.pipe("papers/large", content(6 * MIB))
    with files.open("papers/large", "ab") as file:
        file.write(b"end")
    equal(files.cat("papers/log"), b"first\nsecond\n")
    equal(files.cat("papers/large") == content(6 * MIB) + b"end", True)


def names_are_listed_found_and_globbed():
    files = _bucket()
    for name in ("a", "a b", "d/1.csv", "d/2.csv", "d/e/3.csv", "é/x"):
        files.pipe(f"papers/{name}", b"text")
    equal(sorted(files.ls("papers")), ["papers/a", "papers/a b", "papers/d", "papers/é"])
    equal(files.glob("papers/d/*.csv"), ["papers/d/1.csv", "papers/d/2.csv"])
    equal(files.glob("papers/**/*.csv"), ["papers/d/1.csv", "papers/d/2.csv", "papers/d/e/3.csv"])
    equal(len(files.find("papers")), 6)
    equal((files.isdir("papers/d"), files.isfile("papers/a"), files.exists("papers/none")), (True, True, False))
    equal(files.du("papers/d"), 12)


def awkward_keys_name_objects_of_their_own():
    files = _bucket()
    # These would be a bucket, a directory, a pattern, or a version in the library's paths.
    sent = [key for key in AWKWARD_KEYS if key.strip("/") == key and "//" not in key and "?" not in key]
    for key in sent:
        files.pipe_file(f"papers/{key}", key.encode())
    for key in sent:
        equal(files.cat_file(f"papers/{key}"), key.encode())
    files.invalidate_cache()
    equal(sorted(files.find("papers")), sorted(f"papers/{key}" for key in sent))
    for key in sent:
        files.rm_file(f"papers/{key}")
    equal(files.find("papers"), [])


def files_are_copied_moved_and_removed():
    files = _bucket()
    files.pipe("papers/a", content(6 * MIB))
    files.cp_file("papers/a", "papers/d/b")
    files.mv("papers/d/b", "papers/d/c")
    equal(files.cat("papers/d/c") == content(6 * MIB), True)
    files.pipe({f"papers/d/{number}": b"text" for number in range(30)})
    files.rm("papers/d", recursive=True)
    equal(files.find("papers"), ["papers/a"])
    files.touch("papers/empty")
    equal(files.info("papers/empty")["size"], 0)


def an_object_is_written_once_in_exclusive_mode():
    files = _bucket()
    with files.open("papers/a", "xb") as file:
        file.write(b"first")
    for size in (1, 6 * MIB):
        _fails(OSError, lambda: files.pipe_file("papers/a", content(size), mode="create"))
    equal(files.cat("papers/a"), b"first")


def metadata_and_tags_come_back():
    files = _bucket()
    with files.open("papers/a", "wb", Metadata={"author": "Jeanne"}, ContentType="text/csv") as file:
        file.write(b"text")
    equal(files.metadata("papers/a"), {"author": "Jeanne"})
    equal(files.info("papers/a")["ContentType"], "text/csv")
    files.setxattr("papers/a", author="Paul")
    equal(files.getxattr("papers/a", "author"), "Paul")
    files.put_tags("papers/a", {"state": "draft"})
    equal(files.get_tags("papers/a"), {"state": "draft"})


def versions_are_read_by_their_ids():
    files = _bucket(version_aware=True)
    files.make_bucket_versioned("papers", True)
    files.pipe("papers/a", b"first")
    first = files.info("papers/a")["VersionId"]
    files.pipe("papers/a", b"second")
    equal(files.cat_file(f"papers/a?versionId={first}"), b"first")
    versions = files.object_version_info("papers/a")
    equal([version["IsLatest"] for version in versions], [True, False])
    files.rm("papers/a")
    equal(files.exists("papers/a"), False)
    equal(files.cat_file(f"papers/a?versionId={first}"), b"first")


def a_signed_url_is_read_by_anybody():
    files = _bucket()
    files.pipe("papers/a b", b"text")
    equal(fetch("GET", files.sign("papers/a b", expiration=300))[::2], (200, b"text"))


def errors_are_those_of_files():
    files = _bucket()
    _fails(FileNotFoundError, lambda: files.cat("papers/none"))
    _fails(FileNotFoundError, lambda: files.ls("none"))
    files.pipe("papers/a", b"text")
    wrong = _files("0" * 40)
    _fails(PermissionError, lambda: wrong.cat("papers/a"))


def a_url_is_opened_by_its_name_alone():
    files = _bucket()
    files.pipe("papers/a.txt.gz", b"")
    options = {"endpoint_url": ENDPOINT, "client_kwargs": {"region_name": "fr1"}}
    with fsspec.open("s3://papers/a.txt.gz", "wt", compression="gzip", **options) as file:
        file.write("été\n" * 100_000)
    with fsspec.open("s3://papers/a.txt.gz", "rt", compression="infer", **options) as file:
        equal(file.read(), "été\n" * 100_000)
    local = fsspec.open_local("filecache::s3://papers/a.txt.gz", s3=options)
    with open(local, "rb") as file:
        equal(file.read(2), b"\x1f\x8b")
