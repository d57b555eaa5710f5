//! A page as a browser lays it out.

use std::env;
use std::ffi::OsString;
use std::io::Write;
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tokio::process::Command;
use tokio::time::timeout;

use crate::tool::TempFile;

/// Where it is set to 1, a test that cannot run fails.
const REQUIRED: &str = "HAPPY_EYEBALLS_REQUIRE_BROWSER";
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const LIMIT: Duration = Duration::from_secs(60);

pub(crate) struct Browser(OsString);

/// What a browser makes of a page, everything in it unfolded. In CSS pixels.
#[derive(Debug, Deserialize)]
pub(crate) struct Measured {
    pub(crate) scroll_width: u32,
    /// Elements that reach beyond the page at either side.
    pub(crate) outside: Vec<String>,
    pub(crate) smallest_text: f64,
}

impl Browser {
    /// `None`, and a loud word, if there is none.
    pub(crate) fn find(test: &str) -> Option<Self> {
        let path = env::var_os("PATH").unwrap_or_default();
        let found = NAMES.iter().find(|name| env::split_paths(&path).any(|directory| directory.join(name).is_file()));
        if found.is_none() {
            let required = env::var_os(REQUIRED).is_some_and(|value| value == "1");
            assert!(!required, "{test} needs chromium");
            // Straight to the descriptor: what a passing test prints is thrown away.
            let _ = writeln!(std::io::stderr(), "SKIPPED: {test} needs chromium");
        }
        found.map(|name| Self(name.into()))
    }

    /// Lays `page` out in frames of these widths. The page's own policy forbids scripts, so the one that measures is
    /// around it.
    pub(crate) async fn measure(&self, page: &str, widths: &[u32]) -> Vec<(u32, Measured)> {
        let quoted = page.replace('&', "&amp;").replace('"', "&quot;");
        let frame = |width| format!("<iframe width={width} height=800 srcdoc=\"{quoted}\"></iframe>");
        let frames: String = widths.iter().map(frame).collect();
        let around = "<!DOCTYPE html><meta charset=utf-8><pre id=measured></pre>";
        let frame = TempFile::new("frame", "html", &format!("{around}{frames}<script>{MEASURE}</script>"));
        let mut measured = self.laid_out(&frame, "first").await;
        if let Err(reason) = &measured {
            println!("once more: {reason}");
            measured = self.laid_out(&frame, "second").await;
        }
        let measured = measured.unwrap_or_else(|reason| panic!("{reason}"));
        assert_eq!(measured.len(), widths.len());
        widths.iter().copied().zip(measured).collect()
    }

    /// What a browser with this profile, a fresh one, has measured, or why nothing: now and then one does not end.
    async fn laid_out(&self, frame: &TempFile, profile: &str) -> Result<Vec<Measured>, String> {
        let profile = env::temp_dir().join(format!("{}-{profile}", frame.path().replace('/', "-")));
        let mut command = Command::new(&self.0);
        command.args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            // It may be small.
            "--disable-dev-shm-usage",
            // None of it is needed, and the end waits for it.
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-first-run",
            "--hide-scrollbars",
            "--dump-dom",
        ]);
        command.arg(format!("--user-data-dir={}", profile.display())).arg(format!("file://{}", frame.path()));
        let output = command.stdin(Stdio::null()).kill_on_drop(true).output();
        let output = timeout(LIMIT, output).await;
        let _ = std::fs::remove_dir_all(profile);
        let output = output.map_err(|_| "the browser does not come to an end")?.expect("the browser runs");
        let dom = String::from_utf8(output.stdout).expect("a page is UTF-8");
        let measured = dom.split_once("id=\"measured\">").and_then(|(_, rest)| rest.split_once("</pre>"));
        let (measured, _) = measured.ok_or_else(|| format!("nothing was measured: {dom}"))?;
        serde_json::from_str(measured).map_err(|error| format!("{error}: {measured}"))
    }
}

/// What is in a box that scrolls by itself may be wider.
const MEASURE: &str = "
const measure = page => {
    for (const folded of page.querySelectorAll('details')) folded.open = true;
    const width = page.documentElement.clientWidth;
    const shown = [...page.body.querySelectorAll('*')].filter(each => !each.closest('.wide > *, svg *'));
    const boxes = shown.map(each => [each.tagName + '.' + each.getAttribute('class'), each.getBoundingClientRect()]);
    const outside = boxes.filter(([, box]) => box.width > 0 && (box.left < -1 || box.right > width + 1));
    const texts = shown.filter(each => [...each.childNodes].some(node => node.nodeType === 3));
    return {
        scroll_width: page.documentElement.scrollWidth,
        outside: outside.map(([name]) => name),
        smallest_text: Math.min(...texts.map(each => parseFloat(getComputedStyle(each).fontSize))),
    };
};
onload = () => {
    const pages = [...document.querySelectorAll('iframe')].map(frame => frame.contentDocument);
    document.querySelector('#measured').textContent = JSON.stringify(pages.map(measure));
};";
