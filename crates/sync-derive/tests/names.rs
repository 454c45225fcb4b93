//! Kind, table, JSON names and columns.

use serde::{Deserialize, Serialize};
use sync_core::{Kind, SyncEntity, TableSchema};

fn pairs(schema: &TableSchema) -> Vec<(&str, &str)> {
    let columns = schema.columns.iter();
    columns
        .map(|column| (column.field.as_str(), column.name.as_str()))
        .collect()
}

#[derive(Serialize, Deserialize, SyncEntity)]
#[sync(kind = "v2.todo-items")]
struct Plain {
    id: String,
}

#[derive(Serialize, Deserialize, SyncEntity)]
#[sync(kind = "todos", table = "todo_items")]
struct Named {
    id: String,
    #[serde(rename = "dueDate")]
    due_date: String,
    #[sync(column = "heading")]
    title: String,
    #[serde(rename(serialize = "kindOf", deserialize = "kindOf"), default)]
    r#type: String,
    #[serde(skip)]
    cache: Vec<String>,
}

#[test]
fn the_table_is_named_like_the_kind_unless_told_otherwise() {
    assert_eq!(
        (Plain::KIND, Plain::TABLE),
        ("v2.todo-items", "v2.todo-items")
    );
    assert_eq!((Named::KIND, Named::TABLE), ("todos", "todo_items"));
    let schema = Named::schema().unwrap();
    assert_eq!(schema.kind, Kind::new("todos").unwrap());
    assert_eq!(schema.table, "todo_items");
}

#[test]
fn json_names_follow_serde_and_columns_follow_the_struct() {
    assert_eq!(
        pairs(&Named::schema().unwrap()),
        [
            ("id", "id"),
            ("dueDate", "due_date"),
            ("title", "heading"),
            ("kindOf", "type")
        ]
    );
}

#[test]
fn a_field_that_serde_skips_has_no_column() {
    let named = Named {
        id: "1".to_owned(),
        due_date: String::new(),
        title: String::new(),
        r#type: String::new(),
        cache: vec!["kept out".to_owned()],
    };
    assert_eq!(named.cache.len(), 1);
    assert!(Named::schema().unwrap().by_field("cache").is_none());
    assert!(!Named::create_table_sql().contains("cache"));
}

/// One entity per value of `rename_all`; the JSON that serde writes is the expectation.
macro_rules! agrees_with_serde {
    ($($test:ident $rule:literal)*) => {$(
        #[test]
        fn $test() {
            #[derive(Default, Serialize, Deserialize, SyncEntity)]
            #[sync(kind = "renamed")]
            #[serde(rename_all = $rule)]
            struct Renamed {
                #[serde(rename = "id")]
                key: String,
                title: String,
                due_date_2: i64,
                under_scores_: i64,
                r#type: bool,
            }
            let written = serde_json::to_value(Renamed::default()).unwrap();
            let mut names: Vec<_> = written.as_object().unwrap().keys().cloned().collect();
            let schema = Renamed::schema().unwrap();
            let mut fields: Vec<_> = schema.columns.into_iter().map(|column| column.field).collect();
            names.sort();
            fields.sort();
            assert_eq!(fields, names);
        }
    )*};
}

agrees_with_serde! {
    lowercase_names_agree_with_serde "lowercase"
    uppercase_names_agree_with_serde "UPPERCASE"
    pascal_case_names_agree_with_serde "PascalCase"
    camel_case_names_agree_with_serde "camelCase"
    snake_case_names_agree_with_serde "snake_case"
    screaming_snake_case_names_agree_with_serde "SCREAMING_SNAKE_CASE"
    kebab_case_names_agree_with_serde "kebab-case"
    screaming_kebab_case_names_agree_with_serde "SCREAMING-KEBAB-CASE"
}

#[test]
fn rename_all_in_one_direction_is_fine_where_the_names_agree() {
    #[derive(Serialize, Deserialize, SyncEntity)]
    #[sync(kind = "one_way")]
    #[serde(rename_all(serialize = "camelCase"))]
    #[serde(rename_all(deserialize = "PascalCase"))]
    struct OneWay {
        #[serde(rename = "id")]
        id: String,
        #[serde(rename(serialize = "DueDate"))]
        due_date: String,
    }
    let schema = OneWay::schema().unwrap();
    assert_eq!(pairs(&schema), [("id", "id"), ("DueDate", "due_date")]);
}
