//! Answers that the work was done for, made wrong afterwards; `false` = this one does not fit.

use sync_core::Timestamp;
use sync_core::record::STAMP_FIELDS;
use sync_core::transport::{PullPage, PullRequest, PushOutcome, PushResult};

use crate::server::StampStyle;

pub(super) fn second_stamps(page: &mut PullPage) -> bool {
    let rows = page.items.iter_mut().filter_map(|row| row.as_object_mut());
    for row in rows {
        for name in STAMP_FIELDS {
            if let Some(value) = row.get_mut(name)
                && let Ok(stamp) = Timestamp::from_json(value)
            {
                *value = StampStyle::Seconds.write(stamp.unix_nanos()).to_json();
            }
        }
    }
    true
}

pub(super) fn repeated_token(request: &PullRequest, page: &mut PullPage) -> bool {
    let fits = request.page_token.is_some();
    if fits {
        page.next_page_token.clone_from(&request.page_token);
    }
    fits
}

pub(super) fn empty_body(results: &mut [PushResult]) -> bool {
    replace(
        results,
        |outcome| matches!(outcome, PushOutcome::Accepted { state: Some(_) }),
        &PushOutcome::Accepted { state: None },
    )
}

pub(super) fn conflicts(results: &mut [PushResult], instead: &PushOutcome) -> bool {
    let is_conflict = |outcome: &PushOutcome| matches!(outcome, PushOutcome::Conflict { .. });
    replace(results, is_conflict, instead)
}

/// What a transport makes of a result of a batch that cannot be used.
pub(super) fn trouble(results: &mut [PushResult], index: usize, message: &str) -> bool {
    let is_batch = results.len() > 1;
    match results.get_mut(index).filter(|_| is_batch) {
        Some(result) => {
            result.outcome = PushOutcome::Trouble {
                message: message.to_owned(),
            };
            true
        }
        None => false,
    }
}

fn replace(
    results: &mut [PushResult],
    fits: impl Fn(&PushOutcome) -> bool,
    instead: &PushOutcome,
) -> bool {
    let mut any = false;
    for result in results.iter_mut().filter(|result| fits(&result.outcome)) {
        result.outcome = instead.clone();
        any = true;
    }
    any
}
