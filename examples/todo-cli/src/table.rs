//! Tables of text: columns as wide as they need, no wider than the terminal.

use console::{Term, measure_text_width, pad_str};

/// Between two columns.
const GAP: usize = 2;

/// How wide lines may be.
pub(crate) fn width() -> usize {
    // Without a terminal the size is a guess of 80.
    usize::from(Term::stdout().size().1).clamp(40, 120)
}

/// The lines of a table. Cells that do not fit are wrapped; `rows` have a cell for each column.
pub(crate) fn lines(rows: &[Vec<String>], width: usize) -> Vec<String> {
    let widths = widths(rows, width);
    rows.iter()
        .flat_map(|row| row_lines(row, &widths))
        .collect()
}

/// The widest columns give way until all fit.
fn widths(rows: &[Vec<String>], width: usize) -> Vec<usize> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let widest = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells
            .map(|cell| measure_text_width(cell))
            .max()
            .unwrap_or_default()
    };
    let mut widths: Vec<usize> = (0..columns).map(widest).collect();
    let room = width
        .saturating_sub(GAP * columns.saturating_sub(1))
        .max(columns * 4);
    while widths.iter().sum::<usize>() > room {
        let Some(widest) = widths.iter_mut().max() else {
            break;
        };
        *widest -= 1;
    }
    widths
}

fn row_lines(row: &[String], widths: &[usize]) -> Vec<String> {
    let cells: Vec<Vec<String>> = row
        .iter()
        .zip(widths)
        .map(|(cell, width)| wrapped(cell, *width))
        .collect();
    let height = cells.iter().map(Vec::len).max().unwrap_or_default();
    let line = |place: usize| {
        let mut line = String::new();
        for (cell, width) in cells.iter().zip(widths) {
            let text = cell.get(place).map_or("", String::as_str);
            line.push_str(&pad_str(text, *width, console::Alignment::Left, None));
            line.push_str(&" ".repeat(GAP));
        }
        line.trim_end().to_owned()
    };
    (0..height).map(line).collect()
}

/// Lines of at most this width, broken between words where that can be.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split_inclusive(' ') {
        let long = measure_text_width(word.trim_end());
        if used > 0 && used + long > width {
            lines.push(String::new());
            used = 0;
        }
        for letter in word.chars() {
            let wide = measure_text_width(letter.encode_utf8(&mut [0; 4]));
            // A space at the end of a line may stick out: it is cut off.
            if used + wide > width && letter != ' ' {
                lines.push(String::new());
                used = 0;
            }
            if let Some(line) = lines.last_mut() {
                line.push(letter);
            }
            used += wide;
        }
    }
    for line in &mut lines {
        line.truncate(line.trim_end().len());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: &[&str]) -> Vec<String> {
        cells.iter().map(|cell| (*cell).to_owned()).collect()
    }

    #[test]
    fn columns_stand_under_each_other_and_long_cells_are_wrapped() {
        let rows = [row(&["a", "short"]), row(&["bb", "three words here"])];
        assert_eq!(lines(&rows, 80), ["a   short", "bb  three words here"]);
        assert_eq!(
            lines(&rows, 15),
            ["a   short", "bb  three words", "    here"]
        );
        let long = [row(&["id", "unbreakable"])];
        assert_eq!(lines(&long, 10), ["id  unbrea", "    kable"]);
    }

    #[test]
    fn wide_letters_count_twice() {
        let rows = [row(&["日本", "x"]), row(&["a", "y"])];
        assert_eq!(lines(&rows, 80), ["日本  x", "a     y"]);
    }
}
