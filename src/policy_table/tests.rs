use super::*;

fn of(table: &PolicyTable, ip: &str) -> (u32, u32) {
    let ip = ip.parse().unwrap();
    (table.precedence(ip), table.label(ip))
}

/// Each row of RFC 6724 section 2.1, then what longest match has to tell apart.
///
/// Proves: DAS-1
#[test]
fn the_table_of_rfc6724() {
    let table = PolicyTable::rfc6724();
    for (ip, values) in [
        ("::1", (50, 0)),
        ("2600::1", (40, 1)),
        ("::ffff:192.0.2.1", (35, 4)),
        ("192.0.2.1", (35, 4)),
        ("2002:c000:201::1", (30, 2)),
        ("2001:0:5ef5::1", (5, 5)),
        ("fd11::1", (3, 13)),
        ("fc00::1", (3, 13)),
        ("::192.0.2.1", (1, 3)),
        ("fec0::1", (1, 11)),
        ("feff::1", (1, 11)),
        ("3ffe::1", (1, 12)),
        ("::2", (1, 3)),
        ("::", (1, 3)),
        ("2001:db8::1", (40, 1)),
        ("2003::1", (40, 1)),
        ("fe80::1", (40, 1)),
        ("fe00::1", (40, 1)),
        ("ff02::1", (40, 1)),
    ] {
        assert_eq!(of(&table, ip), values, "{ip}");
    }
    assert!(!table.prefers_ipv4());
}

/// The update draft differs in three precedences.
///
/// Proves: DAS-1
#[test]
fn the_table_of_the_update() {
    let (old, new) = (PolicyTable::rfc6724(), PolicyTable::rfc6724_update());
    assert_eq!(of(&new, "192.0.2.1"), (20, 4));
    assert_eq!(of(&new, "2002::1"), (5, 2));
    assert_eq!(of(&new, "fd11::1"), (30, 13));
    for ip in ["::1", "2600::1", "2001:0:1::1", "::192.0.2.1", "fec0::1", "3ffe::1"] {
        assert_eq!(of(&new, ip), of(&old, ip), "{ip}");
    }
    assert_eq!(old.labels, new.labels);
    assert!(!new.prefers_ipv4());
}

#[test]
fn fixed_rows_go_from_long_to_short_prefixes() {
    for rows in [&PRECEDENCES, &UPDATED_PRECEDENCES, &LABELS] {
        assert!(rows.is_sorted_by_key(|row| 128 - row.len));
    }
}

/// The line that the file's own comments offer, alone: it replaces all precedences and no label.
#[test]
fn one_precedence_line_replaces_all_precedences() {
    let table = PolicyTable::from_gai_conf("precedence ::ffff:0:0/96  100\n");
    assert_eq!(of(&table, "192.0.2.1"), (100, 4));
    for ip in ["::1", "2600::1", "2002::1", "fd11::1"] {
        assert_eq!(table.precedence(ip.parse().unwrap()), 40, "{ip}");
    }
    assert_eq!(table.labels, PolicyTable::rfc6724().labels);
    assert!(table.prefers_ipv4());
}

#[test]
fn one_label_line_replaces_all_labels() {
    let table = PolicyTable::from_gai_conf("label 2600::/16 7");
    assert_eq!(of(&table, "2600::1"), (40, 7));
    assert_eq!(of(&table, "192.0.2.1"), (35, 1));
    assert_eq!(table.precedences, PolicyTable::rfc6724().precedences);
}

#[test]
fn the_longest_prefix_wins_whatever_the_order_of_lines() {
    let lines = ["precedence ::/0 1", "precedence 2600::/16 2", "precedence 2600:1::/32 3", "precedence 2600:1::5 4"];
    let mut reversed = lines;
    reversed.reverse();
    for text in [lines.join("\n"), reversed.join("\r\n")] {
        let table = PolicyTable::from_gai_conf(&text);
        for (ip, precedence) in [("2a00::1", 1), ("2600:2::", 2), ("2600:1::1", 3), ("2600:1::5", 4), ("192.0.2.1", 1)]
        {
            assert_eq!(table.precedence(ip.parse().unwrap()), precedence, "{ip}");
        }
    }
    assert_eq!(PolicyTable::from_gai_conf("label ::/0 3\nlabel ::/0 4").label([192, 0, 2, 1].into()), 4);
}

/// Bits behind the prefix length do not count, and neither do comments, blanks and words behind the value.
#[test]
fn lines_are_read_as_the_system_reads_them() {
    let text = "# comment\n\n \t label\t2600::ffff/16   9 # more\nprecedence ::ffff:0.0.0.0/96 100 or so\nreload yes\n";
    let table = PolicyTable::from_gai_conf(text);
    assert_eq!(of(&table, "2600:1::1"), (40, 9));
    assert_eq!(of(&table, "192.0.2.1"), (100, 1));
}

#[test]
fn bad_lines_are_ignored() {
    for line in [
        "precedence",
        "precedence ::/0",
        "precedence ::/0 -1",
        "precedence ::/0 +1",
        "precedence ::/0 x",
        "precedence ::/0 1x",
        "precedence ::/0 2147483648",
        "precedence ::/0 99999999999999999999",
        "precedence ::/129 1",
        "precedence ::/-1 1",
        "precedence ::/+1 1",
        "precedence ::/ 1",
        "precedence ::/0/0 1",
        "precedence 192.0.2.0/24 1",
        "precedence fe80::1%eth0 1",
        "precedence :: # 1",
        "#precedence ::/0 1",
        "Precedence ::/0 1",
        "precedences ::/0 1",
        "scopev4 ::ffff:169.254.0.0/112 2",
        "label ::/0 \u{fffd}",
        "\0\u{1}\u{7f}",
    ] {
        assert_eq!(PolicyTable::from_gai_conf(line), PolicyTable::rfc6724(), "{line:?}");
        let table = PolicyTable::from_gai_conf(&format!("{line}\nprecedence ::/0 7\n{line}"));
        assert_eq!(table.precedence([192, 0, 2, 1].into()), 7, "{line:?}");
    }
    assert_eq!(PolicyTable::from_gai_conf("precedence ::/0 2147483647").precedence([0; 16].into()), 2_147_483_647);
}

#[test]
fn the_system_has_a_table() {
    assert_eq!(PolicyTable::system(), PolicyTable::system());
    assert_eq!(PolicyTable::system(), PolicyTable::read_system());
}
