//! Doors for the fuzz targets to what reads a server's bytes; in no other build.

use std::io;

use futures::{FutureExt, StreamExt, stream};
use sync_core::transport::{
    FetchRequest, PullPage, PushChange, PushOp, PushOutcome, PushResult, TransportError, Wakeup,
};
use sync_core::{EntityId, Kind, OpId, Precondition, Record, ServerState, Timestamp};

use crate::answer::{self, BodyBuffer, CheckedBody, Head};
use crate::client::Channel;
use crate::route::KindRoute;

/// Status and body of an answer, whose every header has this text.
#[derive(Debug, Clone, Copy)]
pub struct Answered<'a> {
    /// The status.
    pub status: u16,
    /// What every header says.
    pub header: Option<&'a str>,
    /// The body, as it comes in pieces.
    pub body: &'a [u8],
}

impl Answered<'_> {
    fn head(&self) -> Head {
        Head::read(self.status, &Timestamp::from_unix_millis(0), |_| {
            self.header
        })
    }

    fn body(&self) -> Result<CheckedBody, TransportError> {
        let mut buffer = BodyBuffer::new(64 * 1024);
        for piece in self.body.chunks(7) {
            buffer.push(piece)?;
        }
        Ok(buffer.finish())
    }

    /// As the answer to a pull.
    ///
    /// # Errors
    /// What the transport would say.
    pub fn pull(&self, route: &KindRoute) -> Result<PullPage, TransportError> {
        answer::pull(&self.head(), &self.body()?, route)
    }

    /// As the answer to a fetch of this id.
    ///
    /// # Errors
    /// What the transport would say.
    pub fn fetch(&self, id: &EntityId, route: &KindRoute) -> Result<ServerState, TransportError> {
        let request = FetchRequest::new(kind(), id.clone());
        answer::fetch(&self.head(), &self.body()?, &request, route)
    }

    /// As the answer to a health check.
    ///
    /// # Errors
    /// What the transport would say.
    pub fn health(&self) -> Result<(), TransportError> {
        answer::health(&self.head(), &self.body()?)
    }

    /// As the answer to an upsert, or a delete, of this id.
    ///
    /// # Errors
    /// What the transport would say.
    pub fn push(
        &self,
        id: &EntityId,
        deletes: bool,
        route: &KindRoute,
    ) -> Result<PushOutcome, TransportError> {
        answer::push(&self.head(), &self.body()?, &op(id, deletes), &route.names)
    }

    /// As the answer to a batch of upserts of these ids, whose keys are the ids.
    ///
    /// # Errors
    /// What the transport would say.
    pub fn batch(
        &self,
        ids: &[EntityId],
        route: &KindRoute,
    ) -> Result<Vec<PushResult>, TransportError> {
        let ops: Vec<PushOp> = ids.iter().map(|id| op(id, false)).collect();
        answer::batch(&self.head(), &self.body()?, &ops, |_| &route.names)
    }
}

/// The wake-ups of a live channel that brings these pieces, and the id it would go on from.
#[must_use]
pub fn live(pieces: Vec<Vec<u8>>) -> (Vec<Wakeup>, Option<Vec<u8>>) {
    let channel = Channel::default();
    let pieces = stream::iter(pieces.into_iter().map(io::Result::Ok));
    // All pieces are there already.
    let wakeups = channel.resume(pieces, false).collect().now_or_never();
    let last = channel.last_id().map(|id| id.as_bytes().to_vec());
    (wakeups.unwrap_or_default(), last)
}

fn kind() -> Kind {
    Kind::new("todos").unwrap_or_else(|error| unreachable!("{error}"))
}

fn op(id: &EntityId, deletes: bool) -> PushOp {
    let change = if deletes {
        PushChange::Delete
    } else {
        PushChange::Upsert {
            record: Record::default(),
            changed: None,
        }
    };
    let op_id = OpId::new(id.as_str()).unwrap_or_else(|error| unreachable!("{error}"));
    let key = id.as_str().to_owned();
    PushOp::new(
        key,
        op_id,
        kind(),
        id.clone(),
        change,
        Precondition::IfAbsent,
    )
}
