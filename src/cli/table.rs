//! Aligned columns, without lines around them: what a person scans and a script can still cut.

use comfy_table::{Cell, ColumnConstraint, ContentArrangement, Table as Grid, TableStyle, Width};

/// Narrower terminals are treated as if they were this wide: a word a line helps nobody.
const LEAST_COLUMNS: u16 = 60;

/// Rows of cells that may hold styles ([`super::paint`]); the last column is wrapped, the others never are.
#[derive(Debug, Default)]
pub struct Table {
    rows: Vec<Vec<String>>,
    indent: usize,
}

impl Table {
    /// Every line begins with `indent` spaces.
    pub fn indented(indent: usize) -> Self {
        Self {
            rows: Vec::new(),
            indent,
        }
    }

    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.into());
    }

    /// The rows as lines, two spaces between columns, at most `width` columns wide if that is known. A column in which
    /// every cell is empty is left out.
    pub fn render(self, width: Option<u16>) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let used: Vec<usize> = (0..columns)
            .filter(|column| {
                self.rows
                    .iter()
                    .any(|row| row.get(*column).is_some_and(|cell| !cell.is_empty()))
            })
            .collect();
        if used.is_empty() {
            return String::new();
        }
        let mut grid = Grid::new();
        grid.load_style(TableStyle::new());
        for row in &self.rows {
            let cells = used
                .iter()
                .map(|column| row.get(*column).map_or("", String::as_str));
            grid.add_row(cells.map(Cell::new).collect::<Vec<Cell>>());
        }
        for (place, column) in grid.column_iter_mut().enumerate() {
            let first = place == 0;
            column.set_padding((
                if first {
                    u16::try_from(self.indent).unwrap_or(0)
                } else {
                    2
                },
                0,
            ));
            if place + 1 < used.len() {
                column.set_constraint(ColumnConstraint::ContentWidth);
            }
        }
        match width {
            Some(width) => {
                let width = width.max(LEAST_COLUMNS);
                grid.set_content_arrangement(ContentArrangement::Dynamic);
                grid.set_width(width);
                if let Some(last) = grid.column_mut(used.len() - 1) {
                    last.set_constraint(ColumnConstraint::UpperBoundary(Width::Fixed(width)));
                }
            }
            None => {
                grid.set_content_arrangement(ContentArrangement::Disabled);
            }
        }
        let lines = grid.lines().map(|line| line.trim_end().to_owned() + "\n");
        lines.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::paint::{Style, plain};

    fn table() -> Table {
        let mut table = Table::indented(2);
        table.row(["SLOT".into(), String::new(), "INSTANCE".into(), "WHY".into()]);
        let why = "the credentials belong to account 111122223333, the policy says 444455556666: nothing is done there";
        table.row([
            "blue".into(),
            String::new(),
            Style::Good.paint("i-0aa"),
            why.into(),
        ]);
        table.row([
            "greenish".into(),
            String::new(),
            "i-0bb".into(),
            "one\ntwo".into(),
        ]);
        table
    }

    #[test]
    fn columns_align_whatever_their_colours_and_an_empty_one_is_left_out() {
        insta::assert_snapshot!(plain(&table().render(None)), @r#"
        SLOT      INSTANCE  WHY
        blue      i-0aa     the credentials belong to account 111122223333, the policy says 444455556666: nothing is done there
        greenish  i-0bb     one
                            two
        "#);
    }

    #[test]
    fn in_a_terminal_the_last_column_wraps_under_itself() {
        let text = plain(&table().render(Some(70)));
        assert!(text.lines().all(|line| line.chars().count() <= 70), "{text}");
        insta::assert_snapshot!(text, @r#"
        SLOT      INSTANCE  WHY
        blue      i-0aa     the credentials belong to account 111122223333,
                            the policy says 444455556666: nothing is done
                            there
        greenish  i-0bb     one
                            two
        "#);
    }

    #[test]
    fn nothing_is_rendered_as_nothing() {
        assert_eq!(Table::default().render(Some(80)), "");
    }
}
