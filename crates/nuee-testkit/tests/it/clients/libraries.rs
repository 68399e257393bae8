//! Client libraries beside boto3, and a database, which are driven by scripts.

use crate::clients::scripts::{Language, functions, run, script};

script! { minio_py = Python "python/minio_py.py":
    a_bucket_is_made_found_and_removed
    objects_of_every_size_come_back
    a_large_object_is_sent_in_parts
    files_are_sent_and_fetched
    keys_are_listed
    awkward_keys_name_objects_of_their_own
    presigned_urls_read_and_write
    a_form_uploads_what_its_policy_allows
    objects_are_copied_and_composed
    tags_and_settings_come_back
    versions_are_kept_listed_and_removed
    what_is_retained_is_not_removed
    errors_are_told_by_their_codes
}

script! { arrow = Python "python/arrow.py":
    a_bucket_is_made_found_and_removed
    files_of_every_size_come_back
    ranges_are_read_one_after_the_other
    names_are_listed
    directories_are_made_and_removed
    files_are_copied_moved_and_removed
    awkward_keys_name_objects_of_their_own
    metadata_comes_back
    a_parquet_file_comes_back
    a_dataset_is_written_and_read_by_its_partitions
    a_table_of_text_comes_back
    errors_are_those_of_files
}

script! { fsspec = PythonApart "python/fsspec_files.py":
    a_bucket_is_made_found_and_removed
    files_of_every_size_come_back
    ranges_are_read_one_after_the_other
    a_text_is_added_to
    names_are_listed_found_and_globbed
    awkward_keys_name_objects_of_their_own
    files_are_copied_moved_and_removed
    an_object_is_written_once_in_exclusive_mode
    metadata_and_tags_come_back
    versions_are_read_by_their_ids
    a_signed_url_is_read_by_anybody
    errors_are_those_of_files
    a_url_is_opened_by_its_name_alone
}

script! { duckdb = Python "python/duck.py":
    a_parquet_file_comes_back
    a_file_of_text_comes_back
    a_large_file_is_sent_in_parts
    patterns_name_files
    a_table_is_written_and_read_by_its_partitions
    a_thousand_files_are_listed_page_by_page
    what_a_file_is_said_to_be_is_what_it_is
    a_signed_url_is_read_without_a_secret
    what_is_not_there_or_not_allowed_is_said
}

script! { minio_js = JavaScript "javascript/minio_js.js":
    a_bucket_is_made_found_and_removed
    objects_of_every_size_come_back
    a_stream_of_unknown_length_is_sent_as_a_part
    files_are_sent_and_fetched
    keys_are_listed
    awkward_keys_name_objects_of_their_own
    presigned_urls_read_and_write
    a_form_uploads_what_its_policy_allows
    objects_are_copied_and_composed
    versions_are_kept_listed_and_removed
    tags_and_settings_come_back
    what_is_retained_is_not_removed
    uploads_under_way_are_listed_and_removed
    errors_are_told_by_their_codes
}

script! { aws_sdk_js = JavaScript "javascript/aws_sdk.js":
    a_bucket_is_made_found_and_removed
    bodies_of_every_kind_come_back
    a_checksum_is_sent_by_default_and_verified
    an_upload_is_sent_in_parts
    an_upload_that_is_given_up_is_gone
    presigned_urls_read_and_write
    a_browser_sends_to_a_presigned_url_after_a_preflight
    a_form_uploads_what_its_policy_allows
    awkward_keys_name_objects_of_their_own
    keys_are_listed_page_by_page
    versions_are_kept_listed_and_removed
    copies_tags_and_conditions_hold
    errors_are_told_by_their_names
}

/// Everything that a script does, inside TLS.
macro_rules! inside_tls {
    ($($test:ident = $language:ident $path:literal)*) => {
        $(
            #[test]
            fn $test() {
                for function in functions(include_str!($path)) {
                    run(Language::$language, $path, function, true);
                }
            }
        )*
    };
}

inside_tls! {
    minio_py_does_the_same_inside_tls = Python "python/minio_py.py"
    arrow_does_the_same_inside_tls = Python "python/arrow.py"
    fsspec_does_the_same_inside_tls = PythonApart "python/fsspec_files.py"
    duckdb_does_the_same_inside_tls = Python "python/duck.py"
    minio_js_does_the_same_inside_tls = JavaScript "javascript/minio_js.js"
    the_aws_sdk_for_javascript_does_the_same_inside_tls = JavaScript "javascript/aws_sdk.js"
}
