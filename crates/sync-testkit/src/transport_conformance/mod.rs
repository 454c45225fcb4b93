//! The contract of [`Transport`](sync_core::Transport) as tests, one for each behaviour.
//!
//! A transport proves itself with a [`TransportHarness`] and one line in its `tests/` folder; see
//! [`transport_conformance!`](crate::transport_conformance!). Every behaviour gets a harness of its
//! own, with a server of its own.
//!
//! What a transport and its server may choose: whether a success bears the stored record, whether a
//! conflict does, whether the record that somebody deleted is a conflict or gone, and whether there
//! is a live channel, cursors of the server's own, or batches. What a harness cannot bring about is
//! skipped by name.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    missing_docs,
    clippy::missing_panics_doc,
    clippy::missing_errors_doc,
    reason = "a suite fails by panicking, and the names of its behaviours state them"
)]

pub mod answers;
pub mod batch;
pub mod fetch;
mod fixtures;
mod harness;
pub mod manners;
mod process;
pub mod pull;
pub mod push;
pub mod reach;
mod real_server;
mod section;
mod skip;
mod trail;

pub use harness::{Ability, Circumstance, TransportHarness};
pub use process::ServerProcess;
pub use real_server::RealServer;
pub use skip::{Outcome, Skipped};

use futures::future::BoxFuture;

use crate::conformance;

/// Runs one behaviour as [`conformance::run`] does. One that is skipped is named on standard error
/// and fails where the environment has `CI`, unless `skips` lists it; one that is listed and was
/// not skipped fails. Where one of a server's fails, its section in `docs/protocol.md` is named.
pub fn run(name: &str, skips: &[&str], behavior: impl Future<Output = Outcome>) {
    let where_it_stands = section::Named(name);
    let outcome = conformance::run(behavior);
    drop(where_it_stands);
    let listed = skips.contains(&name);
    let strict = std::env::var_os("CI").is_some_and(|value| !value.is_empty());
    match skip::judge(name, outcome, listed, strict) {
        Ok(None) => {}
        Ok(Some(note)) => skip::tell(&note),
        Err(fault) => panic!("{fault}"),
    }
}

/// One behaviour, to be run in another way than by the macro.
#[derive(Debug, Clone, Copy)]
pub struct Behavior {
    /// Its name.
    pub name: &'static str,
    /// What it is about: the module that it is in.
    pub theme: &'static str,
    /// Runs it.
    pub run: for<'a> fn(&'a dyn TransportHarness) -> BoxFuture<'a, Outcome>,
}

/// Proves that a transport keeps the contract of [`Transport`](sync_core::Transport): expands to
/// one `#[test]` for each behaviour.
///
/// The expression is a future of a fresh [`TransportHarness`]. Behaviours that it cannot show are
/// listed behind `skips:`, so that a reader sees what is not proved: a behaviour that is skipped
/// without being listed is named in the output and fails where the environment has `CI`; one that
/// is listed without being skipped always fails.
///
/// ```no_run
/// # struct Harness;
/// # impl Harness { async fn start() -> Self { Self } }
/// sync_testkit::transport_conformance!(Harness::start());
///
/// mod without_http {
///     // Nothing on the way can put a web page in place of an answer.
///     sync_testkit::transport_conformance!(super::Harness::start(), skips: [
///         a_web_page_is_no_success_of_a_push,
///         a_web_page_is_no_page_and_no_record,
///     ]);
/// }
/// ```
#[macro_export]
macro_rules! transport_conformance {
    (@tests [$harness:expr] $skips:tt $($theme:ident { $($name:ident,)* })*) => {
        $($(
            #[test]
            fn $name() {
                let skips = $crate::transport_conformance!(@list $skips);
                $crate::transport_conformance::run(stringify!($name), skips, async {
                    let harness = $harness.await;
                    $crate::transport_conformance::$theme::$name(&harness).await
                });
            }
        )*)*

        #[test]
        fn every_skip_names_a_behavior() {
            let skips = $crate::transport_conformance!(@list $skips);
            let known = [$($(stringify!($name),)*)*];
            let unknown: Vec<_> = skips.iter().filter(|skip| !known.contains(skip)).collect();
            assert!(unknown.is_empty(), "no such behaviors: {unknown:?}");
        }
    };
    (@list [$($skip:ident,)*]) => {
        &[$(stringify!($skip)),*] as &[&str]
    };
    (@registry $($theme:ident { $($name:ident,)* })*) => {
        &[$($(
            $crate::transport_conformance::Behavior {
                name: stringify!($name),
                theme: stringify!($theme),
                run: |harness| Box::pin($crate::transport_conformance::$theme::$name(harness)),
            },
        )*)*]
    };
    (@behaviors $($then:tt)*) => {
        $crate::transport_conformance! { $($then)*
            pull {
                rows_come_in_the_order_of_the_server,
                a_kind_without_rows_is_an_empty_page,
                pulls_of_kinds_are_apart,
                a_pull_from_a_stamp_includes_it,
                a_pull_from_a_stamp_of_another_zone_means_its_instant,
                a_keyset_passes_over_what_was_seen_of_a_stamp,
                a_limit_is_kept,
                a_chain_of_tokens_brings_every_row_once,
                tombstones_come_where_they_are_asked_for,
                tombstones_stay_away_where_they_are_not_asked_for,
                a_filter_is_passed_on_to_the_letter,
                a_cursor_of_the_servers_is_echoed,
                a_cursor_that_expired_is_named,
                unknown_fields_come_as_they_are,
                numbers_come_exactly,
                texts_come_exactly,
                stamps_come_to_the_letter,
                a_page_may_be_large,
            }
            fetch {
                a_live_record_is_fetched_with_its_version,
                a_deleted_record_is_fetched_as_deleted,
                a_missing_record_is_fetched_as_gone,
                a_fetch_answered_404_or_410_is_gone,
                fetches_of_kinds_are_apart,
                a_fetch_sees_the_newest_state,
                ids_of_every_form_are_fetched,
                a_fetch_answered_with_another_record_is_no_record,
            }
            push {
                a_create_is_stored,
                an_update_on_the_newest_version_is_stored,
                the_version_that_an_answer_gives_is_good_for_the_next_push,
                a_pulled_stamp_is_sent_back_to_the_letter,
                a_delete_on_the_newest_version_is_done,
                an_update_on_an_old_version_is_a_conflict,
                a_delete_on_an_old_version_is_a_conflict,
                a_create_of_what_exists_is_a_conflict,
                the_time_of_a_conflict_is_that_of_the_servers_record,
                an_update_of_what_was_deleted_is_no_success,
                an_update_of_what_is_missing_is_no_success,
                a_delete_of_what_is_missing_leaves_nothing,
                a_forced_update_overwrites_a_newer_version,
                a_forced_delete_removes_a_newer_version,
                what_is_pushed_arrives_exactly,
                ids_of_every_form_are_pushed,
                a_push_of_changed_fields_carries_the_whole_record,
                the_same_key_takes_effect_once,
                another_key_is_another_push,
                a_push_of_nothing_has_no_results,
            }
            answers {
                a_success_without_a_body_is_accepted_without_a_state,
                a_tombstone_in_answer_to_an_upsert_is_told,
                a_live_record_in_answer_to_a_delete_is_not_kept,
                a_record_with_an_unreadable_stamp_has_no_version,
                a_success_with_another_record_is_no_success,
                a_success_with_an_error_inside_is_no_success,
                a_success_with_a_list_is_no_success,
                a_web_page_is_no_success_of_a_push,
                a_web_page_is_no_page_and_no_record,
                a_redirect_of_a_push_is_not_followed,
                a_redirect_to_another_host_is_no_page,
                a_body_that_breaks_off_is_told_as_broken,
                a_conflict_without_a_record_is_a_conflict,
                a_push_answered_404_or_410_is_gone,
                a_refusal_keeps_the_servers_words,
                a_refusal_without_a_word_is_a_refusal,
                a_refused_sign_in_is_told_by_every_call,
                a_server_that_serves_nobody_is_told_by_every_call,
                a_server_that_fails_is_told_by_every_call,
                a_read_that_is_refused_is_told_as_rejected,
                the_wait_that_the_server_asks_for_is_kept,
            }
            batch {
                each_operation_of_a_batch_has_its_own_result,
                a_batch_of_the_greatest_size_is_taken,
                a_batch_is_taken_in_part,
                upserts_and_deletes_share_a_batch,
                kinds_share_a_batch,
                a_delete_of_what_is_missing_holds_no_batch_up,
                a_batch_that_comes_again_takes_effect_once,
                a_missing_result_is_trouble_for_its_operation,
                a_doubled_result_is_trouble_for_its_operation,
                a_result_without_a_status_is_trouble_for_its_operation,
                a_status_inside_a_batch_means_what_it_means_alone,
                a_failure_inside_a_batch_is_trouble_for_its_operation,
                a_refused_sign_in_inside_a_batch_is_told,
                a_busy_server_inside_a_batch_is_told,
                a_batch_that_is_refused_says_nothing_of_its_operations,
                a_batch_of_a_server_that_serves_nobody_fails_as_a_whole,
                a_web_page_is_no_answer_to_a_batch,
            }
            reach {
                an_unreachable_server_was_surely_not_asked,
                the_live_channel_of_an_unreachable_server_does_not_open,
                a_server_that_is_back_is_used_again,
                one_call_is_one_request,
                a_push_whose_answer_was_lost_may_have_been_sent,
                a_push_whose_answer_was_lost_is_answered_under_its_key,
                a_read_whose_answer_was_lost_is_an_error,
                a_call_that_is_dropped_leaves_the_transport_usable,
                a_push_that_is_dropped_takes_effect_at_most_once,
                calls_side_by_side_get_their_own_answers,
                of_pushes_side_by_side_on_one_version_one_wins,
            }
            manners {
                a_server_that_is_there_is_healthy,
                a_change_wakes_who_listens,
                every_listener_is_woken,
                a_listener_that_leaves_holds_nobody_up,
                without_a_live_channel_the_stream_ends_at_once,
                the_origin_is_named_and_stays,
                at_least_one_operation_is_taken,
                no_debug_form_shows_the_secret,
                no_failure_shows_the_secret,
            }
        }
    };
    ($harness:expr $(, skips: [$($skip:ident),* $(,)?])? $(,)?) => {
        $crate::transport_conformance! { @behaviors @tests [$harness] [$($($skip,)*)?] }
    };
}

/// All behaviours.
pub const BEHAVIORS: &[Behavior] = crate::transport_conformance!(@behaviors @registry);

/// Proves that a server keeps the protocol, asked over HTTP through a transport that is trusted: expands to one `#[test]`
/// for each behaviour of [`transport_conformance!`](crate::transport_conformance!) that a right server can show without
/// being made to go wrong.
///
/// The expression is a future of a fresh [`RealServer`]. What is optional and not there is said to it, and the behaviours
/// that need it are listed behind `skips:`, as for transports.
///
/// ```no_run
/// use sync_rest::RestTransport;
/// use sync_testkit::transport_conformance::{Ability, RealServer};
///
/// /// A server of its own for each behaviour.
/// async fn server() -> RealServer {
///     let (url, process) = start_mine().await;
///     let transport = RestTransport::builder(url).batch(true).build().unwrap();
///     RealServer::new(transport).without([Ability::Filter]).keep(process)
/// }
/// # async fn start_mine() -> (String, ()) { (String::new(), ()) }
///
/// sync_testkit::server_conformance!(server(), skips: [a_filter_is_passed_on_to_the_letter]);
/// ```
#[macro_export]
macro_rules! server_conformance {
    (@behaviors $($then:tt)*) => {
        $crate::transport_conformance! { $($then)*
            pull {
                rows_come_in_the_order_of_the_server,
                a_kind_without_rows_is_an_empty_page,
                pulls_of_kinds_are_apart,
                a_pull_from_a_stamp_includes_it,
                a_keyset_passes_over_what_was_seen_of_a_stamp,
                a_limit_is_kept,
                a_chain_of_tokens_brings_every_row_once,
                tombstones_come_where_they_are_asked_for,
                tombstones_stay_away_where_they_are_not_asked_for,
                a_filter_is_passed_on_to_the_letter,
                unknown_fields_come_as_they_are,
                numbers_come_exactly,
                texts_come_exactly,
            }
            fetch {
                a_live_record_is_fetched_with_its_version,
                a_deleted_record_is_fetched_as_deleted,
                a_missing_record_is_fetched_as_gone,
                fetches_of_kinds_are_apart,
                a_fetch_sees_the_newest_state,
                ids_of_every_form_are_fetched,
            }
            push {
                a_create_is_stored,
                an_update_on_the_newest_version_is_stored,
                the_version_that_an_answer_gives_is_good_for_the_next_push,
                a_delete_on_the_newest_version_is_done,
                an_update_on_an_old_version_is_a_conflict,
                a_delete_on_an_old_version_is_a_conflict,
                a_create_of_what_exists_is_a_conflict,
                the_time_of_a_conflict_is_that_of_the_servers_record,
                an_update_of_what_was_deleted_is_no_success,
                an_update_of_what_is_missing_is_no_success,
                a_delete_of_what_is_missing_leaves_nothing,
                a_forced_update_overwrites_a_newer_version,
                a_forced_delete_removes_a_newer_version,
                what_is_pushed_arrives_exactly,
                ids_of_every_form_are_pushed,
                a_push_of_changed_fields_carries_the_whole_record,
                the_same_key_takes_effect_once,
                another_key_is_another_push,
                a_push_of_nothing_has_no_results,
            }
            batch {
                each_operation_of_a_batch_has_its_own_result,
                a_batch_of_the_greatest_size_is_taken,
                a_batch_is_taken_in_part,
                upserts_and_deletes_share_a_batch,
                kinds_share_a_batch,
                a_delete_of_what_is_missing_holds_no_batch_up,
                a_batch_that_comes_again_takes_effect_once,
            }
            reach {
                a_call_that_is_dropped_leaves_the_transport_usable,
                a_push_that_is_dropped_takes_effect_at_most_once,
                calls_side_by_side_get_their_own_answers,
                of_pushes_side_by_side_on_one_version_one_wins,
            }
            manners {
                a_server_that_is_there_is_healthy,
                a_change_wakes_who_listens,
                every_listener_is_woken,
                a_listener_that_leaves_holds_nobody_up,
                the_origin_is_named_and_stays,
                at_least_one_operation_is_taken,
            }
        }
    };
    ($harness:expr $(, skips: [$($skip:ident),* $(,)?])? $(,)?) => {
        $crate::server_conformance! { @behaviors @tests [$harness] [$($($skip,)*)?] }
    };
}

/// The behaviours that a server can show by itself.
pub const SERVER_BEHAVIORS: &[Behavior] = crate::server_conformance!(@behaviors @registry);

#[cfg(test)]
mod tests;
