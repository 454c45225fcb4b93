//! The to-dos themselves: everything here works without a network.

use console::style;
use serde_json::json;
use sync_core::EntityId;

use super::Manner;
use crate::app::App;
use crate::arguments::Details;
use crate::failure::{Exit, Failure};
use crate::merge::Field;
use crate::queue;
use crate::screen::{self, plain};
use crate::todo::{Todo, short};

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

pub(super) async fn list(app: &App, manner: &Manner, all: bool) -> Result<Exit, Failure> {
    let mut todos = app.todos.find(|todo| all || !todo.done).await?;
    // What is due comes first, then in the order of adding.
    todos.sort_by_key(|todo| (todo.done, todo.due.is_none(), todo.due.clone()));
    if manner.json {
        screen::json(&todos)?;
        return Ok(Exit::Done);
    }
    if todos.is_empty() {
        screen::line("nothing to do; `todo-cli add TITLE` adds something");
        return Ok(Exit::Done);
    }
    let states = queue::states(&app.engine, &todos).await?;
    let mut rows = vec![
        ["id", "", "title", "due", "sync"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for todo in &todos {
        rows.push(vec![
            short(&todo.id).to_owned(),
            if todo.done { "[x]" } else { "[ ]" }.to_owned(),
            plain(&todo.title),
            plain(todo.due.as_deref().unwrap_or_default()),
            states
                .get(&todo.id)
                .map_or("", |state| state.as_str())
                .to_owned(),
        ]);
    }
    screen::table(&rows);
    Ok(Exit::Done)
}

pub(super) async fn show(app: &App, manner: &Manner, id: &str) -> Result<Exit, Failure> {
    let todo = app.find(id).await?;
    if manner.json {
        screen::json(&todo)?;
        return Ok(Exit::Done);
    }
    screen::line(format_args!("{:<6} {}", "id", todo.id));
    for field in Field::ALL {
        screen::line(
            format_args!("{:<6} {}", field.name(), plain(&field.text(&todo)))
                .to_string()
                .trim_end(),
        );
    }
    Ok(Exit::Done)
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
