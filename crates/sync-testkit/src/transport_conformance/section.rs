//! Where in `docs/protocol.md` the rule stands that a behaviour shows.

use super::SERVER_BEHAVIORS;

/// The heading of the section, for a behaviour that a server can show.
pub(super) fn of(name: &str) -> Option<&'static str> {
    let behavior = SERVER_BEHAVIORS.iter().find(|known| known.name == name)?;
    let section = match (behavior.theme, name) {
        (
            _,
            "the_same_key_takes_effect_once" | "a_push_that_is_dropped_takes_effect_at_most_once",
        ) => "Idempotency",
        ("pull", _) => "Pull: `GET /{kind}`",
        ("fetch", _) => "One record: `GET /{kind}/{id}`",
        ("batch", _) => "Batch: `POST /batch`",
        ("push", _) if is_answer(name) => "Answers to a push",
        ("push" | "reach", _) => "Push: `PUT` and `DELETE`",
        (_, name) if name.contains("wake") || name.contains("woken") || name.contains("listen") => {
            "Live: `GET /events`"
        }
        _ => "The wire protocol",
    };
    Some(section)
}

fn is_answer(name: &str) -> bool {
    ["conflict", "missing", "deleted", "answer"]
        .iter()
        .any(|word| name.contains(word))
}

/// Names the section while a behaviour fails.
pub(super) struct Named<'a>(pub(super) &'a str);

impl Drop for Named<'_> {
    fn drop(&mut self) {
        let section = of(self.0).filter(|_| std::thread::panicking());
        if let Some(section) = section {
            let name = self.0;
            eprintln!("`{name}`: the rule is in docs/protocol.md, section “{section}”");
        }
    }
}
