//! The code of `docs/events-and-errors.md`.

use futures::StreamExt;
use sync_core::{
    Delivery, EntityId, EventStream, Kind, MemoryStore, PhaseEnd, SyncConfig, SyncEngine,
    SyncError, SyncEvent, SyncReport,
};
use sync_rest::RestTransport;
use sync_testkit::{Fault, MockServer, Route};

use crate::todos::{Outcome, Todo, device, todo};

fn show(text: &str) {
    println!("{text}");
}

async fn listen(mut events: EventStream) {
    while let Some(event) = events.next().await {
        match event {
            SyncEvent::CacheUpdate { kind, .. } => show(&format!("reload the lists of {kind}")),
            SyncEvent::AuthRequired => show("please sign in"),
            SyncEvent::OperationFailed {
                entity_id,
                error,
                will_retry: false,
                ..
            } => {
                show(&format!("{entity_id} was refused: {error}"));
            }
            SyncEvent::ConflictUnresolved { conflict, .. } => {
                show(&format!("{} needs a decision", conflict.entity_id));
            }
            SyncEvent::Lagged(missed) => show(&format!("reload everything, {missed} missed")),
            other => println!("{other}"), // one line without contents, fit for a log
        }
    }
}

fn tell(report: &SyncReport) {
    match &report.push {
        PhaseEnd::Completed | PhaseEnd::Skipped => show("sent"),
        PhaseEnd::Offline { .. } => show("saved here, sent when there is a network"),
        PhaseEnd::AuthRequired => show("please sign in"),
        PhaseEnd::ServerRestored => show("the server was restored: sent after the pull"),
        PhaseEnd::Failed { reason } => show(&format!("not sent: {reason}")),
        _ => {}
    }
    for (kind, reason) in &report.pull_failures {
        show(&format!("{kind} could not be pulled: {reason}"));
    }
    show(&format!("{} wait, {} stuck", report.pending, report.stuck));
}

#[tokio::test]
async fn a_run_is_reported_and_told() -> Outcome {
    let server = MockServer::start().await?;
    let (_store, engine) = device(&server).await?;
    let mut heard = engine.events();

    let listener = tokio::spawn(listen(engine.events()));
    engine
        .writer::<Todo>()?
        .insert(&todo("milk", "Milk"))
        .await?;
    tell(&engine.sync().await?);

    let mut pushed = false;
    while let Some(event) = heard.next().await {
        pushed |= matches!(event, SyncEvent::OperationPushed { .. });
        if matches!(event, SyncEvent::SyncCompleted { .. }) {
            break;
        }
    }
    assert!(pushed);
    drop(engine);
    listener.await?;
    Ok(())
}

#[tokio::test]
async fn being_offline_is_no_error() -> Outcome {
    let server = MockServer::start().await?;
    let (_store, engine) = device(&server).await?;
    engine
        .writer::<Todo>()?
        .insert(&todo("milk", "Milk"))
        .await?;
    server.set_online(false).await?;
    let report = engine.sync().await?;
    assert!(
        matches!(report.push, PhaseEnd::Offline { .. }),
        "{report:?}"
    );
    assert_eq!((report.pending, report.stuck), (1, 0));
    tell(&report);
    Ok(())
}

#[tokio::test]
async fn whether_it_has_arrived_can_be_asked() -> Outcome {
    let server = MockServer::start().await?;
    let (_store, engine) = device(&server).await?;
    engine
        .writer::<Todo>()?
        .insert(&todo("milk", "Milk"))
        .await?;
    server.fault(Fault::status(422)).on(Route::Push);

    let (kind, id) = (Kind::new("todos")?, EntityId::new("milk")?);
    let text = match engine.synced(&kind, &id).await? {
        Delivery::Synced => "arrived",
        Delivery::Offline => "goes out when there is a network",
        Delivery::Retrying => "not yet, it is tried again",
        Delivery::Conflict | Delivery::Stuck => "somebody has to look at it",
        _ => "something else has to come first",
    };
    show(text);

    assert_eq!(text, "not yet, it is tried again");
    Ok(())
}

#[tokio::test]
async fn what_a_write_may_answer() -> Outcome {
    let server = MockServer::start().await?;
    let (_store, engine) = device(&server).await?;
    let todos = engine.writer::<Todo>()?;
    let milk = todo("milk", "Milk");
    todos.insert(&milk).await?;

    match todos.insert(&milk).await {
        Ok(()) => show("saved"),
        Err(SyncError::AlreadyExists { id, .. }) => show(&format!("{id} is there already")),
        Err(SyncError::RowRejected { reason, .. }) => show(&format!("not saved: {reason}")),
        Err(SyncError::Store(error)) if error.is_retryable() => show("try again in a moment"),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

#[tokio::test]
async fn a_slow_listener_is_told_what_it_missed() -> Outcome {
    let server = MockServer::start().await?;
    let store = MemoryStore::new();
    let transport = RestTransport::new(server.url())?;
    let engine = SyncEngine::builder(store, transport)
        .table::<Todo>()
        .config(SyncConfig::default().with_event_capacity(2))
        .build()
        .await?;
    let mut events = engine.events();
    engine.sync().await?;
    assert!(matches!(events.next().await, Some(SyncEvent::Lagged(_))));
    Ok(())
}
