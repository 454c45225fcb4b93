//! A chain of pages: what to ask next, when it ends, and where the cursor may stand (semantics 5).

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use super::incoming::Incoming;
use crate::contents::shortened;
use crate::error::SyncError;
use crate::id::{EntityId, Kind};
use crate::store::CursorState;
use crate::table::Table;
use crate::time::Timestamp;
use crate::transport::PullRequest;

/// Pages that scan what a filter leaves out may be empty for a while; this often is a circle.
const MOST_REPETITIONS: u32 = 500;

/// Does the chain go on?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Next,
    End,
}

/// One chain of pages of one kind.
#[derive(Debug)]
pub(super) struct Chain {
    kind: Kind,
    limit: u32,
    filter: Vec<(String, String)>,
    /// What is stored after the pages so far.
    cursor: CursorState,
    /// What the next request asks: frozen while the server gives tokens.
    since: Option<Timestamp>,
    after_id: Option<EntityId>,
    token: Option<String>,
    opaque: Option<String>,
    /// Fingerprints, for a token may be as long as a page.
    tokens_seen: BTreeSet<u64>,
    /// A page that came before, and how often it came again since.
    milestone: Option<(u64, u32)>,
    /// Ids already seen at the stamp `since`.
    seen_at_since: BTreeSet<EntityId>,
    pages: u32,
    /// The last stamp in the order in which rows came.
    last_stamp: Option<Timestamp>,
}

impl Chain {
    pub(super) fn new(kind: &Kind, table: &Table, mut cursor: CursorState) -> Self {
        if cursor.page_token.is_none() {
            // How far an interrupted chain came says nothing of what has committed late since.
            cursor.reached = None;
            cursor.unordered = false;
        }
        Self {
            kind: kind.clone(),
            limit: table.page_size,
            filter: table.filter.clone(),
            since: cursor.since.clone(),
            after_id: cursor.after_id.clone(),
            token: cursor.page_token.clone(),
            opaque: cursor.opaque.clone(),
            cursor,
            tokens_seen: BTreeSet::new(),
            milestone: None,
            seen_at_since: BTreeSet::new(),
            pages: 0,
            last_stamp: None,
        }
    }

    pub(super) fn cursor(&self) -> &CursorState {
        &self.cursor
    }

    pub(super) fn request(&self) -> PullRequest {
        let mut request = PullRequest::new(self.kind.clone(), self.limit);
        request.since.clone_from(&self.since);
        request.after_id.clone_from(&self.after_id);
        request.page_token.clone_from(&self.token);
        request.cursor.clone_from(&self.opaque);
        request.filter.clone_from(&self.filter);
        if planted!(TokenWithMovedCursor)
            && self.token.is_some()
            && let Some((stamp, id)) = self.cursor.reached.clone()
        {
            (request.since, request.after_id) = (Some(stamp), Some(id));
        }
        request
    }

    /// The server's clock when the chain began; late commits lie behind it.
    pub(super) fn note_date(&mut self, date: Option<&Timestamp>) {
        if self.pages == 0 && self.token.is_none() {
            self.cursor.chain_started = date.cloned();
        }
    }

    /// The server refuses the token of a chain that an earlier run began: the chain starts anew.
    /// `false`: there was no such token.
    pub(super) fn drop_stale_token(&mut self) -> bool {
        let stale = self.pages == 0 && self.token.take().is_some();
        if stale {
            self.cursor.page_token = None;
            self.cursor.reached = None;
            self.cursor.unordered = false;
        }
        stale
    }

    /// Takes a page in.
    pub(super) fn advance(
        &mut self,
        page: &Incoming,
        overlap: Duration,
    ) -> Result<Step, SyncError> {
        let is_news = self.brings_news(page);
        self.note_rows(page);
        self.pages += 1;
        let had_token = self.token.is_some();
        let step = match page.next_page_token.clone() {
            _ if planted!(ShortPageEndsKind) && page.len() < self.limit as usize => Step::End,
            Some(token) => {
                let is_new = self.tokens_seen.insert(fingerprint(&token));
                if !is_new || self.token.as_ref() == Some(&token) {
                    let token = shortened(&token);
                    let message = format!("the server gave the page token {token:?} twice");
                    return Err(self.protocol(message));
                }
                self.watch_for_circles(page)?;
                self.token = Some(token);
                Step::Next
            }
            None if had_token => Step::End,
            None => self.without_token(page, is_news)?,
        };
        if page.next_cursor.is_some() {
            self.opaque.clone_from(&page.next_cursor);
        }
        self.move_cursor(step, overlap);
        Ok(step)
    }

    /// A server whose tokens are always new, but whose pages are not, would be pulled from for ever.
    /// Each page is compared with the last one whose number was a power of two, so that circles of
    /// any length are noticed without remembering the pages.
    fn watch_for_circles(&mut self, page: &Incoming) -> Result<(), SyncError> {
        let this = page.fingerprint();
        match &mut self.milestone {
            Some((milestone, times)) if *milestone == this => {
                *times += 1;
                if *times >= MOST_REPETITIONS {
                    let message = format!(
                        "the server gave the same page {MOST_REPETITIONS} times, each time with another page token"
                    );
                    return Err(self.protocol(message));
                }
            }
            _ if self.pages.is_power_of_two() => self.milestone = Some((this, 0)),
            _ => {}
        }
        Ok(())
    }

    fn without_token(&mut self, page: &Incoming, is_news: bool) -> Result<Step, SyncError> {
        let is_full = page.len() >= self.limit as usize;
        if page.len() == 0 || (!is_news && !is_full) {
            return Ok(Step::End);
        }
        if !is_news {
            return Err(self.protocol(
                "a full page brought nothing new: the server ignores `afterId`, and without a page \
                 token there is no way past rows of one stamp"
                    .to_owned(),
            ));
        }
        if self.cursor.unordered && is_full {
            // Behind the greatest stamp smaller ones may follow, and no token leads to them.
            return Err(self.protocol(
                "a full page without a page token is not in order of stamps: order it by \
                 (updated_at, id), or give tokens"
                    .to_owned(),
            ));
        }
        let reached = self.cursor.reached.clone();
        if let Some((stamp, id)) = reached {
            if self.since.as_ref() != Some(&stamp) {
                self.seen_at_since.clear();
            }
            let at_stamp = page.rows.iter().filter(|row| row.version.stamp == stamp);
            self.seen_at_since
                .extend(at_stamp.map(|row| row.id.clone()));
            self.since = Some(stamp);
            self.after_id = Some(id);
        }
        Ok(Step::Next)
    }

    /// Does the page hold a row that this chain has not seen? Rows that the store has already,
    /// as those of the overlap, count: new ones may lie behind them.
    fn brings_news(&self, page: &Incoming) -> bool {
        page.rows.iter().any(|row| {
            let stamp = &row.version.stamp;
            match &self.since {
                None => true,
                Some(since) if stamp > since => true,
                Some(since) if stamp == since => !self.seen_at_since.contains(&row.id),
                Some(_) => self.pages == 0,
            }
        })
    }

    /// Follows the rows: the greatest stamp, whether they ascend, how fine their stamps are.
    fn note_rows(&mut self, page: &Incoming) {
        for row in &page.rows {
            let stamp = &row.version.stamp;
            if self.last_stamp.as_ref().is_some_and(|last| stamp < last) {
                self.cursor.unordered = true;
            }
            self.last_stamp = Some(stamp.clone());
            let reached = self.cursor.reached.as_ref();
            if reached.is_none_or(|(greatest, _)| stamp >= greatest) {
                self.cursor.reached = Some((stamp.clone(), row.id.clone()));
            }
            let unit = u64::try_from(stamp.precision().as_nanos()).unwrap_or(u64::MAX);
            self.cursor.stamp_unit = self.cursor.stamp_unit.max(unit);
        }
    }

    fn move_cursor(&mut self, step: Step, overlap: Duration) {
        let ended = step == Step::End;
        self.cursor.page_token = if ended { None } else { self.token.clone() };
        let in_order = self.token.is_none() && !self.cursor.unordered;
        if ended || in_order {
            self.advance_keyset(overlap);
            self.cursor.opaque.clone_from(&self.opaque);
        }
        if ended {
            self.cursor.pulled = true;
            self.cursor.reached = None;
            self.cursor.unordered = false;
            self.cursor.chain_started = None;
            if let Some(resync) = &mut self.cursor.resync {
                resync.pulled = true;
            }
        }
    }

    /// Moves the stored keyset to what was reached, but not past what late commits may still fill,
    /// and never back.
    fn advance_keyset(&mut self, overlap: Duration) {
        let Some((stamp, id)) = self.cursor.reached.clone() else {
            return;
        };
        let overlap = overlap.max(Duration::from_nanos(self.cursor.stamp_unit));
        let safe = match &self.cursor.chain_started {
            Some(started) => started.minus(overlap),
            None => stamp.minus(overlap),
        };
        let (since, after_id) = if self.opaque.is_some() || stamp <= safe {
            (stamp, Some(id))
        } else {
            (safe, None)
        };
        let goes_back = self
            .cursor
            .since
            .as_ref()
            .is_some_and(|stored| since < *stored);
        if !goes_back {
            self.cursor.since = Some(since);
            self.cursor.after_id = after_id;
        }
    }

    /// The first pull counts as a full resync.
    pub(super) fn first_pull_done(&mut self, now: Timestamp) {
        if self.cursor.resync.is_none() {
            self.cursor.last_full_resync = Some(now);
        }
    }

    fn protocol(&self, message: String) -> SyncError {
        SyncError::Protocol {
            kind: self.kind.clone(),
            message,
        }
    }
}

fn fingerprint(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
