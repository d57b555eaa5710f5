use super::*;

const LONG: &str = "2001:db8:1111:2222:3333:4444:5555:6666";

fn cells(texts: &[&str]) -> Vec<Cell> {
    texts.iter().map(|text| Cell::new(*text, BOLD)).collect()
}

fn row(texts: &[&str], facts: &[&str]) -> Row {
    Row { cells: cells(texts), texts: cells(facts) }
}

fn table(rows: impl IntoIterator<Item = Row>) -> Table {
    let columns = [("Address", Align::Left), ("ms", Align::Right), ("via proxy", Align::Left)];
    let mut table = Table::new(columns.map(|(head, align)| (head.to_owned(), align)));
    rows.into_iter().for_each(|row| table.row(row));
    table
}

fn plain(table: &Table, width: usize) -> Vec<String> {
    let drawing = table.draw(Canvas { width, unicode: false });
    anstream::adapter::strip_str(&drawing).to_string().lines().map(str::to_owned).collect()
}

#[test]
fn columns_are_as_wide_as_their_cells() {
    let table = table([row(&["::1", "1.2", "ok"], &[]), row(&["192.0.2.1", "-", "refused"], &[])]);
    let expected = ["Address     ms  via proxy", "::1        1.2  ok       ", "192.0.2.1    -  refused  "];
    assert_eq!(plain(&table, 60).iter().map(|line| line.trim_end()).collect::<Vec<_>>(), expected.map(str::trim_end));
}

#[test]
fn texts_stand_beside_their_row_where_they_fit() {
    let table = table([row(&["::1", "1.2", "ok"], &["one", "two"]), row(&["::2", "1.2", "ok"], &[&"word ".repeat(9)])]);
    let lines = plain(&table, 60);
    assert_eq!(lines[1..3], ["::1      1.2  ok         one", &format!("{:25}two", "")]);
    assert_eq!(lines[4].trim_end(), "    word word word word word word word word word");
}

#[test]
fn what_has_no_room_goes_below_and_is_not_cut() {
    let table = table([row(&[LONG, "1.2", "silent (filtered)"], &[]), row(&["::1", "1.2", "-"], &[])]);
    let lines = plain(&table, 60);
    assert_eq!(lines[1], format!("{LONG}  1.2"));
    assert_eq!(lines[2], "    via proxy silent (filtered)");
    assert_eq!(lines.len(), 4, "nothing is said of what is not there: {lines:#?}");
}

#[test]
fn no_width_is_exceeded() {
    for width in 60..=200 {
        let facts = ["word ".repeat(50), LONG.into()];
        let facts = facts.each_ref().map(String::as_str);
        let rows = [row(&[LONG, "123456.7", "wrong certificate"], &facts), row(&["::1", "-", "-"], &facts[1..])];
        let lines = plain(&table(rows), width);
        assert!(lines.iter().all(|line| line.chars().count() <= width), "{width}: {lines:#?}");
        assert_eq!(lines.join("\n").matches(LONG).count(), 3, "{lines:#?}");
    }
}
