//! What the types that an app gets to see show of themselves.

use serde_json::json;
use sync_core::store::{ConflictEntry, QuarantineEntry};
use sync_core::transport::{
    FetchRequest, PullPage, PullRequest, PushChange, PushOp, PushOutcome, PushRequest, PushResult,
    UnreadableItem,
};
use sync_core::{
    Change, EntityId, Kind, Op, OpId, Precondition, Record, ServerState, Shadow, Timestamp,
    Verdict, preserving_merge,
};

use crate::said::{Said, secret};

fn record() -> Record {
    Record::try_from(json!({"id": "e1", "title": secret("title"), "deep": [{"k": secret("deep")}]}))
        .unwrap()
}

fn live() -> ServerState {
    ServerState::of(record(), None)
}

#[test]
fn requests_answers_and_what_is_stored_show_no_contents() {
    let said = Said::everything();
    let (kind, id) = (Kind::new("notes").unwrap(), EntityId::new("e1").unwrap());
    let now = Timestamp::from_unix_millis(1_700_000_000_000);
    let op_id = OpId::new("o1").unwrap();
    let change = Change::Upsert {
        payload: record(),
        changed: None,
    };
    let mut op = Op::new(
        op_id.clone(),
        kind.clone(),
        id.clone(),
        change.clone(),
        now.clone(),
    );
    op.last_error = Some(secret("words"));
    op.verdict = Some(Verdict {
        change,
        judged: None,
        recreate: false,
        unreliable: false,
        names_all: true,
    });
    said.debug(&op);
    let push = PushOp::new(
        "k".to_owned(),
        op_id.clone(),
        kind.clone(),
        id.clone(),
        PushChange::Upsert {
            record: record(),
            changed: None,
        },
        Precondition::IfAbsent,
    );
    said.debug(&PushRequest::new(vec![push]));
    said.debug(&PullRequest::new(kind.clone(), 5));
    said.debug(&FetchRequest::new(kind.clone(), id.clone()));
    let mut page = PullPage::new(vec![record().into()]);
    page.unreadable
        .push(UnreadableItem::new(None, secret("row"), "why"));
    said.debug(&page);
    for outcome in [
        PushOutcome::Accepted {
            state: Some(live()),
        },
        PushOutcome::Conflict {
            state: Some(live()),
            time: None,
        },
        PushOutcome::Gone {
            state: Some(live()),
        },
        PushOutcome::Refused {
            status: 422,
            message: secret("words"),
        },
    ] {
        said.debug(&PushResult::new("k", outcome));
    }
    said.debug(&Shadow {
        schema_version: 1,
        kind: kind.clone(),
        entity_id: id.clone(),
        base: live(),
        parked: Some(live()),
    });
    said.debug(&ConflictEntry {
        op_id,
        kind: kind.clone(),
        entity_id: id,
        server: live(),
        server_time: None,
        by_choice: false,
        reason: "why".to_owned(),
        detected_at: now.clone(),
    });
    said.debug(&QuarantineEntry {
        kind,
        key: "e1".to_owned(),
        row: record().into(),
        tag: None,
        reason: secret("reason"),
        since: now,
        cause: sync_core::store::QuarantineCause::BadRow,
        schema_version: 1,
    });
    let (local, server) = (record().into_fields(), json!({"title": secret("other")}));
    let server = server.as_object().unwrap().clone();
    said.debug(&preserving_merge(&local, &server, None, None));
    said.debug(&sync_core::store::RowWrite::local(record()));
    said.holds_no_secret();
}

#[test]
fn types_of_the_wire_show_no_contents() {
    use sync_rest::wire::{
        BatchOp, BatchOpKind, BatchRequest, BatchResponse, BatchResult, ConflictBody, PullResponse,
    };
    let said = Said::everything();
    let op = BatchOp {
        op_id: "o".to_owned(),
        kind: "notes".to_owned(),
        id: "e1".to_owned(),
        op_kind: BatchOpKind::Upsert,
        payload: Some(record().into()),
        base_updated_at: None,
        if_absent: false,
        changed_fields: None,
        force: false,
    };
    said.debug(&BatchRequest { ops: vec![op] });
    let mut result = BatchResult::new("o", 200);
    result.data = Some(record().into());
    result.error = Some(record().into());
    said.debug(&BatchResponse {
        results: vec![result],
    });
    said.debug(&ConflictBody {
        error: None,
        current: Some(record().into()),
        server_timestamp: None,
    });
    said.debug(&PullResponse {
        items: vec![record().into()],
        ..PullResponse::default()
    });
    said.holds_no_secret();
}
