//! Which targets are checked.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use super::check;
use crate::host::{HTTPS, Host};
use crate::tool::{Get, Run, TempFile, output, run};

fn urls(run: &Run) -> Vec<Value> {
    run.lines().iter().map(|line| line["url"].clone()).collect()
}

#[tokio::test]
async fn a_file_has_one_a_line() {
    let host = Host::with(HTTPS).await;
    let url = host.uri("https");
    let file = TempFile::new("sites", "txt", &format!("\u{feff}# of the lab\n\n  {url}  \r\n#{url}\n{url}?second"));
    let run = check(&host, &["--no-drill", "--json", "--targets", file.path(), &format!("{url}?first")]).await;
    assert_eq!(run.code, 0, "{run:?}");
    let expected = [format!("{url}?first"), url.clone(), format!("{url}?second")];
    assert_eq!(urls(&run), expected.map(|url| json!(url)));
}

#[tokio::test]
async fn a_dash_is_stdin() {
    let host = Host::with(HTTPS).await;
    let url = host.uri("https");
    let get = Get::new(&host);
    let mut command = get.command_of("check", &["--no-drill", "--json", "--targets", "-"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(format!("{url}\n{url}\n").as_bytes()).await.unwrap();
    drop(stdin);
    let output = child.wait_with_output().await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let run = Run { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) };
    assert_eq!((run.code, urls(&run)), (0, vec![json!(url), json!(url)]), "the same twice is checked twice: {run:?}");
}

#[tokio::test]
async fn bad_usage_is_64_and_explained_on_stderr() {
    let (empty, binary) = (TempFile::new("sites", "txt", "# nothing\n\n"), TempFile::new("sites", "txt", ""));
    std::fs::write(binary.path(), b"https://\xff/").unwrap();
    let url = "http://127.0.0.1/";
    let bad: &[(&[&str], &str)] = &[
        (&[], "<URL"),
        (&["--targets", empty.path()], "no URL in it"),
        (&["--targets", empty.path(), url], "no URL in it"),
        (&["--targets", "-"], "--targets -: no URL in it"),
        (&["--targets", "/nowhere/sites.txt"], "--targets /nowhere/sites.txt: No such file"),
        (&["--targets", binary.path()], "UTF-8"),
        (&["--parallel", "0", url], "1..=1000"),
        (&["--parallel", "1001", url], "1..=1000"),
        (&["--ca-file", "/nowhere/ca.pem", url], "/nowhere/ca.pem"),
        (&["--repeat", "2", url], "--repeat"),
    ];
    for (args, said) in bad {
        let run = run(["check"].into_iter().chain(args.iter().copied())).await;
        assert_eq!((run.code, &*run.out), (64, ""), "{args:?}: {run:?}");
        assert!(run.err.contains(said), "{args:?}: {run:?}");
    }
}

#[tokio::test]
async fn a_stdin_that_cannot_be_read_is_said() {
    let mut command = crate::tool::eyeballs(["check", "--targets", "-"]);
    command.stdin(std::fs::File::open(env!("CARGO_TARGET_TMPDIR")).unwrap());
    let run = output(command).await;
    assert_eq!(run.code, 64, "{run:?}");
    assert!(run.err.starts_with("eyeballs: --targets -: "), "{run:?}");
}
