//! boto3: scripts beside this file.

use crate::clients::scripts::script;

script! { objects = Python "boto3/objects.py":
    an_object_of_no_bytes_comes_back
    an_object_of_one_byte_comes_back
    an_object_of_five_mebibytes_and_a_byte_comes_back
    files_of_every_size_come_back
    objects_around_the_size_of_a_sealed_chunk_come_back
    a_file_of_300_mebibytes_comes_back
    an_object_sent_as_a_stream_comes_back
    awkward_keys_name_objects_of_their_own
    awkward_keys_are_copied
    a_key_of_1025_bytes_is_too_long
    metadata_and_content_headers_come_back
    an_object_without_a_content_type_is_octets
    metadata_of_more_than_two_kibibytes_is_too_large
    an_object_that_is_put_again_is_replaced_with_its_metadata
    ranges_give_the_bytes_that_they_name
    a_range_beyond_the_end_is_refused
    ranges_of_a_multipart_object_cross_its_parts
    an_answer_carries_the_headers_that_the_request_asks_for
    reads_under_a_condition_are_answered_by_it
    an_object_is_created_once_under_if_none_match
    a_deleted_object_is_gone_and_deleting_it_again_is_no_error
    a_thousand_keys_are_deleted_at_once
    a_quiet_batch_says_nothing_of_what_it_deleted
    a_batch_of_1001_keys_is_malformed_and_deletes_nothing
}

script! { lists = Python "boto3/lists.py":
    keys_are_listed_in_the_order_of_their_bytes
    an_entry_says_what_its_object_is
    pages_of_every_size_lead_to_the_end
    a_delimiter_gathers_what_follows_it
    a_page_counts_its_prefixes_too
    a_listing_starts_after_the_key_that_is_named
    no_key_is_listed_when_none_is_asked_for
    a_page_has_a_thousand_keys_at_most
    names_are_percent_encoded_when_that_is_asked_for
    names_are_as_they_are_when_no_encoding_is_asked_for
    a_token_that_the_server_did_not_give_is_refused
}

script! { multipart = Python "boto3/multipart.py":
    parts_make_an_object_whose_tag_is_the_md5_of_theirs
    parts_sent_out_of_order_are_joined_in_the_order_of_their_numbers
    a_part_sent_again_replaces_the_first
    parts_that_the_completion_leaves_out_are_dropped
    an_upload_of_one_part_may_be_small
    a_part_before_the_last_has_five_mebibytes
    a_completion_names_parts_that_exist_in_ascending_order
    a_part_number_is_1_to_10000
    an_upload_that_is_not_there_is_no_such_upload
    parts_are_listed_page_by_page
    uploads_are_listed_page_by_page
    an_aborted_upload_is_gone
    an_upload_under_way_does_not_show_in_its_bucket
    a_completion_under_if_none_match_replaces_nothing
    a_completion_whose_size_is_wrong_is_refused
    parts_are_copied_from_objects_and_their_ranges
    a_copied_part_whose_range_is_outside_is_refused
    a_copied_part_has_conditions_on_its_source
}

script! { copies = Python "boto3/copies.py":
    a_copy_in_its_bucket_has_the_content_and_the_metadata
    a_copy_to_another_bucket_outlives_the_first
    a_copy_may_replace_the_metadata
    a_copy_that_keeps_the_metadata_ignores_what_comes_with_it
    an_object_is_copied_onto_itself_to_replace_its_metadata
    an_object_is_not_copied_onto_itself_without_a_change
    a_copy_of_a_multipart_object_outlives_it
    a_copy_has_conditions_on_its_source
    a_copy_of_what_is_not_there_is_refused
    a_large_object_is_copied_in_parts
    nobody_copies_from_another_organisation
}

script! { checksums = Python "boto3/checksums.py":
    a_checksum_that_is_sent_is_kept_and_told
    a_checksum_that_is_wrong_is_refused_and_nothing_is_written
    a_checksum_that_is_malformed_is_refused
    a_content_md5_that_is_wrong_is_refused
    the_client_computes_a_checksum_that_is_kept
    a_client_that_sends_no_checksum_gets_one
    a_range_is_told_without_the_checksum_of_the_whole
    parts_with_crc32_make_a_composite_checksum
    parts_with_crc32c_make_a_composite_checksum
    parts_with_sha1_make_a_composite_checksum
    parts_with_sha256_make_a_composite_checksum
    parts_with_crc32_make_the_checksum_of_the_whole
    parts_with_crc32c_make_the_checksum_of_the_whole
    parts_with_crc64nvme_make_the_checksum_of_the_whole
    a_kind_of_checksum_that_an_algorithm_cannot_have_is_refused
    an_upload_without_an_algorithm_has_a_checksum_of_the_whole
    a_completion_with_the_wrong_checksum_is_refused
    a_part_with_another_algorithm_than_its_upload_is_refused
    a_copy_keeps_the_checksum_or_gets_the_one_that_is_asked_for
}

script! { signatures = Python "boto3/signatures.py":
    bodies_are_taken_in_every_form
    a_checksum_in_a_trailer_is_kept
    a_body_that_is_not_what_was_signed_is_refused
    a_wrong_checksum_in_a_trailer_is_refused
    a_wrong_secret_is_refused_in_every_form
    the_client_sends_what_it_sends_over_tls
    a_wrong_secret_is_a_signature_that_does_not_match
    an_unknown_key_is_an_invalid_access_key_id
    who_signs_nothing_is_denied
    any_region_is_taken
    version_two_signatures_are_refused
}

script! { tls = Python "boto3/tls.py" inside TLS:
    bodies_of_every_size_come_back_inside_tls
    parts_make_an_object_inside_tls
    buckets_have_host_names_inside_tls
    who_is_not_told_to_trust_the_server_refuses_it
}

script! { presigned = Python "boto3/presigned.py":
    a_presigned_get_needs_no_key
    a_presigned_get_chooses_headers_of_its_answer
    a_presigned_put_writes
    a_presigned_put_with_signed_headers_wants_them
    a_presigned_put_takes_no_header_that_was_not_signed
    a_presigned_head_describes
    a_presigned_delete_deletes
    a_presigned_part_is_part_of_an_upload
    a_presigned_url_is_good_for_what_it_says
    a_presigned_url_ends_when_it_says
    a_presigned_url_lasts_seven_days_at_most
    a_presigned_url_with_a_wrong_secret_is_refused
    a_presigned_url_gives_no_more_than_its_signer_has
}

script! { buckets = Python "boto3/buckets.py":
    a_bucket_is_created_listed_and_deleted
    buckets_are_listed_page_by_page
    a_bucket_is_created_with_a_location
    a_name_that_no_bucket_can_have_is_refused
    a_bucket_that_exists_is_not_created_again
    a_bucket_with_objects_is_not_deleted
    what_is_not_there_is_said_to_be_missing
    another_organisations_bucket_is_denied
    a_reader_reads_and_writes_nothing
    a_bucket_may_have_the_look_of_kms
    multipart_and_copies_work_with_the_look_of_kms
    keys_and_algorithms_that_are_not_offered_are_refused
    buckets_are_addressed_by_host_name
    what_is_not_offered_answers_not_implemented
    what_a_new_bucket_does_not_have_is_said_as_s3_says_it
    a_new_bucket_is_private_and_sealed_as_at_s3
    lifecycle_rules_come_back_as_they_were_set
}

script! { versions = Python "boto3/versions.py":
    a_bucket_keeps_versions_from_when_it_is_told_to
    a_bucket_that_stops_keeping_versions_writes_over_the_null_version
    a_deletion_leaves_a_marker_and_nothing_is_lost
    a_marker_is_no_object
    the_newest_version_that_is_left_is_the_latest
    versions_that_are_not_there_are_said_to_be_missing
    versions_are_listed_page_by_page
    a_delimiter_gathers_versions_too
    an_entry_says_what_its_version_is
    an_old_version_is_copied
    each_version_has_its_own_tags
    a_batch_deletes_keys_and_versions
    an_object_is_replaced_under_if_match
    an_object_under_a_marker_may_be_created
    an_object_is_deleted_under_if_match
    a_copy_and_a_completion_have_conditions_on_what_they_replace
    a_presigned_url_reads_the_version_that_it_names
}

script! { locks = Python "boto3/locks.py":
    a_bucket_has_object_lock_from_its_creation
    a_bucket_that_keeps_versions_may_get_object_lock
    a_default_that_means_nothing_is_refused
    a_default_retains_what_is_written_after_it
    a_writer_says_what_retains_the_object
    governance_is_passed_over_by_who_asks_to
    nobody_passes_over_compliance
    a_legal_hold_ends_when_it_is_taken_off
    what_is_locked_may_be_hidden_and_followed
    locks_need_a_bucket_that_has_them
    a_retention_is_for_the_version_that_is_named
}

script! { settings = Python "boto3/settings.py":
    tags_of_an_object_come_back
    tags_that_cannot_be_are_refused
    tags_of_a_bucket_come_back
    a_public_policy_needs_an_open_door
    a_policy_that_is_not_understood_is_malformed
    a_policy_denies_whoever_has_a_role
    a_policy_lists_what_is_under_a_prefix
    browsers_ask_before_they_send
    answers_and_errors_tell_browsers_what_they_may_read
    cross_origin_rules_that_cannot_be_are_refused
    lists_say_what_is_so_or_are_not_supported
    attributes_say_what_an_object_is_made_of
    a_form_uploads_what_its_policy_allows
    an_object_says_how_it_is_sealed
}

script! { terraform = Python "boto3/terraform.py":
    a_bucket_is_created_read_and_destroyed
    a_bucket_is_created_from_the_first_region
    a_bucket_is_created_with_its_tags
    a_bucket_keeps_versions_and_stops
    a_bucket_has_an_encryption_by_default
    a_policy_is_written_read_and_taken_away
    public_access_is_blocked_and_the_block_is_taken_away
    an_ownership_is_written_read_and_taken_away
    a_list_that_gives_the_owner_everything_is_written_and_read
    cross_origin_rules_are_written_read_and_taken_away
    lifecycle_rules_are_written_read_and_taken_away
    notifications_are_read_and_taken_away
    object_lock_is_written_read_and_taken_away
    a_bucket_that_keeps_versions_gets_object_lock
    what_is_not_offered_fails_when_it_is_created
    a_bucket_with_everything_beside_it_is_read_and_destroyed
    a_bucket_that_is_forced_to_go_loses_its_versions_first
    a_bucket_that_is_forced_to_go_is_emptied_page_by_page
    a_bucket_that_is_forced_to_go_loses_its_locks_first
    an_object_is_created_read_changed_and_destroyed
    a_large_object_is_created_in_parts
    an_object_that_has_versions_is_destroyed_with_all_of_them
    an_object_that_is_locked_is_changed_and_forced_to_go
    an_object_is_copied_read_and_destroyed
    buckets_and_objects_are_looked_up
    the_state_is_locked_written_and_read
    workspaces_are_made_listed_and_deleted
    a_state_is_kept_without_checksums
}

script! { nextcloud = Python "boto3/nextcloud.py":
    a_small_file_is_written_and_read
    a_large_file_is_written_in_parts_and_read_by_ranges
    a_stream_of_unknown_length_is_written
    a_file_is_copied
    an_upload_of_chunks_is_listed_and_given_up
    a_file_is_deleted_and_no_longer_found
    what_is_there_is_listed_for_a_check
    a_file_is_downloaded_by_a_presigned_url
}

script! { la_suite = Python "boto3/la_suite.py":
    a_file_is_saved_as_django_does
    the_versions_of_a_document_are_shown_page_by_page
    a_version_of_a_document_is_read_and_deleted
    a_document_is_saved_when_it_has_changed
    a_proxy_relays_what_the_backend_signed
    an_attachment_is_marked_as_safe_by_a_copy_onto_itself
    a_document_with_its_attachments_is_deleted
    a_browser_sends_a_file_to_a_presigned_url
    a_browser_sends_a_file_by_a_form
    a_link_to_a_file_lasts_as_long_as_it_says
}

script! { cyberduck = Python "boto3/cyberduck.py":
    keys_are_listed_in_the_encoding_that_is_asked_for
    directories_and_pages_are_listed_in_the_same_encoding
    versions_are_listed_in_the_same_encoding
    uploads_are_listed_in_the_same_encoding
    what_is_shown_of_a_bucket_is_read
    a_directory_is_an_object_that_ends_in_a_slash
}
