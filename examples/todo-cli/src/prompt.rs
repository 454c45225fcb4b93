//! Asking a person about a conflict: all three sides beside each other, then each field that both changed.

use std::io::{self, BufRead, Write};

use console::style;
use sync_core::Conflict;

use crate::arguments::Side;
use crate::ids::short;
use crate::merge::{Field, Sides};
use crate::screen::plain;
use crate::table;
use crate::todo::Todo;

/// What a person decided.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Decision {
    Take(Side),
    Merged(Todo),
    Later,
}

/// A person: what they read and what they type.
pub(crate) struct Prompt<R, W> {
    pub(crate) typed: R,
    pub(crate) shown: W,
    /// How wide a line may be.
    pub(crate) width: usize,
}

impl<R: BufRead, W: Write> Prompt<R, W> {
    pub(crate) fn decide(&mut self, conflict: &Conflict<Todo>) -> io::Result<Decision> {
        self.show(conflict)?;
        match Sides::of(conflict) {
            Some(sides) => self.merge(&sides),
            None => self.choose_whole(),
        }
    }

    /// One side is deleted, so there is nothing to merge.
    fn choose_whole(&mut self) -> io::Result<Decision> {
        loop {
            return Ok(
                match self
                    .ask("Keep what is [h]ere or what the [s]erver has, or decide [l]ater?")?
                    .as_str()
                {
                    "h" | "here" => Decision::Take(Side::Here),
                    "s" | "server" => Decision::Take(Side::Server),
                    "l" | "later" => Decision::Later,
                    _ => continue,
                },
            );
        }
    }

    fn merge(&mut self, sides: &Sides<'_>) -> io::Result<Decision> {
        loop {
            let (mut merged, open) = sides.merged();
            for field in open {
                if !self.field(field, sides, &mut merged)? {
                    return Ok(Decision::Later);
                }
            }
            writeln!(self.shown, "\n{}", style("Merged").bold())?;
            let rows = Field::ALL.map(|field| vec![field.name().to_owned(), cell(field, &merged)]);
            self.table(&rows)?;
            loop {
                match self.ask("\nSave it? [y]es, [a]gain, [l]ater")?.as_str() {
                    "y" | "yes" => return Ok(Decision::Merged(merged)),
                    "a" | "again" => break,
                    "l" | "later" => return Ok(Decision::Later),
                    _ => {}
                }
            }
        }
    }

    /// Asks for one field; `false` = later.
    fn field(&mut self, field: Field, sides: &Sides<'_>, merged: &mut Todo) -> io::Result<bool> {
        let name = field.name();
        loop {
            let question = format!(
                "\n{name}: take what is [h]ere, what the [s]erver has, [t]ype another, or [l]ater?"
            );
            match self.ask(&question)?.as_str() {
                "h" | "here" => sides.take(field, Side::Here, merged),
                "s" | "server" => sides.take(field, Side::Server, merged),
                "t" | "type" => {
                    let text = self.ask(&format!("new {name}:"))?;
                    if let Err(why) = field.set(merged, &text) {
                        writeln!(self.shown, "{why}")?;
                        continue;
                    }
                }
                "l" | "later" => return Ok(false),
                _ => continue,
            }
            return Ok(true);
        }
    }

    fn show(&mut self, conflict: &Conflict<Todo>) -> io::Result<()> {
        let (base, here, server) = (
            conflict.base_record(),
            conflict.local.as_ref(),
            conflict.server_record(),
        );
        let what = match (here, server) {
            (Some(_), None) => "was changed here and removed on the server",
            (None, Some(_)) => "was removed here and changed on the server",
            _ => "was changed here and on the server",
        };
        let title = here.or(server).or(base).map_or("", |todo| &todo.title);
        let id = short(conflict.entity_id.as_str());
        let title = style(plain(title)).bold();
        writeln!(self.shown, "\n{title} ({id}) {what}.\n")?;
        let mut rows = vec![
            ["", "before", "here", "server", ""]
                .map(str::to_owned)
                .to_vec(),
        ];
        for field in Field::ALL {
            let side = |todo: Option<&Todo>, none: &str| match todo {
                Some(todo) => cell(field, todo),
                None => none.to_owned(),
            };
            rows.push(vec![
                field.name().to_owned(),
                side(base, "(new)"),
                side(here, "(removed)"),
                side(server, "(removed)"),
                remark(field, conflict).to_owned(),
            ]);
        }
        self.table(&rows)
    }

    fn table(&mut self, rows: &[Vec<String>]) -> io::Result<()> {
        for line in table::lines(rows, self.width) {
            writeln!(self.shown, "{line}")?;
        }
        Ok(())
    }

    /// The end of what is typed means "later": nobody is there any more.
    fn ask(&mut self, question: &str) -> io::Result<String> {
        write!(self.shown, "{question} ")?;
        self.shown.flush()?;
        let mut answer = String::new();
        if self.typed.read_line(&mut answer)? == 0 {
            writeln!(self.shown)?;
            answer.push_str("later");
        }
        Ok(answer.trim().to_owned())
    }
}

/// Whose value a field gets without being asked about.
fn remark(field: Field, conflict: &Conflict<Todo>) -> &'static str {
    let Some(sides) = Sides::of(conflict) else {
        return "";
    };
    let same = field.text(sides.here) == field.text(sides.server);
    match sides.decided(field) {
        None => "you decide",
        Some(_) if same => "",
        Some(Side::Here) => "from here",
        Some(Side::Server) => "from the server",
    }
}

fn cell(field: Field, todo: &Todo) -> String {
    let text = plain(&field.text(todo));
    if text.is_empty() {
        "-".to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sync_core::{EntityId, Env, Kind, ServerState};

    fn todo(title: &str) -> Todo {
        Todo {
            id: "milk".into(),
            title: title.into(),
            done: false,
            notes: None,
            due: None,
        }
    }

    fn live(record: Todo) -> ServerState<Todo> {
        let version = None;
        ServerState::Live { record, version }
    }

    fn conflict(here: Option<Todo>, server: Option<Todo>) -> Conflict<Todo> {
        let (kind, id) = (Kind::new("todos").unwrap(), EntityId::new("milk").unwrap());
        let mut conflict = Conflict::new(kind, id, Env::system().op_id());
        conflict.base = live(todo("Milk"));
        conflict.local = here;
        conflict.server = server.map_or(ServerState::Absent, live);
        conflict
    }

    fn decide(conflict: &Conflict<Todo>, typed: &str) -> (Decision, String) {
        let mut prompt = Prompt {
            typed: typed.as_bytes(),
            shown: Vec::new(),
            width: 80,
        };
        let decision = prompt.decide(conflict).unwrap();
        (decision, String::from_utf8(prompt.shown).unwrap())
    }

    #[test]
    fn only_fields_that_both_changed_are_asked_about() {
        let mut here = todo("Oat milk");
        here.notes = Some("two".into());
        let (decision, shown) = decide(
            &conflict(Some(here.clone()), Some(todo("Rice milk"))),
            "x\nh\ny\n",
        );
        assert_eq!(decision, Decision::Merged(here));
        assert!(shown.contains("title: take"), "{shown}");
        assert!(!shown.contains("notes: take"), "{shown}");
    }

    #[test]
    fn another_value_is_checked_before_it_is_taken() {
        let both = conflict(Some(todo("Oat milk")), Some(todo("Rice milk")));
        let (decision, shown) = decide(&both, "t\n\nt\nSoy milk\na\nt\nPea milk\ny\n");
        assert_eq!(decision, Decision::Merged(todo("Pea milk")));
        assert!(shown.contains("a to-do needs a title"), "{shown}");
    }

    #[test]
    fn a_removal_is_taken_or_not_as_a_whole() {
        let removed = conflict(Some(todo("Oat milk")), None);
        assert_eq!(decide(&removed, "s\n").0, Decision::Take(Side::Server));
        let (decision, shown) = decide(&removed, "h\n");
        assert_eq!(decision, Decision::Take(Side::Here));
        assert!(shown.contains("removed on the server"), "{shown}");
    }

    #[test]
    fn the_end_of_the_input_decides_nothing() {
        let both = conflict(Some(todo("Oat milk")), Some(todo("Rice milk")));
        for typed in ["", "h\n", "t\n", "l\n", "h\nl\n"] {
            assert_eq!(decide(&both, typed).0, Decision::Later, "{typed:?}");
        }
    }

    #[test]
    fn what_others_wrote_does_not_steer_the_terminal() {
        let (_, shown) = decide(
            &conflict(Some(todo("Oat")), Some(todo("\u{1b}[2Jgone"))),
            "l\n",
        );
        assert!(!shown.contains("\u{1b}[2J"), "{shown:?}");
    }
}
