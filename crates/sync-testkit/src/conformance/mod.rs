//! The contract of [`Store`](sync_core::Store) as tests, one for each behaviour.
//!
//! A store proves itself with one line in its `tests/` folder; see
//! [`store_conformance!`](crate::store_conformance). Every behaviour gets a store of its own,
//! prepared with [`schemas`].
//!
//! What a store may choose: a synced field that was absent may come back as null, a number may come
//! back from a column as another number of the same value, a timestamp from a column as another
//! text of the same instant, and what a database cannot hold (an integer beyond 64 bits, a NUL in a
//! text) may be refused instead of kept. Everything else comes back as it went in.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    missing_docs,
    clippy::missing_panics_doc,
    reason = "a suite fails by panicking, and the names of its behaviours state them"
)]

pub mod atomicity;
pub mod bookkeeping;
pub mod changes;
pub mod columns;
mod compare;
pub mod concurrency;
mod fixtures;
pub mod history;
pub mod op_queries;
pub mod outbox;
pub mod preparation;
pub mod references;
pub mod refusals;
pub mod rows;
pub mod shadows;
pub mod sweep;
#[cfg(test)]
mod tests;
pub mod tombstones;
pub mod unclaimed;
pub mod values;
pub mod versions;

use std::time::Duration;

pub use fixtures::{SQLITE_TABLES, schemas};

/// Far more than the slowest behaviour needs: who waits longer waits for ever.
const PATIENCE: Duration = Duration::from_secs(120);

/// Runs one behaviour on a runtime of its own, with two threads so that races are real; a deadlock
/// fails instead of hanging.
pub fn run<T>(behavior: impl Future<Output = T>) -> T {
    sync_core::contents::show_in_debug();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let outcome = runtime.block_on(async { tokio::time::timeout(PATIENCE, behavior).await });
    outcome.unwrap_or_else(|_| panic!("no end within {PATIENCE:?}: no answer, or a deadlock?"))
}

/// Proves that a store keeps the contract of [`Store`](sync_core::Store): expands to one `#[test]`
/// for each behaviour.
///
/// The expression is a future of `(Arc<dyn Store>, guard)`: a fresh store, prepared with
/// [`conformance::schemas`](crate::conformance::schemas), and anything that must outlive it, such
/// as a temporary directory. [`conformance::SQLITE_TABLES`](crate::conformance::SQLITE_TABLES)
/// creates the tables.
///
/// ```no_run
/// use std::sync::Arc;
/// use sync_core::{MemoryStore, Store};
/// use sync_testkit::conformance;
///
/// sync_testkit::store_conformance!(async {
///     let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
///     store.prepare(&conformance::schemas()).await.unwrap();
///     (store, ())
/// });
/// ```
#[macro_export]
macro_rules! store_conformance {
    (@tests [$open:expr] $($theme:ident { $($name:ident,)* })*) => { $($(
        #[test]
        fn $name() {
            $crate::conformance::run(async {
                let (store, guard) = $open.await;
                $crate::conformance::$theme::$name(store).await;
                drop(guard);
            });
        }
    )*)* };
    (@names $($theme:ident { $($name:ident,)* })*) => {
        &[$($(stringify!($name),)*)*]
    };
    (@behaviors $($then:tt)*) => {
        $crate::store_conformance! { $($then)*
            preparation {
                preparing_again_keeps_everything,
                preparing_at_the_same_time_is_safe,
                a_kind_with_two_tables_is_refused,
                a_table_without_its_id_is_refused,
                rows_of_an_unregistered_kind_are_an_error,
                operations_of_an_unregistered_kind_stay_and_are_listed,
                every_fault_of_the_schemas_is_told_at_once,
                kinds_of_an_earlier_call_stay_registered,
                of_a_kind_given_again_the_newest_schema_holds,
            }
            atomicity {
                a_commit_makes_everything_visible,
                a_durable_commit_makes_everything_visible,
                dropping_a_transaction_rolls_everything_back,
                a_rollback_restores_what_was_there_before,
                dropping_a_call_midway_rolls_back,
                dropping_a_commit_midway_leaves_all_or_nothing,
                a_transaction_sees_its_own_changes,
                others_see_nothing_before_the_commit,
                a_reader_keeps_seeing_one_state,
                a_reader_cannot_write,
                a_reader_may_be_committed,
                a_failed_call_leaves_no_trace,
                a_rollback_restores_every_part,
                no_call_that_writes_is_for_readers,
                dropping_any_call_midway_rolls_back,
            }
            rows {
                rows_come_in_the_order_asked_for,
                the_apps_rows_bring_the_columns_that_stay_on_the_device,
                the_apps_rows_come_page_by_page_in_order_of_bytes,
                an_unknown_id_yields_nothing,
                a_doubled_id_yields_one_row,
                empty_sets_of_rows_do_nothing,
                put_inserts_and_updates,
                of_a_doubled_row_the_last_wins,
                an_absent_field_becomes_null,
                an_unknown_field_that_is_absent_goes,
                local_only_fields_are_left_out,
                what_the_server_says_of_local_only_fields_is_passed_over,
                insert_adds_a_new_row,
                insert_leaves_an_existing_row_alone,
                a_removed_row_is_gone_with_all_its_fields,
                a_removal_counts_the_rows_that_were_there,
                kinds_are_apart,
                ids_are_compared_to_the_letter,
                a_set_may_be_large,
            }
            refusals {
                a_refused_row_is_reported_with_its_reason,
                a_refused_row_does_not_harm_the_others,
                a_refused_row_leaves_no_trace,
                a_refused_update_leaves_the_row_as_it_was,
                null_and_absence_are_refused_where_a_value_must_be,
                a_row_without_an_id_is_refused,
                a_value_of_another_type_is_refused,
                a_refused_insert_is_a_constraint,
                of_a_doubled_row_the_last_is_judged,
            }
            values {
                texts_are_kept,
                long_texts_are_kept,
                a_nul_in_a_text_is_kept_or_refused,
                integers_are_kept,
                an_integer_beyond_64_bits_is_kept_or_refused,
                floating_point_numbers_are_kept,
                booleans_are_kept,
                bytes_are_kept,
                unusual_base64_is_kept_or_refused,
                instants_are_kept,
                json_is_kept,
                fields_without_a_column_are_kept_exactly,
                an_unknown_null_is_not_an_absent_field,
                a_column_and_its_field_may_differ_in_name,
                a_field_may_be_named_like_the_column_of_extras,
                many_rows_of_different_shapes_are_kept,
            }
            versions {
                versions_are_kept_to_the_letter,
                a_row_of_the_users_has_no_version,
                an_answer_without_a_version_is_remembered,
                the_users_write_leaves_the_version,
                a_new_version_replaces_stamp_and_tag,
                versions_come_in_the_order_asked_for,
                versions_of_kinds_are_apart,
                a_removal_without_tombstone_forgets_the_version,
                a_tombstone_keeps_its_version,
                a_tombstone_of_no_row_is_remembered,
                the_users_new_row_leaves_the_tombstones_version,
                old_tombstones_are_forgotten,
                tombstones_are_compared_as_instants,
                a_row_that_comes_back_is_no_tombstone,
            }
            sweep {
                rows_neither_written_nor_seen_are_unseen,
                rows_of_the_users_are_not_swept,
                a_row_without_a_version_is_swept_too,
                a_local_edit_does_not_hide_a_row_from_the_sweep,
                removed_rows_are_not_swept,
                rows_with_operations_are_not_swept,
                the_sweep_goes_page_by_page_in_order_of_bytes,
                a_mark_of_an_earlier_generation_undoes_nothing,
                a_mark_of_an_unknown_id_creates_nothing,
                generations_of_kinds_are_apart,
                synced_rows_are_counted,
            }
            tombstones {
                old_tombstone_rows_are_listed_with_their_versions,
                tombstone_rows_are_compared_as_instants,
                tombstone_rows_with_operations_or_a_shadow_are_left_alone,
                a_deletion_of_the_users_is_no_tombstone_row,
                tombstone_rows_come_page_by_page_in_order_of_bytes,
                a_table_without_a_tombstone_field_has_no_tombstone_rows,
            }
            unclaimed {
                rows_of_the_users_are_unclaimed,
                a_version_claims_a_row,
                an_operation_claims_a_row,
                unclaimed_rows_come_page_by_page_in_order_of_bytes,
            }
            references {
                ids_that_a_field_holds_come_in_the_order_asked_for,
                rows_of_the_server_and_tombstones_refer_like_others,
                a_field_of_integers_holds_ids_too,
                a_field_without_a_synced_column_holds_no_id,
            }
            columns {
                a_field_that_gains_a_column_keeps_its_value,
                what_is_written_later_replaces_the_value,
                a_value_that_the_new_column_refuses_is_listed_and_kept,
                rows_that_lack_a_field_come_page_by_page_in_order_of_bytes,
                a_field_that_stays_on_the_device_is_not_taken_from_beside,
                unknown_fields_survive_a_column_for_them,
            }
            outbox {
                operations_get_growing_places,
                the_store_alone_gives_places,
                a_place_is_never_used_again,
                the_last_place_is_known,
                an_operation_id_is_unique,
                every_field_of_an_operation_is_kept,
                a_bare_operation_is_kept,
                every_state_of_an_operation_is_kept,
                an_update_replaces_everything_but_the_place,
                an_update_of_an_unknown_operation_adds_nothing,
                operations_are_deleted_by_id,
                empty_sets_of_operations_do_nothing,
                many_operations_go_in_one_call,
                of_a_doubled_update_the_last_wins,
            }
            op_queries {
                operations_are_found_by_kind,
                operations_are_found_by_entity,
                an_operation_is_found_by_its_id,
                a_head_is_the_oldest_of_all,
                what_is_held_back_is_found_when_due,
                a_limit_takes_the_oldest,
                conditions_hold_together,
            }
            shadows {
                both_slots_of_a_shadow_are_kept,
                of_a_doubled_shadow_the_last_wins,
                shadows_come_in_the_order_asked_for,
                shadows_are_deleted_by_kind_and_id,
                an_operation_or_a_shadow_makes_an_entity_pending,
                a_shadow_without_operation_is_idle,
                many_shadows_go_in_one_call,
            }
            bookkeeping {
                a_cursor_is_kept,
                a_cursor_is_forgotten,
                a_conflict_is_kept,
                conflicts_come_oldest_first,
                conflicts_are_deleted_by_operation,
                a_quarantined_row_is_kept_exactly,
                of_a_doubled_quarantined_row_the_last_wins,
                quarantine_is_read_page_by_page,
                quarantined_rows_are_found_by_kind_and_key,
                quarantined_rows_are_released_by_kind_and_key,
                notes_are_set_and_removed,
                many_entries_go_in_one_call,
                an_unregistered_kind_has_bookkeeping_too,
            }
            history {
                a_resolved_conflict_is_kept,
                resolved_conflicts_come_newest_first,
                one_that_is_resolved_again_takes_the_newest_place,
                only_the_newest_resolved_conflicts_stay,
                resolved_conflicts_are_forgotten_by_kind,
                quarantined_rows_are_counted_by_kind,
            }
            concurrency {
                no_write_is_lost_between_writers,
                waiting_writers_are_served_in_order,
                a_writer_that_stops_waiting_leaves_the_line,
                a_dropped_writer_lets_the_next_one_in,
                an_aborted_task_lets_the_next_one_in,
                readers_do_not_wait_for_a_writer,
                a_writer_does_not_wait_for_readers,
                readers_see_whole_commits_only,
                one_of_many_inserts_wins,
                places_of_many_writers_differ,
                a_transaction_moves_between_tasks,
            }
            changes {
                a_commit_tells_which_rows_changed,
                a_commit_tells_which_queues_changed,
                a_commit_tells_everything_at_once,
                a_rollback_tells_nothing,
                a_commit_without_changes_tells_nothing,
                a_refused_row_is_no_change,
                nothing_is_told_before_the_commit,
                who_hears_of_a_commit_sees_it,
                every_listener_is_told,
                a_listener_that_sleeps_holds_nobody_up,
                what_finds_nothing_to_change_tells_nothing,
                commits_are_told_in_their_order,
                who_listens_later_hears_of_later_commits_only,
            }
        }
    };
    ($open:expr) => {
        $crate::store_conformance! { @behaviors @tests [$open] }
    };
}

/// The names of all behaviours.
pub const BEHAVIORS: &[&str] = crate::store_conformance!(@behaviors @names);
