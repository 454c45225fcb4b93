//! Reports wrong keys in `#[sync(…)]`, in words that say what to write instead.

use darling::Error;
use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, ExprLit, Lit, Meta, Token};

/// The keys that `#[sync(…)]` knows in one place.
pub(crate) struct Keys {
    /// The place, in words.
    pub(crate) place: &'static str,
    /// Keys that are written `key = "…"`.
    pub(crate) with_text: &'static [&'static str],
    /// Keys that are written `key`.
    pub(crate) words: &'static [&'static str],
}

impl Keys {
    /// Looks at every key before darling does, whose own words name no remedy.
    pub(crate) fn check(&self, attrs: &[Attribute]) -> darling::Result<()> {
        let mut errors = Error::accumulator();
        let mut seen = Vec::new();
        for attr in attrs.iter().filter(|attr| attr.path().is_ident("sync")) {
            let parsed = attr.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated);
            let metas = errors.handle(parsed.map_err(Error::from));
            for meta in metas.into_iter().flatten() {
                let key = meta.path().get_ident().map(ToString::to_string);
                let key = key.unwrap_or_default();
                let objection = if seen.contains(&key) {
                    Some(format!("`{key}` is said already: remove one"))
                } else {
                    self.objection(&key, &meta)
                };
                errors.extend(objection.map(|text| Error::custom(text).with_span(&meta)));
                seen.push(key);
            }
        }
        errors.finish()
    }

    fn objection(&self, key: &str, meta: &Meta) -> Option<String> {
        if self.with_text.contains(&key) {
            (!is_text(meta))
                .then(|| format!("`{key}` needs a text: write `#[sync({key} = \"…\")]`"))
        } else if self.words.contains(&key) {
            (!matches!(meta, Meta::Path(_)))
                .then(|| format!("`{key}` takes no value: write `#[sync({key})]`"))
        } else {
            let with_text = self.with_text.iter().map(|key| format!("`{key} = \"…\"`"));
            let words = self.words.iter().map(|key| format!("`{key}`"));
            let known: Vec<_> = with_text.chain(words).collect();
            Some(format!(
                "unknown key `{key}`: `#[sync(…)]` on {} knows {}",
                self.place,
                known.join(", ")
            ))
        }
    }
}

fn is_text(meta: &Meta) -> bool {
    let Meta::NameValue(pair) = meta else {
        return false;
    };
    matches!(
        &pair.value,
        Expr::Lit(ExprLit {
            lit: Lit::Str(_),
            ..
        })
    )
}
