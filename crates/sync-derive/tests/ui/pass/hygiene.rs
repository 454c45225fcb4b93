//! The generated code depends on no name of the user's scope.

#![no_implicit_prelude]
#![deny(warnings)]

#[derive(::serde::Serialize, ::serde::Deserialize, ::sync_core::SyncEntity)]
#[sync(kind = "odd-types")]
struct Odd {
    id: ::std::string::String,
    r#type: ::std::option::Option<::std::string::String>,
}

// What careless generated code would pick up instead of the real things.
struct String;
struct Result;
struct Column;
struct ColumnType;
struct TableSchema;
struct Kind;
trait SyncEntity {}
impl SyncEntity for (String, Result, Column, ColumnType, TableSchema, Kind) {}

fn main() {
    let _: &dyn SyncEntity = &(String, Result, Column, ColumnType, TableSchema, Kind);
    let (id, r#type) = (::std::string::String::new(), ::std::option::Option::None);
    let _ = ::sync_core::SyncEntity::entity_id(&Odd { id, r#type });
}
