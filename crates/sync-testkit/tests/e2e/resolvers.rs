//! Resolvers take their time, fail, or put a conflict off.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use futures::future;
use serde_json::json;
use sync_core::{Conflict, Record, Resolution, ResolverError, resolve_fn};
use tokio::sync::oneshot;

use crate::conflicts::in_conflict;
use crate::setup::{NOTES, Setup, assert_fields, converge, server_with_note};

#[tokio::test]
async fn e2e_a_conflict_put_off_by_choice_waits_until_something_changes() {
    let server = server_with_note().await;
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let resolver = resolve_fn(move |_| {
        counter.fetch_add(1, Ordering::SeqCst);
        future::ready(Ok(Resolution::Defer))
    });
    let setup = Setup::new(&server).table(|table| table.resolver(resolver));
    let here = in_conflict(&server, setup).await;
    for _ in 0..4 {
        here.sync().await;
        here.wait();
    }
    assert_eq!(
        (asked.load(Ordering::SeqCst), server.pushes().len()),
        (1, 1)
    );
    server.update(NOTES, "n1", json!({"body": "later"}));
    for _ in 0..3 {
        here.sync().await;
        here.wait();
    }
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    here.edit("n1", json!({"mood": 6})).await;
    here.sync().await;
    assert_eq!(asked.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn hazard_e42_a_resolver_that_fails_or_panics_puts_only_its_conflict_off() {
    for panics in [false, true] {
        let server = server_with_note().await;
        let calls = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&calls);
        let resolver = resolve_fn(move |_| {
            let call = counter.fetch_add(1, Ordering::SeqCst);
            async move {
                match (call, panics) {
                    (0, true) => panic!("a bug of the app's"),
                    (0, false) => Err(ResolverError::from("no window is open")),
                    _ => Ok(Resolution::AcceptClient),
                }
            }
        });
        let setup = Setup::new(&server).table(|table| table.resolver(resolver));
        let here = in_conflict(&server, setup).await;
        here.create("n2", json!({"title": "goes on"})).await;
        let report = here.sync().await;
        assert_eq!((report.stats.pushed, report.open_conflicts), (1, 1));
        here.sync().await;
        assert_eq!(calls.load(Ordering::SeqCst), 1, "not before its time");
        converge(&server, &[&here]).await;
        assert_eq!(calls.load(Ordering::SeqCst), 2);
        assert_fields(
            server.get(NOTES, "n1").as_ref(),
            &json!({"mood": 5, "body": "base"}),
        );
    }
}

#[tokio::test]
async fn hazard_e42_a_resolver_may_take_longer_than_the_run() {
    let server = server_with_note().await;
    let (decide, decision) = oneshot::channel::<Resolution>();
    let decision = Arc::new(Mutex::new(Some(decision)));
    let resolver = resolve_fn(move |_| {
        let decision = decision.lock().unwrap().take();
        async move { Ok(decision.ok_or("asked twice")?.await?) }
    });
    let setup = Setup::new(&server).table(|table| table.resolver(resolver));
    let here = in_conflict(&server, setup).await;
    here.create("n2", json!({"title": "goes on"})).await;
    let report = here.sync().await;
    assert_eq!((report.stats.pushed, report.open_conflicts), (1, 1));
    here.wait();
    assert_eq!(here.sync().await.open_conflicts, 1);
    decide.send(Resolution::AcceptClient).unwrap();
    here.wait();
    here.sync_fully().await;
    assert_fields(
        server.get(NOTES, "n1").as_ref(),
        &json!({"mood": 5, "body": "base"}),
    );
    converge(&server, &[&here]).await;
}

#[tokio::test]
async fn e2e_an_edit_made_while_a_resolver_thinks_is_part_of_the_decision() {
    let server = server_with_note().await;
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    let (wake, woken) = tokio::sync::watch::channel(false);
    let resolver = resolve_fn(move |conflict: Conflict| {
        seen.lock().unwrap().push(conflict.local.clone().unwrap());
        let mut woken = woken.clone();
        async move {
            woken.wait_for(|now| *now).await?;
            let mut local = conflict.local.unwrap_or_default();
            local
                .fields_mut()
                .insert("title".to_owned(), "decided".into());
            Ok(Resolution::AcceptMerged(local))
        }
    });
    let setup = Setup::new(&server).table(|table| table.resolver(resolver));
    let here = in_conflict(&server, setup).await;
    here.sync().await;
    here.edit("n1", json!({"energy": 8})).await;
    wake.send(true).unwrap();
    converge(&server, &[&here]).await;
    let wanted = json!({"mood": 5, "energy": 8, "title": "decided"});
    assert_fields(server.get(NOTES, "n1").as_ref(), &wanted);
    let last: Record = asked.lock().unwrap().last().unwrap().clone();
    assert_eq!(last.get("energy"), Some(&json!(8)));
}

#[tokio::test]
async fn e2e_a_resolver_that_calls_the_engine_does_not_lock_it_up() {
    let server = server_with_note().await;
    let engine: Arc<std::sync::OnceLock<sync_core::SyncEngine>> = Arc::default();
    let inside = Arc::clone(&engine);
    let resolver = resolve_fn(move |conflict: Conflict| {
        let engine = inside.get().cloned();
        async move {
            if let Some(engine) = engine {
                engine
                    .outbox()
                    .discard(&conflict.kind, &conflict.entity_id)
                    .await?;
            }
            Ok(Resolution::Defer)
        }
    });
    let setup = Setup::new(&server).table(|table| table.resolver(resolver));
    let here = in_conflict(&server, setup).await;
    assert!(engine.set(here.engine.clone()).is_ok());
    here.sync().await;
    converge(&server, &[&here]).await;
    assert_eq!(here.engine.outbox().count().await.unwrap(), 0);
}
