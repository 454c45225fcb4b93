//! Tables in Markdown, read as rows of cells.

/// The rows of all tables of a text, without heads and rulers: the cells, trimmed.
pub(crate) fn rows(text: &str) -> Vec<Vec<String>> {
    let lines: Vec<&str> = text.lines().collect();
    let is_row = |line: &str| line.starts_with('|');
    let is_ruler = |line: &str| is_row(line) && line.trim_matches(['|', '-', ' ', ':']).is_empty();
    let is_head = |at: usize| lines.get(at + 1).is_some_and(|next| is_ruler(next));
    lines
        .iter()
        .enumerate()
        .filter(|(at, line)| is_row(line) && !is_ruler(line) && !is_head(*at))
        .map(|(_, line)| cells(line))
        .collect()
}

fn cells(line: &str) -> Vec<String> {
    let inner = line.trim().trim_start_matches('|');
    let inner = inner.strip_suffix('|').unwrap_or(inner);
    inner
        .split('|')
        .map(|cell| cell.trim().to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::rows;

    #[test]
    fn heads_and_rulers_are_no_rows() {
        let text = "text\n\n| a | b |\n|---|---|\n| 1 | |\n| 2 | x y |\n\nmore";
        assert_eq!(rows(text), [["1", ""], ["2", "x y"]]);
    }
}
