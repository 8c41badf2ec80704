//! Text that keeps to a width, with colours that take no room and are never cut.

use comfy_table::{Cell, ColumnConstraint, ContentArrangement, LineStyle, Table, TableStyle};
use textwrap::core::display_width;

use super::{BOLD, Width, painted};

/// A rule under the header, and room between columns.
const PLAIN: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─'));

const GAP: usize = 2;

/// A table of cells that may be coloured and hold several lines.
pub(super) fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> Table {
    let mut table = Table::new();
    table.load_style(PLAIN).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header.iter().map(|name| Cell::new_owned(painted(BOLD, name))));
    for row in rows {
        table.add_row(row.into_iter().map(Cell::new_owned));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, GAP as u16));
    }
    if let Some(last) = table.column_iter_mut().last() {
        last.set_padding((0, 0));
    }
    table
}

/// How wide the table is when no cell wraps.
pub(super) fn natural_width(table: &Table) -> usize {
    let widths = table.column_max_content_widths();
    widths.iter().map(|width| usize::from(*width) + GAP).sum::<usize>().saturating_sub(GAP)
}

/// Makes the table fit by wrapping its last columns, from the given one on; the others keep their width.
pub(super) fn wrap_from(table: &mut Table, first: usize, width: usize) {
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(u16::try_from(width).unwrap_or(u16::MAX));
    for column in table.column_iter_mut().take(first) {
        column.set_constraint(ColumnConstraint::ContentWidth);
    }
}

/// The table as lines, each with its end.
pub(super) fn lines(table: &Table) -> String {
    let mut text = table.trim_fmt();
    text.push('\n');
    text
}

pub(super) fn fits(columns: usize, width: Width) -> bool {
    width.is_none_or(|width| columns <= width)
}

/// Items one after another, in as many lines as they need. An item is never split.
pub(super) fn flow(indent: usize, separator: &str, items: &[String], width: Width) -> String {
    let (mut text, mut column) = (String::new(), 0);
    for item in items {
        let wide = display_width(item);
        let next = column + display_width(separator) + wide;
        if column > 0 && fits(next, width) {
            text.push_str(separator);
            column = next;
        } else {
            if column > 0 {
                text.push('\n');
            }
            text.extend(std::iter::repeat_n(' ', indent));
            column = indent + wide;
        }
        text.push_str(item);
    }
    if column > 0 {
        text.push('\n');
    }
    text
}

/// A label, and words beside it that wrap under themselves; under the label where the width is small.
#[must_use]
pub fn labelled(label: &str, column: usize, words: &str, width: Width) -> String {
    let wide = display_width(label);
    let room = width.unwrap_or(usize::MAX / 2);
    let column = if room < column + 30 { 2 } else { column };
    let gap = if wide < column { column - wide } else { 1 };
    let first = " ".repeat(wide + gap);
    let rest = " ".repeat(column);
    let options = textwrap::Options::new(room)
        .initial_indent(&first)
        .subsequent_indent(&rest)
        .word_splitter(textwrap::WordSplitter::NoHyphenation);
    let wrapped = textwrap::fill(words, options);
    format!("{label}{}\n", wrapped.strip_prefix(&*" ".repeat(wide)).unwrap_or(&wrapped))
}

/// One line of plain text, cut where the width ends.
pub(super) fn cut(line: &str, width: Width) -> String {
    let Some(room) = width.filter(|room| display_width(line) > *room) else { return line.to_owned() };
    let mut wide = 0;
    let fits = |c: &char| {
        wide += display_width(c.encode_utf8(&mut [0; 4]));
        wide < room
    };
    line.chars().take_while(fits).collect::<String>() + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_flow_and_stay_whole() {
        let items = ["one", "two", "three"].map(|item| painted(BOLD, item));
        let plain = |width| anstream::adapter::strip_str(&flow(2, " · ", &items, width)).to_string();
        assert_eq!(plain(None), "  one · two · three\n");
        assert_eq!(plain(Some(12)), "  one · two\n  three\n");
        assert_eq!(plain(Some(1)), "  one\n  two\n  three\n");
    }

    #[test]
    fn a_line_is_cut_by_columns_and_not_by_letters() {
        assert_eq!(cut("gpc0: away", None), "gpc0: away");
        assert_eq!(cut("gpc0: away", Some(10)), "gpc0: away");
        assert_eq!(cut("gpc0: away", Some(9)), "gpc0: aw…");
        assert_eq!(cut("日本語", Some(6)), "日本語");
        assert_eq!(cut("日本語", Some(5)), "日本…");
        assert_eq!(cut("日本語", Some(4)), "日…");
        for width in 1..10 {
            assert!(display_width(&cut("é日本語 and more", Some(width))) <= width, "{width}");
        }
    }

    #[test]
    fn words_wrap_beside_their_label() {
        let label = painted(BOLD, "Fleet");
        let plain = |width| {
            anstream::adapter::strip_str(&labelled(&label, 8, "some words that go on and on", width))
                .to_string()
        };
        assert_eq!(plain(None), "Fleet   some words that go on and on\n");
        assert_eq!(plain(Some(20)), "Fleet some words\n  that go on and on\n");
        for width in 0..60 {
            let words: Vec<_> = plain(Some(width)).split_whitespace().map(str::to_owned).collect();
            assert_eq!(words.concat(), "Fleetsomewordsthatgoonandon", "nothing is lost at {width}");
        }
    }
}
