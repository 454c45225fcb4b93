//! A page as it came, sorted into what can be used and what cannot.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::Value;
use uuid::Uuid;

use crate::id::EntityId;
use crate::record::{Record, id_of, stamp_of};
use crate::time::Timestamp;
use crate::transport::PullPage;
use crate::version::{ServerState, Version};

/// One usable row of a page.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub(super) id: EntityId,
    pub(super) version: Version,
    pub(super) record: Record,
    pub(super) is_deleted: bool,
}

impl Row {
    pub(super) fn into_state(self) -> ServerState {
        let version = Some(self.version);
        if self.is_deleted {
            ServerState::Deleted {
                record: Some(self.record),
                version,
            }
        } else {
            ServerState::Live {
                record: self.record,
                version,
            }
        }
    }
}

/// One row that is not a usable record.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Unusable {
    pub(super) key: String,
    pub(super) row: Value,
    pub(super) reason: String,
}

/// One page.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Incoming {
    pub(super) rows: Vec<Row>,
    pub(super) unusable: Vec<Unusable>,
    pub(super) next_page_token: Option<String>,
    pub(super) next_cursor: Option<String>,
    pub(super) total: Option<u64>,
    pub(super) page_size: u64,
}

impl Incoming {
    /// Sorts a page; `date` is the server's clock when it answered.
    pub(super) fn parse(page: PullPage, date: Option<&Timestamp>) -> Self {
        let latest = date.map(Timestamp::latest_believable);
        let mut incoming = Self {
            rows: Vec::with_capacity(page.items.len()),
            next_page_token: page.next_page_token,
            next_cursor: page.next_cursor,
            total: page.total,
            ..Self::default()
        };
        for item in page.unreadable {
            let row = Value::String(item.text.0);
            let key = item.id.map_or_else(|| key_of(&row), |id| id.to_string());
            let reason = item.reason;
            incoming.unusable.push(Unusable { key, row, reason });
        }
        for item in page.items {
            match read(&item, latest.as_ref()) {
                Ok((id, stamp)) => {
                    if let Value::Object(fields) = item {
                        incoming.rows.push(Row::new(id, stamp, Record::new(fields)));
                    }
                }
                Err(reason) => {
                    let key = key_of(&item);
                    incoming.unusable.push(Unusable {
                        key,
                        row: item,
                        reason,
                    });
                }
            }
        }
        incoming
    }

    /// The same for pages of the same rows, in the same versions.
    pub(super) fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for row in &self.rows {
            (row.id.as_str(), row.version.stamp.unix_nanos()).hash(&mut hasher);
        }
        for row in &self.unusable {
            row.key.hash(&mut hasher);
        }
        hasher.finish()
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len() + self.unusable.len()
    }

    pub(super) fn usable(&self) -> usize {
        self.rows.len()
    }
}

impl Row {
    pub(super) fn new(id: EntityId, stamp: Timestamp, record: Record) -> Self {
        let is_deleted = record.is_deleted();
        Self {
            id,
            version: Version::new(stamp),
            record,
            is_deleted,
        }
    }
}

/// Id and stamp of a row, or why it has none.
pub(super) fn read(
    item: &Value,
    latest: Option<&Timestamp>,
) -> Result<(EntityId, Timestamp), String> {
    let Value::Object(fields) = item else {
        return Err("not a JSON object".to_owned());
    };
    let id = id_of(fields).map_err(|error| error.to_string())?;
    let stamp = stamp_of(fields).map_err(|error| error.to_string())?;
    if latest.is_some_and(|latest| stamp > *latest) {
        return Err(format!(
            "stamp {stamp} is more than a day ahead of the server's own clock"
        ));
    }
    Ok((id, stamp))
}

/// What a row is remembered by: its id, or a fingerprint of its content.
pub(super) fn key_of(item: &Value) -> String {
    let id = item.as_object().and_then(|fields| id_of(fields).ok());
    id.map_or_else(
        || Uuid::new_v5(&Uuid::NAMESPACE_OID, item.to_string().as_bytes()).to_string(),
        |id| id.to_string(),
    )
}

/// Of doubled ids the newest remains; of equal stamps the later one.
pub(super) fn newest_of_each(rows: Vec<Row>) -> Vec<Row> {
    let mut ids: Vec<&EntityId> = rows.iter().map(|row| &row.id).collect();
    ids.sort_unstable();
    if ids.windows(2).all(|pair| pair[0] != pair[1]) {
        return rows;
    }
    let mut places: BTreeMap<EntityId, usize> = BTreeMap::new();
    let mut kept: Vec<Row> = Vec::with_capacity(rows.len());
    for row in rows {
        match places.get(&row.id) {
            Some(&place) => {
                if row.version.stamp >= kept[place].version.stamp {
                    kept[place] = row;
                }
            }
            None => {
                places.insert(row.id.clone(), kept.len());
                kept.push(row);
            }
        }
    }
    kept
}
