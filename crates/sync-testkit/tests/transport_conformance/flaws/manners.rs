//! What can be wrong with batches, with reaching the server, and with what a transport says.

use futures::stream;
use sync_core::transport::{PushOp, PushOutcome, PushResult, Wakeup};
use sync_core::{TransportError, TransportErrorKind};

use super::Row;
use crate::harness::SECRET;
use crate::wrong::{Call, Flaw, Reply};

pub(super) const BATCHES: &[Row] = &[
    (
        "mixes results up",
        Flaw::Tells(|_, reply| match reply {
            Reply::Results(Ok(mut results)) => {
                results.reverse();
                Reply::Results(Ok(results))
            }
            other => other,
        }),
        &[
            "each_operation_of_a_batch_has_its_own_result",
            "a_batch_is_taken_in_part",
        ],
    ),
    (
        "takes small batches",
        Flaw::Tells(|call, reply| match call {
            Call::Push(request) if request.ops.len() > 10 => Reply::Results(Err(
                TransportError::new(TransportErrorKind::Rejected, "too many"),
            )),
            _ => reply,
        }),
        &["a_batch_of_the_greatest_size_is_taken"],
    ),
    (
        "takes trouble for a success",
        tells_outcome!(|_, outcome| match outcome {
            PushOutcome::Trouble { .. } => PushOutcome::Accepted { state: None },
            other => other,
        }),
        &[
            "a_missing_result_is_trouble_for_its_operation",
            "a_doubled_result_is_trouble_for_its_operation",
            "a_result_without_a_status_is_trouble_for_its_operation",
        ],
    ),
    (
        "takes trouble for a refusal",
        tells_outcome!(|_, outcome| match outcome {
            PushOutcome::Trouble { message } => PushOutcome::Refused {
                status: 500,
                message,
            },
            other => other,
        }),
        &["a_failure_inside_a_batch_is_trouble_for_its_operation"],
    ),
    (
        "takes every result for one of the operation",
        tells_outcome!(|_, outcome| match outcome {
            PushOutcome::Unauthorized | PushOutcome::Unavailable { .. } => PushOutcome::Trouble {
                message: String::new(),
            },
            PushOutcome::Refused { message, .. } => PushOutcome::Trouble { message },
            other => other,
        }),
        &[
            "a_status_inside_a_batch_means_what_it_means_alone",
            "a_refused_sign_in_inside_a_batch_is_told",
            "a_busy_server_inside_a_batch_is_told",
        ],
    ),
    (
        "takes a refused batch for refused operations",
        Flaw::Tells(|call, reply| match (call, reply) {
            (Call::Push(request), Reply::Results(Err(error)))
                if error.kind() == TransportErrorKind::Rejected =>
            {
                let refused = PushOutcome::Refused {
                    status: 400,
                    message: error.to_string(),
                };
                Reply::Results(Ok(request
                    .ops
                    .iter()
                    .map(|op| PushResult::new(&*op.key, refused.clone()))
                    .collect()))
            }
            (_, reply) => reply,
        }),
        &["a_batch_that_is_refused_says_nothing_of_its_operations"],
    ),
];

pub(super) const MANNERS: &[Row] = &[
    (
        "believes that it was heard",
        Flaw::Tells(|_, reply| reply.map_error(|error| error.with_maybe_sent(true))),
        &["an_unreachable_server_was_surely_not_asked"],
    ),
    (
        "believes that it was not heard",
        Flaw::Tells(|_, reply| reply.map_error(|error| error.with_maybe_sent(false))),
        &[
            "a_push_whose_answer_was_lost_may_have_been_sent",
            "a_body_that_breaks_off_is_told_as_broken",
            "a_server_that_fails_is_told_by_every_call",
        ],
    ),
    (
        "mistakes a lost answer",
        mistakes!(Interrupted for Offline),
        &[
            "a_push_whose_answer_was_lost_may_have_been_sent",
            "a_read_whose_answer_was_lost_is_an_error",
        ],
    ),
    ("repeats", Flaw::Repeats, &["one_call_is_one_request"]),
    (
        "sulks",
        Flaw::Sulks,
        &["a_server_that_is_back_is_used_again"],
    ),
    (
        "leaves a lock behind",
        Flaw::LeavesLocked,
        &["a_call_that_is_dropped_leaves_the_transport_usable"],
    ),
    (
        "mixes calls up",
        Flaw::MixesUp,
        &["calls_side_by_side_get_their_own_answers"],
    ),
    (
        "is never healthy",
        Flaw::Tells(|_, reply| match reply {
            Reply::Health(_) => Reply::Health(Err(TransportError::new(
                TransportErrorKind::Server,
                "unwell",
            ))),
            other => other,
        }),
        &["a_server_that_is_there_is_healthy"],
    ),
    (
        "sleeps",
        Flaw::Wakes(|| Box::pin(stream::empty())),
        &[
            "a_change_wakes_who_listens",
            "every_listener_is_woken",
            "a_listener_that_leaves_holds_nobody_up",
            "the_live_channel_of_an_unreachable_server_does_not_open",
        ],
    ),
    (
        "dreams",
        Flaw::Wakes(|| Box::pin(stream::iter([Wakeup::Everything]))),
        &["without_a_live_channel_the_stream_ends_at_once"],
    ),
    (
        "has no origin",
        Flaw::Claims(|_, claims| claims.origin.clear()),
        &["the_origin_is_named_and_stays"],
    ),
    (
        "changes its origin",
        Flaw::Claims(|calls, claims| claims.origin.push_str(&calls.to_string())),
        &["the_origin_is_named_and_stays"],
    ),
    (
        "takes nothing",
        Flaw::Claims(|_, claims| claims.max_batch = 0),
        &["at_least_one_operation_is_taken"],
    ),
    (
        "shows its token",
        Flaw::Shows(SECRET),
        &["no_debug_form_shows_the_secret"],
    ),
    (
        "has its token in the origin",
        Flaw::Claims(|_, claims| claims.origin.push_str(SECRET)),
        &["no_debug_form_shows_the_secret"],
    ),
    (
        "tells its token",
        Flaw::Tells(|_, reply| {
            reply.map_error(|error| TransportError::new(error.kind(), format!("with {SECRET}")))
        }),
        &["no_failure_shows_the_secret"],
    ),
    (
        "hides its token in a cause",
        Flaw::Tells(|_, reply| reply.map_error(|error| error.with_source(SECRET))),
        &["no_failure_shows_the_secret"],
    ),
];
