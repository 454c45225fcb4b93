//! What a table says about single fields: how two changes of one value become one.

/// How the default strategy settles a field that both sides changed to different values.
///
/// A field that only one side changed keeps that change, whatever this says. Where the values are
/// of another form than it needs (a text where it adds numbers), it is as [`FieldMerge::Auto`].
///
/// ```
/// # use sync_core::{Column, ColumnType, FieldMerge};
/// let stock = Column::new("stock", ColumnType::Integer).merge(FieldMerge::SumDelta);
/// let read_at = Column::new("read_at", ColumnType::Timestamp).merge(FieldMerge::Max);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
#[non_exhaustive]
pub enum FieldMerge {
    /// Objects and lists are merged inside, of anything else the local value is kept, and the event
    /// names the field.
    #[default]
    Auto,
    /// The local value is kept as a whole; the event names the field.
    Local,
    /// The server's value is kept as a whole; the event names the field.
    Server,
    /// The greater number, the later point in time, else the text that sorts last.
    Max,
    /// The smaller number, the earlier point in time, else the text that sorts first.
    Min,
    /// The server's number plus what the user added to the base (or took away): both sides'
    /// increments count. A base without a number counts as 0; without any base, or where one side
    /// cleared the number, it is as `Auto`.
    ///
    /// Each increment counts once if the server honours idempotency keys and declares it. On one that
    /// does not, an edit whose answer is lost, and which somebody else then covers, counts twice, and
    /// one that is lost while somebody else makes an equal one does not count.
    SumDelta,
    /// Everything that either list has; what one side removed comes back if the other has changed
    /// the list. Of two objects the keys of both.
    Union,
}
