//! The answer to a batch: one outcome for each operation, in order, whatever the server says.
#![no_main]

use fuzz::{Input, STATUSES, id};
use libfuzzer_sys::fuzz_target;
use sync_core::transport::PushOutcome;
use sync_rest::KindRoute;
use sync_rest::fuzz::Answered;

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let status = input.one_of(&STATUSES);
    let ids = [id("e1"), id("e2"), id("e3")];
    let answered = Answered {
        status,
        header: None,
        body: input.0,
    };
    let Ok(results) = answered.batch(&ids, &KindRoute::new()) else {
        return;
    };
    assert_eq!(results.len(), ids.len());
    for (result, id) in results.iter().zip(&ids) {
        assert_eq!(result.key, id.as_str());
        if let PushOutcome::Accepted { state: Some(state) }
        | PushOutcome::Conflict {
            state: Some(state), ..
        } = &result.outcome
            && let Some(record) = state.record()
        {
            assert_eq!(record.id().as_ref(), Ok(id));
        }
    }
});
