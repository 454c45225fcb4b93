//! sync-core knows neither SQL nor HTTP: nothing that it pulls in, directly or not, may.

use super::Problem;
use crate::{Result, workspace};
use cargo_metadata::Metadata;

/// Crates that speak to a database or HTTP, with the crates named after them (`sqlx` covers `sqlx-core`).
const FORBIDDEN: &[&str] = &[
    // databases
    "diesel",
    "duckdb",
    "fjall",
    "heed",
    "libsql",
    "libsqlite3-sys",
    "limbo",
    "lmdb",
    "mongodb",
    "mysql",
    "mysql_async",
    "native_db",
    "persy",
    "postgres",
    "redb",
    "redis",
    "rocksdb",
    "rusqlite",
    "sea-orm",
    "sea-query",
    "sled",
    "sqlite",
    "sqlite3-sys",
    "sqlite-wasm-rs",
    "sqlx",
    "surrealdb",
    "tiberius",
    "tokio-postgres",
    "turso",
    // HTTP
    "actix-http",
    "actix-web",
    "attohttpc",
    "awc",
    "axum",
    "curl",
    "h2",
    "h3",
    "http",
    "httparse",
    "hyper",
    "isahc",
    "poem",
    "reqwest",
    "rocket",
    "salvo",
    "surf",
    "tide",
    "tokio-tungstenite",
    "tonic",
    "tower-http",
    "tungstenite",
    "ureq",
    "warp",
];

/// Every feature is on and every platform counts; build scripts and the derive macro's own dependencies count too.
const TREE: &[&str] = &[
    "tree",
    "--package",
    "sync-core",
    "--all-features",
    "--target",
    "all",
    "--edges",
    "normal,build",
    "--prefix",
    "depth",
    "--format",
    " {p}",
];

pub(super) fn check(metadata: &Metadata) -> Result<Vec<Problem>> {
    let output = workspace::cargo(&metadata.workspace_root)
        .args(TREE)
        .output()?;
    if !output.status.success() {
        let reason = String::from_utf8_lossy(&output.stderr);
        return Err(format!("cargo tree failed for sync-core: {reason}").into());
    }
    forbidden_chains(&String::from_utf8(output.stdout)?)
}

/// Reads `cargo tree --prefix depth` and names each forbidden crate with the chain that leads to it.
fn forbidden_chains(tree: &str) -> Result<Vec<Problem>> {
    let mut chain: Vec<&str> = Vec::new();
    let mut problems = Vec::new();
    for line in tree.lines() {
        let mut words = line.split_whitespace();
        let (Some(depth), Some(name)) = (words.next(), words.next()) else {
            continue;
        };
        let depth: usize = depth
            .parse()
            .map_err(|_| format!("cargo tree printed `{line}`, expected a depth and a package"))?;
        chain.truncate(depth);
        chain.push(name);
        if is_forbidden(name) {
            problems.push(format!(
                "{}: move what needs {name} to an adapter crate",
                chain.join(" -> ")
            ));
        }
    }
    if chain.is_empty() {
        return Err("cargo tree printed nothing for sync-core".into());
    }
    Ok(problems)
}

fn is_forbidden(name: &str) -> bool {
    FORBIDDEN.iter().any(|forbidden| {
        name.strip_prefix(forbidden)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '_']))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "\
0 sync-core v0.1.0 (/home/me/sync-core)
1 sync-derive v0.1.0 (proc-macro) (/home/me/sync-derive)
2 syn v2.0.119
1 tokio v1.54.1
";

    #[test]
    fn a_tree_without_database_or_http_passes() {
        assert_eq!(
            forbidden_chains(TREE).unwrap_or_default(),
            Vec::<String>::new()
        );
    }

    #[test]
    fn a_forbidden_crate_is_named_with_the_chain_that_leads_to_it() {
        let tree = TREE.replace("2 syn v2.0.119", "2 syn v2.0.119\n3 hyper-util v0.1.0");
        assert_eq!(
            forbidden_chains(&tree).unwrap_or_default(),
            [
                "sync-core -> sync-derive -> syn -> hyper-util: move what needs hyper-util to an adapter crate"
            ]
        );
    }

    #[test]
    fn a_crate_whose_name_only_begins_alike_is_free() {
        assert!(is_forbidden("sqlx-core"));
        assert!(is_forbidden("http"));
        assert!(!is_forbidden("httpdate"));
        assert!(!is_forbidden("hashbrown"));
    }

    #[test]
    fn an_empty_tree_is_an_error_and_not_a_pass() {
        assert!(forbidden_chains("").is_err());
    }
}
