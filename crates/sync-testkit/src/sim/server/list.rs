//! How the server lists what changed.

use serde_json::Value;
use sync_core::transport::{PullPage, PullRequest};
use sync_core::{EntityId, Timestamp};

use super::{Key, Paging, SimServer, Stored};

/// A list that cannot go on from the client's cursor.
#[derive(Debug)]
pub(crate) struct CursorExpired;

impl SimServer {
    /// One page; `leaves_out` = a row that this list does not show though it is there.
    pub(crate) fn list(
        &mut self,
        client: u8,
        request: &PullRequest,
        leaves_out: Option<&EntityId>,
    ) -> Result<PullPage, CursorExpired> {
        let from_zero =
            request.since.is_none() && request.page_token.is_none() && request.cursor.is_none();
        let expired = self.expired.remove(&(client, request.kind.clone()));
        if expired && !from_zero {
            return Err(CursorExpired);
        }
        let (chain, skipped) = match request.page_token.as_deref().and_then(parse_token) {
            Some((chain, skipped)) if chain < self.chains.len() => (chain, skipped),
            Some(_) => return Err(CursorExpired),
            None => {
                self.chains.push(self.snapshot(request));
                (self.chains.len() - 1, 0)
            }
        };
        let (since, after_id) = self.place(request);
        let is_asked =
            |row: &&(Key, Stored)| is_behind(&self.shown(row.1.exact), &row.0.1, &since, &after_id);
        let rows = self.chains[chain].iter().filter(is_asked);
        let total = rows.clone().count();
        let cap = self.habits.cap.map_or(u32::MAX, u32::from);
        let limit = request.limit.min(cap) as usize;
        let page: Vec<&(Key, Stored)> = rows.skip(skipped).take(limit).collect();
        let end = skipped + page.len();
        let last = page.last().map(|(key, stored)| {
            let stamp = self.shown(stored.exact);
            format!("{stamp}|{}", key.1)
        });
        // An empty page would end the list.
        let may_lack = page.len() > 1;
        let shown = page
            .into_iter()
            .filter(|(key, _)| !may_lack || leaves_out != Some(&key.1));
        let items = shown.map(|(key, stored)| Value::Object(self.json(key, stored)));
        let mut answer = PullPage::new(items.collect());
        match self.habits.paging {
            Paging::Keyset => {}
            Paging::Tokens => {
                answer.next_page_token = (end < total).then(|| format!("{chain}:{end}"));
            }
            Paging::Cursor => answer.next_cursor = last,
        }
        Ok(answer)
    }

    /// What the list shows now, in order.
    fn snapshot(&self, request: &PullRequest) -> Vec<(Key, Stored)> {
        let mut rows: Vec<(Key, Stored)> = self
            .records()
            .filter(|(key, _)| key.0 == request.kind)
            .filter(|(_, stored)| self.is_listed(stored))
            .map(|(key, stored)| (key.clone(), stored.clone()))
            .collect();
        rows.sort_by(|one, other| (one.1.exact, &one.0.1).cmp(&(other.1.exact, &other.0.1)));
        rows
    }

    /// Where the list begins: an opaque cursor says more than the keyset beside it.
    fn place(&self, request: &PullRequest) -> (Option<Timestamp>, Option<EntityId>) {
        let opaque = request.cursor.as_deref().and_then(|cursor| {
            let (stamp, id) = cursor.split_once('|')?;
            Some((Timestamp::parse(stamp).ok()?, EntityId::new(id).ok()?))
        });
        match opaque {
            Some((stamp, id)) if self.habits.paging == Paging::Cursor => (Some(stamp), Some(id)),
            _ => (request.since.clone(), request.after_id.clone()),
        }
    }
}

fn is_behind(
    stamp: &Timestamp,
    id: &EntityId,
    since: &Option<Timestamp>,
    after_id: &Option<EntityId>,
) -> bool {
    match (since, after_id) {
        (None, _) => true,
        (Some(since), None) => stamp >= since,
        (Some(since), Some(after)) => (stamp, id) > (since, after),
    }
}

/// Which chain of pages, and how many of its rows came already.
fn parse_token(token: &str) -> Option<(usize, usize)> {
    let (chain, skipped) = token.split_once(':')?;
    Some((chain.parse().ok()?, skipped.parse().ok()?))
}
