//! Every setting that a table can have, each seen to do what it says: a test per setting, and it
//! fails when the setting is ignored. `docs/configuration.md` names them.

mod contradictions;
mod direction;
mod each;
mod order;
mod payload;

use std::time::Duration;

use serde_json::json;
use sync_core::Record;
use sync_testkit::{MockServer, RecordedRequest};

use crate::setup::Device;

pub(crate) const LABELS: &str = "labels";

/// The user makes a label.
pub(crate) async fn label(device: &Device, id: &str) {
    let label = Record::try_from(json!({"id": id, "name": id})).unwrap();
    device
        .engine
        .records(LABELS)
        .unwrap()
        .insert(label)
        .await
        .unwrap();
}

/// The kinds of these requests in their order, each as often as it comes again.
fn kinds<'r>(requests: impl IntoIterator<Item = &'r RecordedRequest>) -> Vec<&'r str> {
    let mut kinds: Vec<&str> = requests
        .into_iter()
        .filter_map(RecordedRequest::kind)
        .collect();
    kinds.dedup();
    kinds
}

/// Waits until automatic runs have pulled a kind so often; fails where nothing more comes.
async fn until_pulled(server: &MockServer, kind: &str, times: usize) {
    let pulled = async {
        while server.pulls(kind).len() < times {
            tokio::task::yield_now().await;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(20), pulled).await;
    let count = server.pulls(kind).len();
    assert!(in_time.is_ok(), "{kind} was pulled {count} times");
}

fn pushed(server: &MockServer) -> Vec<String> {
    let pushes = server.pushes();
    kinds(&pushes).into_iter().map(str::to_owned).collect()
}

fn pulled(server: &MockServer) -> Vec<String> {
    let requests = server.recorded();
    let pulls = requests
        .iter()
        .filter(|request| request.kind().is_some_and(|kind| request.is_pull(kind)));
    kinds(pulls).into_iter().map(str::to_owned).collect()
}
