//! What can be wrong with pushes and their answers.

use sync_core::transport::{PushChange, PushOp, PushOutcome, PushResult};
use sync_core::{
    Precondition, Record, ServerState, Timestamp, TransportError, TransportErrorKind, Version,
};

use super::Row;
use crate::wrong::{Call, Flaw, Reply};

pub(super) const PUSHES: &[Row] = &[
    (
        "pretends",
        Flaw::Pretends,
        &[
            "a_create_is_stored",
            "an_update_on_the_newest_version_is_stored",
            "a_delete_on_the_newest_version_is_done",
            "a_forced_update_overwrites_a_newer_version",
            "a_forced_delete_removes_a_newer_version",
            "what_is_pushed_arrives_exactly",
            "another_key_is_another_push",
            "a_batch_of_a_server_that_serves_nobody_fails_as_a_whole",
            "upserts_and_deletes_share_a_batch",
            "a_push_whose_answer_was_lost_may_have_been_sent",
        ],
    ),
    (
        "forces everything",
        asks_push!(|op| op.precondition = Precondition::Force),
        &[
            "an_update_on_an_old_version_is_a_conflict",
            "a_delete_on_an_old_version_is_a_conflict",
            "a_create_of_what_exists_is_a_conflict",
            "an_update_of_what_was_deleted_is_no_success",
            "an_update_of_what_is_missing_is_no_success",
            "of_pushes_side_by_side_on_one_version_one_wins",
        ],
    ),
    (
        "forces nothing",
        asks_push!(|op| if op.precondition == Precondition::Force {
            op.precondition = Precondition::IfAbsent
        }),
        &[
            "a_forced_update_overwrites_a_newer_version",
            "a_forced_delete_removes_a_newer_version",
        ],
    ),
    (
        "rounds versions",
        asks_push!(
            |op| if let Precondition::IfBase { version } = &mut op.precondition {
                version.stamp = Timestamp::from_unix_millis(version.stamp.unix_millis());
            }
        ),
        &[
            "a_pulled_stamp_is_sent_back_to_the_letter",
            "an_update_on_the_newest_version_is_stored",
            "a_delete_on_the_newest_version_is_done",
        ],
    ),
    (
        "makes versions up",
        tells_outcome!(|_, outcome| match outcome {
            PushOutcome::Accepted { state: Some(state) } => PushOutcome::Accepted {
                state: Some(with_a_version(state))
            },
            other => other,
        }),
        &[
            "the_version_that_an_answer_gives_is_good_for_the_next_push",
            "a_create_is_stored",
            "a_record_with_an_unreadable_stamp_has_no_version",
        ],
    ),
    (
        "makes times up",
        tells_outcome!(|_, outcome| match outcome {
            PushOutcome::Conflict { state, .. } => PushOutcome::Conflict {
                state,
                time: Some(Timestamp::from_unix_millis(0))
            },
            other => other,
        }),
        &["the_time_of_a_conflict_is_that_of_the_servers_record"],
    ),
    (
        "shows the sender's record as the server's",
        tells_outcome!(|op, outcome| match outcome {
            PushOutcome::Conflict { .. } => PushOutcome::Conflict {
                state: Some(made_up(op)),
                time: None
            },
            other => other,
        }),
        &[
            "an_update_on_an_old_version_is_a_conflict",
            "a_conflict_without_a_record_is_a_conflict",
        ],
    ),
    (
        "takes gone for refused",
        tells_outcome!(|_, outcome| match outcome {
            PushOutcome::Gone { .. } => PushOutcome::Refused {
                status: 404,
                message: String::new()
            },
            other => other,
        }),
        &[
            "an_update_of_what_is_missing_is_no_success",
            "a_delete_of_what_is_missing_leaves_nothing",
            "a_push_answered_404_or_410_is_gone",
            "a_delete_of_what_is_missing_holds_no_batch_up",
        ],
    ),
    (
        "sends nothing but the changed fields",
        asks_push!(|op| if let PushChange::Upsert {
            record,
            changed: Some(changed),
        } = &mut op.change
        {
            record
                .fields_mut()
                .retain(|name, _| name == "id" || changed.contains(name));
        }),
        &["a_push_of_changed_fields_carries_the_whole_record"],
    ),
    (
        "makes keys up",
        Flaw::FreshKeys,
        &[
            "the_same_key_takes_effect_once",
            "a_push_whose_answer_was_lost_is_answered_under_its_key",
            "a_push_that_is_dropped_takes_effect_at_most_once",
            "a_batch_that_comes_again_takes_effect_once",
        ],
    ),
    (
        "knows one key",
        asks_push!(|op| "the key".clone_into(&mut op.key)),
        &[
            "another_key_is_another_push",
            "each_operation_of_a_batch_has_its_own_result",
        ],
    ),
    (
        "answers nothing with something",
        Flaw::Tells(|call, reply| match call {
            Call::Push(request) if request.ops.is_empty() => {
                Reply::Results(Ok(vec![PushResult::new("k", PushOutcome::Unauthorized)]))
            }
            _ => reply,
        }),
        &["a_push_of_nothing_has_no_results"],
    ),
];

pub(super) const ANSWERS: &[Row] = &[
    (
        "makes records up",
        tells_outcome!(|op, outcome| match outcome {
            PushOutcome::Accepted { state: None } => PushOutcome::Accepted {
                state: Some(made_up(op))
            },
            other => other,
        }),
        &[
            "a_success_without_a_body_is_accepted_without_a_state",
            "a_live_record_in_answer_to_a_delete_is_not_kept",
        ],
    ),
    (
        "hides tombstones",
        tells_outcome!(|_, outcome| match outcome {
            PushOutcome::Accepted { state: Some(state) } if state.is_deleted() =>
                PushOutcome::Accepted { state: None },
            other => other,
        }),
        &["a_tombstone_in_answer_to_an_upsert_is_told"],
    ),
    (
        "takes anything for a success",
        tells_outcome!(|_, outcome| match outcome {
            PushOutcome::Protocol { .. } => PushOutcome::Accepted { state: None },
            other => other,
        }),
        &[
            "a_success_with_another_record_is_no_success",
            "a_success_with_an_error_inside_is_no_success",
            "a_success_with_a_list_is_no_success",
            "a_web_page_is_no_success_of_a_push",
            "a_redirect_of_a_push_is_not_followed",
        ],
    ),
    (
        "mistakes web pages",
        mistakes!(Protocol for Interrupted),
        &[
            "a_web_page_is_no_page_and_no_record",
            "a_redirect_to_another_host_is_no_page",
            "a_web_page_is_no_answer_to_a_batch",
        ],
    ),
    (
        "mistakes broken bodies",
        mistakes!(BrokenBody for Protocol),
        &["a_body_that_breaks_off_is_told_as_broken"],
    ),
    (
        "takes a bare conflict for gone",
        tells_outcome!(|_, outcome| match outcome {
            PushOutcome::Conflict { state: None, .. } => PushOutcome::Gone { state: None },
            other => other,
        }),
        &["a_conflict_without_a_record_is_a_conflict"],
    ),
    (
        "swallows words",
        tells_outcome!(|_, outcome| match outcome {
            PushOutcome::Refused { status, .. } => PushOutcome::Refused {
                status,
                message: "refused".to_owned()
            },
            other => other,
        }),
        &["a_refusal_keeps_the_servers_words"],
    ),
    (
        "takes a refusal for trouble",
        tells_outcome!(|_, outcome| match outcome {
            PushOutcome::Refused { message, .. } => PushOutcome::Trouble { message },
            other => other,
        }),
        &[
            "a_refusal_keeps_the_servers_words",
            "a_refusal_without_a_word_is_a_refusal",
        ],
    ),
    (
        "mistakes a refused sign-in",
        mistakes!(Unauthorized for Rejected),
        &["a_refused_sign_in_is_told_by_every_call"],
    ),
    (
        "mistakes a busy server",
        mistakes!(Unavailable for Server),
        &[
            "a_server_that_serves_nobody_is_told_by_every_call",
            "a_batch_of_a_server_that_serves_nobody_fails_as_a_whole",
            "the_wait_that_the_server_asks_for_is_kept",
        ],
    ),
    (
        "mistakes a failing server",
        mistakes!(Server for Unavailable),
        &["a_server_that_fails_is_told_by_every_call"],
    ),
    (
        "mistakes a refused read",
        mistakes!(Rejected for Server),
        &["a_read_that_is_refused_is_told_as_rejected"],
    ),
    (
        "does not wait",
        Flaw::Tells(|_, reply| reply.map_error(|error| error.with_retry_after(None))),
        &["the_wait_that_the_server_asks_for_is_kept"],
    ),
];

fn with_a_version(state: ServerState) -> ServerState {
    let late = Version::new(Timestamp::from_unix_millis(1_900_000_000_000));
    match state {
        ServerState::Live { record, .. } => ServerState::Live {
            record,
            version: Some(late),
        },
        other => other,
    }
}

/// What an answer without a record would be, made up from what was sent.
fn made_up(op: &PushOp) -> ServerState {
    let record = match &op.change {
        PushChange::Upsert { record, .. } => record.clone(),
        PushChange::Delete => Record::default(),
    };
    ServerState::Live {
        record,
        version: None,
    }
}
