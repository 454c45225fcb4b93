//! What serde's attributes make of the names, read as serde reads them.

use darling::Error;
use syn::ext::IdentExt;
use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, ExprLit, Ident, Lit, Meta, MetaNameValue, Token};

/// Container attributes under which a record is no longer an object of the struct's fields.
const RESHAPING: [&str; 6] = ["transparent", "from", "try_from", "into", "remote", "tag"];

/// One thing for writing JSON and one for reading it.
#[derive(Default, Clone)]
struct Both<T> {
    write: T,
    read: T,
}

/// `#[serde(…)]` on the struct.
#[derive(Default)]
pub(crate) struct SerdeContainer {
    rename_all: Both<RenameRule>,
}

impl SerdeContainer {
    pub(crate) fn from_attributes(attrs: &[Attribute]) -> darling::Result<Self> {
        let mut errors = Error::accumulator();
        let mut this = Self::default();
        for meta in serde_metas(attrs) {
            let Some(key) = meta.path().get_ident().map(ToString::to_string) else {
                continue;
            };
            if key == "rename_all" {
                let rules = both_names(&meta);
                let rename_all = &mut this.rename_all;
                rename_all.write = rules.write.map_or(rename_all.write.clone(), RenameRule);
                rename_all.read = rules.read.map_or(rename_all.read.clone(), RenameRule);
            } else if RESHAPING.contains(&key.as_str()) {
                errors.push(
                    Error::custom(format!(
                        "`#[serde({key})]` makes the record something else than an object of these \
                         fields: remove it, and convert outside of the entity"
                    ))
                    .with_span(&meta),
                );
            } else if key == "deny_unknown_fields" {
                errors.push(
                    Error::custom(
                        "`#[serde(deny_unknown_fields)]` would make every record unreadable once \
                         the server adds a field: remove it",
                    )
                    .with_span(&meta),
                );
            }
        }
        errors.finish_with(this)
    }
}

/// `#[serde(…)]` on a field, as far as it concerns the column.
pub(crate) struct SerdeField {
    /// The field's name in JSON.
    pub(crate) name: String,
    /// Is the field kept out of JSON, and therefore out of the table?
    pub(crate) skip: bool,
    /// The attribute that writes or reads the value in another form than its type's own.
    pub(crate) custom_form: Option<Meta>,
    /// The attribute that spreads the value over the record.
    pub(crate) flatten: Option<Meta>,
}

impl SerdeField {
    pub(crate) fn from_field(
        ident: &Ident,
        attrs: &[Attribute],
        container: &SerdeContainer,
    ) -> darling::Result<Self> {
        let mut errors = Error::accumulator();
        let rust_name = ident.unraw().to_string();
        let mut names = Both {
            write: container.rename_all.write.apply(&rust_name),
            read: container.rename_all.read.apply(&rust_name),
        };
        let mut skip = Both::<Option<Meta>>::default();
        let mut custom_form = None;
        let mut flatten = None;
        for meta in serde_metas(attrs) {
            let key = meta.path().get_ident().map(ToString::to_string);
            match key.as_deref().unwrap_or_default() {
                "rename" => {
                    let renamed = both_names(&meta);
                    names.write = renamed.write.unwrap_or(names.write);
                    names.read = renamed.read.unwrap_or(names.read);
                }
                "skip" => {
                    skip = Both {
                        write: Some(meta.clone()),
                        read: Some(meta),
                    }
                }
                "skip_serializing" => skip.write = Some(meta),
                "skip_deserializing" => skip.read = Some(meta),
                "with" | "serialize_with" | "deserialize_with" => custom_form = Some(meta),
                "flatten" => flatten = Some(meta),
                "skip_serializing_if" => errors.push(
                    Error::custom(
                        "`skip_serializing_if` makes \"empty\" look like \"not changed\", so a \
                         cleared field would never reach the server: remove it",
                    )
                    .with_span(&meta),
                ),
                _ => {}
            }
        }
        match (&skip.write, &skip.read) {
            (Some(half), None) | (None, Some(half)) => errors.push(
                Error::custom(
                    "a field that goes only one way loses its value: use `#[serde(skip)]` to keep \
                     it out of the table, or `#[sync(local_only)]` to keep it on this device",
                )
                .with_span(half),
            ),
            (None, None) if names.write != names.read => errors.push(
                Error::custom(format!(
                    "written as `{}` but read as `{}`: a synchronised field has one JSON name, \
                     give it with `#[serde(rename = \"…\")]`",
                    names.write, names.read
                ))
                .with_span(ident),
            ),
            _ => {}
        }
        errors.finish_with(Self {
            name: names.write,
            skip: skip.write.is_some(),
            custom_form,
            flatten,
        })
    }
}

/// A value of serde's `rename_all`; empty or unknown to serde, it changes nothing.
#[derive(Default, Clone)]
struct RenameRule(String);

impl RenameRule {
    /// Fields are expected to be written in `snake_case`, as serde expects them.
    fn apply(&self, field: &str) -> String {
        match self.0.as_str() {
            "UPPERCASE" | "SCREAMING_SNAKE_CASE" => field.to_ascii_uppercase(),
            "PascalCase" => pascal_case(field),
            "camelCase" => {
                let mut name = pascal_case(field);
                if let Some(first) = name.get_mut(..1) {
                    first.make_ascii_lowercase();
                }
                name
            }
            "kebab-case" => field.replace('_', "-"),
            "SCREAMING-KEBAB-CASE" => field.to_ascii_uppercase().replace('_', "-"),
            _ => field.to_owned(),
        }
    }
}

fn pascal_case(field: &str) -> String {
    let mut name = String::with_capacity(field.len());
    let mut starts_word = true;
    for c in field.chars() {
        if c == '_' {
            starts_word = true;
        } else {
            name.push(if starts_word {
                c.to_ascii_uppercase()
            } else {
                c
            });
            starts_word = false;
        }
    }
    name
}

/// `key = "name"`, or `key(serialize = "name", deserialize = "name")`.
fn both_names(meta: &Meta) -> Both<Option<String>> {
    match meta {
        Meta::NameValue(pair) => Both {
            write: text(pair),
            read: text(pair),
        },
        Meta::List(list) => {
            let mut names = Both::default();
            let parts =
                list.parse_args_with(Punctuated::<MetaNameValue, Token![,]>::parse_terminated);
            for pair in parts.into_iter().flatten() {
                if pair.path.is_ident("serialize") {
                    names.write = text(&pair);
                } else if pair.path.is_ident("deserialize") {
                    names.read = text(&pair);
                }
            }
            names
        }
        Meta::Path(_) => Both::default(),
    }
}

fn text(pair: &MetaNameValue) -> Option<String> {
    match &pair.value {
        Expr::Lit(ExprLit {
            lit: Lit::Str(text),
            ..
        }) => Some(text.value()),
        _ => None,
    }
}

/// The parts of all `#[serde(…)]`. What cannot be parsed is left to serde, which reports it better.
fn serde_metas(attrs: &[Attribute]) -> impl Iterator<Item = Meta> {
    attrs
        .iter()
        .filter(|attr| attr.path().is_ident("serde"))
        .filter_map(|attr| {
            attr.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)
                .ok()
        })
        .flatten()
}
