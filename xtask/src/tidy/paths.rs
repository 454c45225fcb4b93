//! Finds the paths in a source file that lead to another module of the same crate.
//!
//! It reads tokens, not syntax: a path inside a macro call is found like any other, comments and strings are not read,
//! and code that is compiled for tests only (`#[cfg(test)]`) is passed over.

use proc_macro2::{Delimiter, Group, LexError, TokenStream, TokenTree};

/// A path from the crate's root, as `["store", "memory", "MemoryStore"]`; a glob ends in `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CratePath {
    pub(super) segments: Vec<String>,
    /// The name that `use … as name` gives it.
    pub(super) alias: Option<String>,
    pub(super) line: usize,
}

/// All paths in `source` that begin with `crate` or `super`; `module` is the file's own place in the crate.
pub(super) fn crate_paths(source: &str, module: &[String]) -> Result<Vec<CratePath>, LexError> {
    let mut paths = Vec::new();
    collect(&tokens_of(source.parse()?), module, &mut paths);
    Ok(paths)
}

/// The paths of all `use` declarations at the top of `source`, the crate's root.
pub(super) fn root_uses(source: &str) -> Result<Vec<CratePath>, LexError> {
    let tokens = tokens_of(source.parse()?);
    let mut paths = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if is_test_only(&tokens[at..]) {
            at += item_length(&tokens[at..]);
        } else if is_ident(&tokens[at], "use") {
            at += 1 + read_tree(&tokens[at + 1..], &[], &mut paths);
        } else {
            at += 1;
        }
    }
    for path in &mut paths {
        if matches!(
            path.segments.first().map(String::as_str),
            Some("crate" | "self")
        ) {
            path.segments.remove(0);
        }
    }
    Ok(paths)
}

fn tokens_of(stream: TokenStream) -> Vec<TokenTree> {
    stream.into_iter().collect()
}

fn collect(tokens: &[TokenTree], module: &[String], paths: &mut Vec<CratePath>) {
    let mut at = 0;
    while at < tokens.len() {
        let rest = &tokens[at..];
        at += if is_test_only(rest) {
            item_length(rest)
        } else if let Some((name, body)) = inline_module(rest) {
            let inner: Vec<String> = module.iter().cloned().chain([name]).collect();
            collect(&tokens_of(body.stream()), &inner, paths);
            3
        } else if starts_path(rest) {
            let mut found = Vec::new();
            let length = read_tree(rest, &[], &mut found);
            paths.extend(found.into_iter().map(|path| from_root(path, module)));
            length
        } else {
            if let TokenTree::Group(group) = &rest[0] {
                collect(&tokens_of(group.stream()), module, paths);
            }
            1
        };
    }
}

/// Reads one use tree or plain path at the start of `tokens` and returns how many tokens it took.
fn read_tree(tokens: &[TokenTree], prefix: &[String], paths: &mut Vec<CratePath>) -> usize {
    let mut segments = prefix.to_vec();
    let mut line = 0;
    let mut at = 0;
    let mut alias = None;
    loop {
        match tokens.get(at) {
            Some(TokenTree::Ident(ident)) => {
                line = ident.span().start().line;
                segments.push(ident.to_string());
                at += 1;
                if is_path_separator(&tokens[at..]) {
                    at += 2;
                    continue;
                }
                if let [keyword, TokenTree::Ident(name), ..] = &tokens[at..]
                    && is_ident(keyword, "as")
                {
                    alias = Some(name.to_string());
                    at += 2;
                }
            }
            Some(TokenTree::Punct(star)) if star.as_char() == '*' => {
                line = star.span().start().line;
                segments.push("*".to_owned());
                at += 1;
            }
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                for branch in tokens_of(group.stream()).split(is_comma) {
                    read_tree(branch, &segments, paths);
                }
                return at + 1;
            }
            _ => {}
        }
        break;
    }
    if segments.len() > prefix.len() {
        paths.push(CratePath {
            segments,
            alias,
            line,
        });
    }
    at.max(1)
}

/// Replaces the leading `crate`, or `super`s, by what they mean in `module`.
fn from_root(mut path: CratePath, module: &[String]) -> CratePath {
    let is_super = |segment: &&String| *segment == "super" || *segment == "self";
    if path.segments.first().is_some_and(|first| first == "crate") {
        path.segments.remove(0);
        return path;
    }
    let leading = path.segments.iter().take_while(is_super).count();
    let named = path.segments.split_off(leading);
    let up = path
        .segments
        .iter()
        .filter(|segment| *segment == "super")
        .count();
    let kept = module.len().saturating_sub(up);
    path.segments = module[..kept].iter().cloned().chain(named).collect();
    path
}

fn starts_path(tokens: &[TokenTree]) -> bool {
    let starts = ["crate", "super", "self"];
    starts.iter().any(|start| is_ident(&tokens[0], start)) && is_path_separator(&tokens[1..])
}

fn is_path_separator(tokens: &[TokenTree]) -> bool {
    let is_colon =
        |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ':');
    tokens.len() >= 2 && tokens[..2].iter().all(is_colon)
}

fn is_ident(token: &TokenTree, name: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident == name)
}

fn is_comma(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',')
}

fn inline_module(tokens: &[TokenTree]) -> Option<(String, &Group)> {
    match tokens {
        [keyword, TokenTree::Ident(name), TokenTree::Group(body), ..]
            if is_ident(keyword, "mod") =>
        {
            Some((name.to_string(), body))
        }
        _ => None,
    }
}

/// True at `#[cfg(test)]` and `#[cfg(all(test, …))]`.
fn is_test_only(tokens: &[TokenTree]) -> bool {
    let [TokenTree::Punct(hash), TokenTree::Group(attribute), ..] = tokens else {
        return false;
    };
    let text: String = attribute.stream().to_string().split_whitespace().collect();
    hash.as_char() == '#' && (text == "cfg(test)" || text.starts_with("cfg(all(test,"))
}

/// The number of tokens up to the end of the item at the start of `tokens`: its body or its semicolon.
fn item_length(tokens: &[TokenTree]) -> usize {
    let is_end = |token: &TokenTree| match token {
        TokenTree::Punct(punct) => punct.as_char() == ';',
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        _ => false,
    };
    let end = tokens.iter().position(is_end);
    end.map_or(tokens.len(), |end| end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(source: &str, module: &[&str]) -> Vec<String> {
        let module: Vec<String> = module.iter().map(|name| (*name).to_owned()).collect();
        let paths = crate_paths(source, &module).unwrap();
        paths.iter().map(|path| path.segments.join("::")).collect()
    }

    #[test]
    fn every_branch_of_a_use_tree_is_a_path() {
        let source = "use crate::{id::{self, Kind}, time::Timestamp as Time, Record};";
        assert_eq!(
            found(source, &["op"]),
            ["id::self", "id::Kind", "time::Timestamp", "Record"]
        );
    }

    #[test]
    fn a_path_in_code_and_in_a_macro_call_is_found() {
        let source = "fn f() -> crate::id::Kind { println!(\"{}\", crate::engine::name(self.x)) }";
        assert_eq!(found(source, &["op"]), ["id::Kind", "engine::name"]);
    }

    #[test]
    fn super_is_resolved_from_the_file_and_from_an_inline_module() {
        assert_eq!(
            found("use super::sibling::X;", &["store", "memory"]),
            ["store::sibling::X"]
        );
        assert_eq!(
            found("use super::super::engine;", &["store", "memory"]),
            ["engine"]
        );
        let inline = "mod a { use super::super::engine; mod b { use super::c; } } use super::id;";
        assert_eq!(found(inline, &["op"]), ["engine", "op::a::c", "id"]);
    }

    #[test]
    fn comments_strings_and_test_code_are_not_read() {
        let source = r#"
            //! See crate::engine.
            /// Or [`crate::engine`].
            const S: &str = "crate::engine";
            #[cfg(test)] use crate::engine;
            #[cfg(test)] #[derive(Debug)] struct S { field: crate::engine::E }
            #[cfg(all(test, unix))] mod tests { use crate::engine::Engine; }
            use crate::id::Kind;
        "#;
        assert_eq!(found(source, &["op"]), ["id::Kind"]);
    }

    #[test]
    fn a_path_knows_its_line() {
        let paths = crate_paths("\n\nuse crate::{\n  id,\n};", &[]).unwrap();
        assert_eq!(paths.iter().map(|path| path.line).collect::<Vec<_>>(), [4]);
    }

    #[test]
    fn the_root_tells_what_it_re_exports_and_as_what() {
        let source = "mod id; pub use id::{Kind, EntityId as Id}; pub use crate::op::Op; #[cfg(test)] use engine::E;";
        let uses = root_uses(source).unwrap();
        let told: Vec<_> = uses
            .iter()
            .map(|path| (path.segments.join("::"), path.alias.as_deref()))
            .collect();
        assert_eq!(
            told,
            [
                ("id::Kind".to_owned(), None),
                ("id::EntityId".to_owned(), Some("Id")),
                ("op::Op".to_owned(), None)
            ]
        );
    }
}
