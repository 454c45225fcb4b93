//! What the program says, compared with what it said.

use std::fmt::Write as _;
use std::path::Path;

use super::Device;

/// What calls print, one after another, as a terminal without colours would show it.
pub(crate) fn transcript(device: &Device, calls: &[&[&str]]) -> String {
    let mut text = String::new();
    for call in calls {
        let output = device.run(call);
        let quoted = call.iter().map(|word| {
            if word.is_empty() || word.contains(' ') {
                format!("{word:?}")
            } else {
                (*word).to_owned()
            }
        });
        let line = quoted.collect::<Vec<_>>().join(" ");
        write!(
            text,
            "$ todo-cli {line}\n{}",
            String::from_utf8(output.stdout).unwrap()
        )
        .unwrap();
        text.push_str(&String::from_utf8(output.stderr).unwrap());
        writeln!(text, "[{}]\n", output.status.code().unwrap()).unwrap();
    }
    // The program's name on another system, and what changes from release to release.
    let text = text.replace("todo-cli.exe", "todo-cli");
    let text = text.replace(env!("CARGO_PKG_VERSION"), "(version)");
    let text = if device.server.is_empty() {
        text
    } else {
        text.replace(&device.server, "(server)")
    };
    let lines = text.lines().map(without_received);
    lines.map(|line| without_times(&line) + "\n").collect()
}

/// How many records come depends on the time: what is new is asked for with some overlap.
fn without_received(line: &str) -> String {
    match (
        line.split_once(" sent, "),
        line.split_once("\"received\": "),
    ) {
        (Some((sent, _)), _) if line.ends_with(" received") => {
            format!("{sent} sent, (some) received")
        }
        (_, Some((indent, _))) => format!("{indent}\"received\": (some),"),
        _ => line.to_owned(),
    }
}

/// Every `2026-11-23 17:40` as the same.
fn without_times(text: &str) -> String {
    const SHAPE: &str = "yyyy-mm-dd hh:mm";
    let fits = |text: &str| {
        text.len() >= SHAPE.len()
            && text.bytes().zip(SHAPE.bytes()).all(|(byte, shape)| {
                if shape.is_ascii_lowercase() {
                    byte.is_ascii_digit()
                } else {
                    byte == shape
                }
            })
    };
    let mut plain = String::new();
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let length = if fits(rest) {
            plain.push_str(SHAPE);
            SHAPE.len()
        } else {
            plain.push(letter);
            letter.len_utf8()
        };
        rest = &rest[length..];
    }
    plain
}

pub(crate) fn assert_snapshot(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/snapshots")
        .join(name);
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    let expected = std::fs::read_to_string(&path)
        .unwrap_or_default()
        .replace("\r\n", "\n");
    assert!(
        text == expected,
        "{} says otherwise; UPDATE_SNAPSHOTS=1 writes it anew:\n{text}",
        path.display()
    );
}
