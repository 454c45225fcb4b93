//! The to-dos themselves: everything here works without a network.

use console::style;
use serde::Serialize;
use serde_json::json;
use sync_core::{EntityId, EntityState};

use super::Manner;
use crate::app::App;
use crate::arguments::Details;
use crate::failure::{Exit, Failure};
use crate::ids::short;
use crate::merge::Field;
use crate::queue;
use crate::screen::{self, plain};
use crate::todo::Todo;

pub(super) async fn add(
    app: &App,
    manner: &Manner,
    title: &str,
    more: &Details,
) -> Result<Exit, Failure> {
    let mut todo = Todo {
        id: EntityId::generate().to_string(),
        title: String::new(),
        done: false,
        notes: None,
        due: None,
    };
    fill(&mut todo, Some(title), more)?;
    app.todos.create(&todo).await?;
    told(manner, "added", &todo)
}

/// A to-do, and how far its edits are.
#[derive(Serialize)]
struct Entry {
    #[serde(flatten)]
    todo: Todo,
    sync: &'static str,
}

async fn entries(app: &App, todos: Vec<Todo>) -> Result<Vec<Entry>, Failure> {
    let states = queue::states(&app.engine, &todos).await?;
    let entry = |todo: Todo| {
        let state = states.get(&todo.id).copied();
        let sync = state.unwrap_or(EntityState::Synced).as_str();
        Entry { todo, sync }
    };
    Ok(todos.into_iter().map(entry).collect())
}

pub(super) async fn list(app: &App, manner: &Manner, all: bool) -> Result<Exit, Failure> {
    let mut todos = app.todos.find(|todo| all || !todo.done).await?;
    // What is due comes first, then in the order of adding.
    todos.sort_by_key(|todo| (todo.done, todo.due.is_none(), todo.due.clone()));
    let entries = entries(app, todos).await?;
    if manner.json {
        screen::json(&entries)?;
    } else if entries.is_empty() {
        screen::line("nothing to do; `todo-cli add TITLE` adds something");
    } else {
        screen::table(&rows(&entries));
    }
    Ok(Exit::Done)
}

fn rows(entries: &[Entry]) -> Vec<Vec<String>> {
    let heading = ["id", "", "title", "due", "sync"];
    let mut rows = vec![heading.map(str::to_owned).to_vec()];
    for Entry { todo, sync } in entries {
        let quiet = *sync == EntityState::Synced.as_str();
        rows.push(vec![
            short(&todo.id).to_owned(),
            if todo.done { "[x]" } else { "[ ]" }.to_owned(),
            plain(&todo.title),
            plain(todo.due.as_deref().unwrap_or_default()),
            if quiet { "" } else { sync }.to_owned(),
        ]);
    }
    rows
}

pub(super) async fn show(app: &App, manner: &Manner, id: &str) -> Result<Exit, Failure> {
    let todo = app.find(id).await?;
    for entry in entries(app, vec![todo]).await? {
        if manner.json {
            screen::json(&entry)?;
        } else {
            in_full(&entry);
        }
    }
    Ok(Exit::Done)
}

fn in_full(Entry { todo, sync }: &Entry) {
    let fields = Field::ALL.map(|field| (field.name(), plain(&field.text(todo))));
    let (id, sync) = (todo.id.clone(), (*sync).to_owned());
    for (name, text) in [("id", id)]
        .into_iter()
        .chain(fields)
        .chain([("sync", sync)])
    {
        screen::line(format!("{name:<6} {text}").trim_end());
    }
}

pub(super) async fn edit(
    app: &App,
    manner: &Manner,
    id: &str,
    title: Option<&str>,
    more: &Details,
) -> Result<Exit, Failure> {
    if title.is_none() && more.notes.is_none() && more.due.is_none() {
        return Err(Failure::usage(
            "there is nothing to change",
            "give --title, --notes or --due",
        ));
    }
    let before = app.find(id).await?;
    let mut after = before.clone();
    fill(&mut after, title, more)?;
    change(app, manner, &before, &after, "changed").await
}

pub(super) async fn done(
    app: &App,
    manner: &Manner,
    id: &str,
    done: bool,
) -> Result<Exit, Failure> {
    let before = app.find(id).await?;
    let after = Todo {
        done,
        ..before.clone()
    };
    change(
        app,
        manner,
        &before,
        &after,
        if done { "done" } else { "not done" },
    )
    .await
}

pub(super) async fn remove(app: &App, manner: &Manner, id: &str) -> Result<Exit, Failure> {
    let todo = app.find(id).await?;
    app.todos.delete(&todo.id).await?;
    if manner.json {
        screen::json(&json!({"removed": todo.id}))?;
        return Ok(Exit::Done);
    }
    told(manner, "removed", &todo)
}

async fn change(
    app: &App,
    manner: &Manner,
    before: &Todo,
    after: &Todo,
    what: &str,
) -> Result<Exit, Failure> {
    let changed = app.todos.update(before, after).await?;
    told(manner, if changed { what } else { "unchanged" }, after)
}

fn fill(todo: &mut Todo, title: Option<&str>, more: &Details) -> Result<(), Failure> {
    let given = [
        (Field::Title, title),
        (Field::Notes, more.notes.as_deref()),
        (Field::Due, more.due.as_deref()),
    ];
    for (field, text) in given {
        if let Some(text) = text {
            let set = field.set(todo, text);
            set.map_err(|why| Failure::usage(why, format!("give another {}", field.name())))?;
        }
    }
    Ok(())
}

fn told(manner: &Manner, what: &str, todo: &Todo) -> Result<Exit, Failure> {
    if manner.json {
        screen::json(todo)?;
    } else {
        let what = style(what).green();
        screen::line(format_args!(
            "{what} {} {}",
            short(&todo.id),
            plain(&todo.title)
        ));
    }
    Ok(Exit::Done)
}
