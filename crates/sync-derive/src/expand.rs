//! The generated code.

use proc_macro2::TokenStream;
use quote::quote;

use crate::entity::Entity;
use crate::field::EntityField;
use crate::types::ColumnType;

pub(crate) fn expand(entity: &Entity) -> TokenStream {
    let Entity {
        ident,
        kind,
        table,
        fields,
        ..
    } = entity;
    let (id, id_field) = (&entity.id.ident, &entity.id.json);
    let columns = fields.iter().map(column);
    let extra = entity.extra.as_ref().map(|name| quote!(.extra(#name)));
    let sql = create_table_sql(entity);
    quote! {
        #[automatically_derived]
        impl ::sync_core::SyncEntity for #ident {
            const KIND: &'static str = #kind;
            const TABLE: &'static str = #table;

            fn schema() -> ::core::result::Result<::sync_core::TableSchema, ::sync_core::InvalidId> {
                let kind = ::sync_core::Kind::new(#kind)?;
                ::core::result::Result::Ok(
                    ::sync_core::TableSchema::new(kind, #table, #id_field)
                        #(.column(#columns))*
                        #extra
                )
            }

            fn create_table_sql() -> ::std::string::String {
                ::std::borrow::ToOwned::to_owned(#sql)
            }

            fn entity_id(&self) -> ::std::string::String {
                ::std::string::ToString::to_string(&self.#id)
            }
        }
    }
}

fn column(field: &EntityField) -> TokenStream {
    let EntityField {
        json, column: name, ..
    } = field;
    let ty = match field.ty {
        ColumnType::Text => quote!(Text),
        ColumnType::Integer => quote!(Integer),
        ColumnType::Real => quote!(Real),
        ColumnType::Boolean => quote!(Boolean),
        ColumnType::Json => quote!(Json),
        ColumnType::Timestamp => quote!(Timestamp),
        ColumnType::Blob => quote!(Blob),
    };
    let of_field = (json != name).then(|| quote!(.field(#json)));
    let nullable = field.nullable.then(|| quote!(.nullable()));
    let local_only = field.local_only.then(|| quote!(.local_only()));
    let merge = field.merge.map(|rule| {
        let variant = rule.variant();
        quote!(.merge(::sync_core::FieldMerge::#variant))
    });
    quote! {
        ::sync_core::Column::new(#name, ::sync_core::ColumnType::#ty)
            #of_field #nullable #local_only #merge
    }
}

fn create_table_sql(entity: &Entity) -> String {
    let mut columns: Vec<_> = entity
        .fields
        .iter()
        .map(|field| {
            let not_null = if field.nullable { "" } else { " NOT NULL" };
            let primary_key = if field.ident == entity.id.ident {
                " PRIMARY KEY"
            } else {
                ""
            };
            let (name, ty) = (quoted(&field.column), field.ty.sqlite());
            format!("  {name} {ty}{not_null}{primary_key}")
        })
        .collect();
    columns.extend(
        entity
            .extra
            .iter()
            .map(|name| format!("  {} TEXT", quoted(name))),
    );
    format!(
        "CREATE TABLE IF NOT EXISTS {} (\n{}\n)",
        quoted(&entity.table),
        columns.join(",\n")
    )
}

/// An SQL identifier.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
