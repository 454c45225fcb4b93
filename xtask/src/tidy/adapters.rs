//! Which library crate may build on which other: adapters meet in an application, never in each other.

use super::Problem;
use crate::{Result, workspace};
use cargo_metadata::{DependencyKind, Metadata, Package};

/// Every library crate with the library crates that it may use. Tests (dev-dependencies) may use any.
const MAY_USE: &[(&str, &[&str])] = &[
    ("sync-derive", &[]),
    ("sync-core", &["sync-derive"]),
    ("sync-sqlx", &["sync-core"]),
    ("sync-rest", &["sync-core"]),
    ("sync-testkit", &["sync-core", "sync-rest"]),
];

/// (user, used, features): the mock server speaks the wire types and does not drag the HTTP client along.
const WITHOUT_FEATURES: (&str, &str, &[&str]) =
    ("sync-testkit", "sync-rest", &["client", "rustls"]);

pub(super) fn check(metadata: &Metadata) -> Result<Vec<Problem>> {
    let crates: Vec<&Package> = workspace::library_crates(metadata).collect();
    let unknown = crates.iter().filter_map(|package| unknown(&package.name));
    Ok(unknown
        .chain(uses(&crates).iter().filter_map(Use::problem))
        .collect())
}

fn unknown(name: &str) -> Option<Problem> {
    may_use(name).is_none().then(|| {
        format!(
            "{name} is not in the table: add it, and what it may use, to xtask/src/tidy/adapters.rs"
        )
    })
}

fn may_use(name: &str) -> Option<&'static [&'static str]> {
    let row = MAY_USE.iter().find(|(user, _)| *user == name)?;
    Some(row.1)
}

/// One library crate's dependency on another.
struct Use {
    user: String,
    used: String,
    default_features: bool,
    features: Vec<String>,
}

fn uses(crates: &[&Package]) -> Vec<Use> {
    let is_library = |name: &str| crates.iter().any(|package| package.name == name);
    let of_package = |package: &&Package| {
        let user = package.name.to_string();
        let dependencies = package.dependencies.clone().into_iter();
        dependencies
            .filter(|dependency| dependency.kind != DependencyKind::Development)
            .filter(|dependency| is_library(&dependency.name))
            .map(move |dependency| Use {
                user: user.clone(),
                used: dependency.name,
                default_features: dependency.uses_default_features,
                features: dependency.features,
            })
    };
    crates.iter().flat_map(of_package).collect()
}

impl Use {
    fn problem(&self) -> Option<Problem> {
        let Self { user, used, .. } = self;
        if !may_use(user)?.contains(&used.as_str()) {
            return Some(format!(
                "{user} depends on {used}: let the application, or a test, bring the two together"
            ));
        }
        let (without_user, without_used, unwanted) = WITHOUT_FEATURES;
        let is_restricted = (without_user, without_used) == (user, used);
        let turns_on_unwanted = self.default_features
            || self
                .features
                .iter()
                .any(|feature| unwanted.contains(&feature.as_str()));
        (is_restricted && turns_on_unwanted).then(|| {
            format!(
                "{user} turns on features of {used}: set `default-features = false` and none of {}",
                unwanted.join(", ")
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain_use(user: &str, used: &str) -> Use {
        Use {
            user: user.to_owned(),
            used: used.to_owned(),
            default_features: false,
            features: Vec::new(),
        }
    }

    #[test]
    fn an_adapter_may_use_the_core_and_no_other_adapter() {
        assert_eq!(plain_use("sync-sqlx", "sync-core").problem(), None);
        let problem = plain_use("sync-sqlx", "sync-rest").problem();
        assert!(problem.is_some_and(|text| text.starts_with("sync-sqlx depends on sync-rest")));
    }

    #[test]
    fn the_core_may_not_use_an_adapter() {
        assert!(plain_use("sync-core", "sync-sqlx").problem().is_some());
    }

    #[test]
    fn the_testkit_may_use_the_wire_types_and_not_the_client() {
        let wire_types = plain_use("sync-testkit", "sync-rest");
        assert_eq!(wire_types.problem(), None);
        let with_defaults = Use {
            default_features: true,
            ..plain_use("sync-testkit", "sync-rest")
        };
        assert!(with_defaults.problem().is_some());
        let with_client = Use {
            features: vec!["client".to_owned()],
            ..wire_types
        };
        assert!(with_client.problem().is_some());
    }

    #[test]
    fn a_library_crate_that_the_table_does_not_know_is_reported() {
        assert!(unknown("sync-new").is_some());
        assert_eq!(unknown("sync-core"), None);
    }
}
