//! The merge functions and resolvers that cases name.

use std::sync::Arc;

use serde_json::{Value, json};
use sync_core::{
    ConflictResolver, MergeFunction, Record, Resolution, deep_merge, default_merge, resolve_fn,
};

pub(crate) fn merge_function(name: &str) -> MergeFunction {
    match name {
        "default_merge" => MergeFunction::new(default_merge),
        "deep_merge" => MergeFunction::new(deep_merge),
        "take_server" => MergeFunction::new(|_, server| server.clone()),
        "sum_qty" => MergeFunction::new(|local, server| {
            let qty = |record: &serde_json::Map<String, Value>| record["qty"].as_i64().unwrap_or(0);
            let mut merged = server.clone();
            merged.insert("qty".to_owned(), json!(qty(local) + qty(server)));
            merged
        }),
        "scramble_system" => MergeFunction::new(|local, server| {
            let mut merged = default_merge(local, server);
            merged.insert("id".to_owned(), json!("zzz"));
            merged.insert("updated_at".to_owned(), json!("1999-01-01T00:00:00Z"));
            merged
        }),
        other => panic!("unknown merge function {other}"),
    }
}

pub(crate) fn resolver(name: &str, merged: &Value) -> Arc<dyn ConflictResolver> {
    let resolution = match name {
        "accept_server" => Some(Resolution::AcceptServer),
        "accept_client" => Some(Resolution::AcceptClient),
        "accept_merged" => {
            let merged = Record::try_from(merged.clone()).expect("`merged` is a record");
            Some(Resolution::AcceptMerged(merged))
        }
        "defer" => Some(Resolution::Defer),
        "discard" => Some(Resolution::Discard),
        "error" | "panic" => None,
        other => panic!("unknown resolver {other}"),
    };
    let panics = name == "panic";
    resolve_fn(move |_| {
        let resolution = resolution.clone();
        async move {
            assert!(!panics, "a resolver that panics");
            resolution.ok_or_else(|| "a resolver that fails".into())
        }
    })
}
