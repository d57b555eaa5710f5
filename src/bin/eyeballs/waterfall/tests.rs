use super::*;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn row(label: &str, start: u64, end: u64, marks: &[(u64, Mark)], text: &str, tone: Tone) -> Row {
    let spans = marks.iter().map(|&(start, mark)| Span { start: ms(start), mark }).collect();
    Row { label: label.into(), start: ms(start), end: Some(ms(end)), spans, text: text.into(), tone }
}

fn race() -> Vec<Row> {
    vec![
        row("AAAA host.test", 0, 10, &[(0, Mark::Dns)], "2001:db8::1", Tone::Plain),
        Row { end: None, ..row("A host.test", 0, 0, &[(0, Mark::Dns)], "unanswered", Tone::Lost) },
        row("2001:db8::1", 10, 310, &[(10, Mark::Tcp)], "TCP unanswered", Tone::Lost),
        row("192.0.2.1", 260, 310, &[(260, Mark::Tcp), (290, Mark::Tls)], "won", Tone::Won),
        row("request", 310, 320, &[(310, Mark::Http)], "first byte", Tone::Plain),
    ]
}

fn plain(rows: &[Row], end: u64, width: usize, unicode: bool) -> Vec<String> {
    let drawing = draw("", rows, ms(end), Canvas { width, unicode });
    let plain = anstream::adapter::strip_str(&drawing).to_string();
    plain.lines().map(|line| line.trim_end().to_owned()).collect()
}

#[test]
fn rows_share_one_axis() {
    let expected = [
        "                start   end   0       100    200        ms",
        "AAAA host.test    0.0  10.0  |-                       | 2001:db8::1",
        "A host.test       0.0        |------------------------| unanswered",
        "2001:db8::1      10.0 310.0  | ====================== | TCP unanswered",
        "192.0.2.1       260.0 310.0  |                    ==# | won",
        "request         310.0 320.0  |                       .| first byte",
    ];
    let lines = plain(&race(), 320, 72, false);
    assert_eq!(lines, expected, "{}", lines.join("\n"));
}

#[test]
fn a_long_text_goes_below() {
    let text = "TLS certificate: invalid peer certificate: certificate not valid for name \"www.lab.test\"";
    let rows = [row("::1", 0, 10, &[(0, Mark::Tcp), (5, Mark::Tls)], text, Tone::Failed)];
    let lines = plain(&rows, 10, 60, true);
    assert!(lines.iter().all(|line| line.chars().count() <= 60), "{lines:#?}");
    assert!(lines[2].starts_with("    TLS certificate: invalid"), "{lines:#?}");
    assert_eq!(lines[2..].join(" ").split_whitespace().collect::<Vec<_>>().join(" "), text);
}

#[test]
fn every_time_and_width_can_be_drawn() {
    for end in [0, 1, 7, 99, 1000, 123_456, u64::MAX / 1000] {
        for width in [60, 80, 140, 200] {
            let rows = [
                row("a", 0, 0, &[(0, Mark::Dns)], "", Tone::Plain),
                row("b", end, end, &[(end, Mark::Tcp), (end, Mark::Tls)], "won", Tone::Won),
                row("c", end / 2, end, &[(end / 2, Mark::Tcp)], &"long ".repeat(40), Tone::Failed),
                row(&"name.".repeat(30), 0, end, &[(0, Mark::Dns)], "unanswered", Tone::Lost),
            ];
            let lines = plain(&rows, end, width, true);
            assert!(lines[2].contains('█'), "{lines:#?}");
        }
    }
}

#[test]
fn control_characters_do_not_reach_the_terminal() {
    assert_eq!(clean("a\x1b[2Jb\r\nc\u{9b}d"), "a?[2Jb??c?d");
    assert_eq!(clean("a\u{202e}b\u{2066}c"), "a?b?c");
}
