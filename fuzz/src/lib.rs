//! What the targets share: values out of raw bytes, so that most inputs say something.

use serde_json::{Map, Number, Value};
use sync_core::EntityId;

/// Reads an input from its beginning; an input that ends goes on with zeros.
#[derive(Debug)]
pub struct Input<'a>(pub &'a [u8]);

impl<'a> Input<'a> {
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    pub fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// One of these, by the next byte.
    pub fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[usize::from(self.byte()) % choices.len()]
    }

    /// A record with few names and few values, so that several records meet often.
    pub fn record(&mut self) -> Map<String, Value> {
        let count = self.byte() % 6;
        let fields = (0..count).map(|_| (self.one_of(&FIELDS).to_owned(), self.value(0)));
        fields.collect()
    }

    fn value(&mut self, depth: u8) -> Value {
        let kind = self.byte();
        match kind % 8 {
            0 => Value::Null,
            1 => Value::Bool(kind > 127),
            2 => Value::from(kind / 8 % 4),
            3 => Number::from_f64(f64::from(kind / 8 % 4)).map_or(Value::Null, Value::Number),
            4 => Value::from(self.one_of(&[u64::MAX, 1 << 53, (1 << 53) + 1, i64::MAX as u64])),
            5 => Value::from(self.one_of(&["", "a", "b", "\0", "1"])),
            6 if depth < 5 => (0..kind / 8 % 5).map(|_| self.value(depth + 1)).collect(),
            7 if depth < 5 => Value::Object(
                (0..kind / 8 % 4)
                    .map(|_| (self.one_of(&NAMES).to_owned(), self.value(depth + 1)))
                    .collect(),
            ),
            _ => Value::from(i64::MIN),
        }
    }
}

pub const FIELDS: [&str; 7] = ["id", "_rev", "updated_at", "a", "b", "c", ""];
const NAMES: [&str; 4] = ["id", "uuid", "x", "y"];

/// Statuses that mean something, and some that do not.
pub const STATUSES: [u16; 16] = [
    200, 201, 204, 302, 400, 401, 404, 408, 409, 410, 412, 422, 429, 500, 503, 999,
];

/// # Panics
/// Never: the text is a usable id.
pub fn id(text: &str) -> EntityId {
    EntityId::new(text).unwrap()
}

/// How many values a value is made of.
pub fn size(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(size).sum::<usize>(),
        Value::Object(fields) => 1 + fields.values().map(size).sum::<usize>(),
        _ => 1,
    }
}
