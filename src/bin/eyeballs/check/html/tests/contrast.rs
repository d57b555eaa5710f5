//! WCAG 2.2: text stands out 4.5 to 1 (section 1.4.3), what is drawn 3 to 1 (section 1.4.11).

use std::collections::HashMap;

const STYLE: &str = include_str!("../style.css");

/// The colours of a `:root`.
fn colours(block: &str) -> HashMap<&str, f64> {
    let (_, block) = block.split_once(":root {").expect("it has colours");
    let (block, _) = block.split_once('}').expect("it ends");
    let declared = block.split(';').filter_map(|line| line.trim().strip_prefix("--")?.split_once(": #"));
    declared.map(|(name, hex)| (name, luminance(hex))).collect()
}

fn luminance(hex: &str) -> f64 {
    assert_eq!(hex.len(), 6, "{hex}");
    let linear = |at: usize| {
        let value = f64::from(u8::from_str_radix(&hex[at..at + 2], 16).expect("a colour")) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * linear(0) + 0.7152 * linear(2) + 0.0722 * linear(4)
}

fn contrast(one: f64, other: f64) -> f64 {
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

#[test]
fn everything_stands_out_in_light_and_dark() {
    let (light, dark) = STYLE.split_once("prefers-color-scheme: dark").expect("it has both");
    let (light, dark) = (colours(light), colours(dark));
    let keys = |colours: &HashMap<&'static str, f64>| {
        let mut keys: Vec<_> = colours.keys().copied().collect();
        keys.sort_unstable();
        keys
    };
    assert_eq!(keys(&light), keys(&dark));
    for colours in [light, dark] {
        let assert = |of: &str, on: &str, least: f64| {
            let contrast = contrast(colours[of], colours[on]);
            assert!(contrast >= least, "{of} on {on}: {contrast:.2}");
        };
        for of in ["text", "muted", "ok", "degraded", "down"] {
            assert(of, "page", 4.5);
            assert(of, "card", 4.5);
        }
        for on in ["ok", "degraded", "down"] {
            assert("on-level", on, 4.5);
        }
        for of in ["dns", "tcp", "tls", "http"] {
            assert(of, "card", 3.0);
        }
        for of in ["http", "down"] {
            assert(of, "track", 3.0);
        }
    }
}
