//! The guides, done step by step: what a reader would type into one shell, in a network of its own.
//!
//! Their console blocks share a shell and a folder, which begins with a link to `examples/`. A line after `$ ` is a command,
//! `> ` continues it, and what follows is what it prints (`docs` says how it is compared).

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crate::docs::{Block, blocks, fits};
use crate::program::{directory, repository};

/// Pages whose commands need what came before them.
pub(crate) const GUIDES: [&str; 2] = ["docs/modules.md", "docs/functions.md"];

/// The longest that one command may take.
const PATIENCE: Duration = Duration::from_secs(120);

#[test]
fn the_guide_to_many_modules_holds() {
    check(GUIDES[0]);
}

#[test]
fn the_guide_to_functions_holds() {
    check(GUIDES[1]);
}

fn check(page: &str) {
    if let Some(missing) = ["unshare", "ip", "curl", "python3"].iter().find(|tool| !is_there(tool))
    {
        assert!(std::env::var_os("CI").is_none(), "{missing} is missing");
        // Not by a macro, whose output is only shown when a test fails.
        let _ = writeln!(std::io::stderr(), "SKIPPED: {page} is not tried: {missing} is missing");
        return;
    }
    let folder = directory(&[]);
    let examples = folder.path().join("examples");
    std::os::unix::fs::symlink(repository().join("examples"), examples).expect("a link");
    let mut shell = Shell::start(folder.path());
    let mut count = 0;
    for block in blocks().iter().filter(|block| is_of(block, page)) {
        let mut lines = block.text.lines().peekable();
        while let Some(line) = lines.next() {
            let first = line.strip_prefix("$ ");
            let mut command =
                first.unwrap_or_else(|| panic!("{}: no command: {line}", block.place)).to_owned();
            while let Some(more) = lines.next_if(|line| line.starts_with("> ") || *line == ">") {
                command.push('\n');
                command.push_str(more.strip_prefix("> ").unwrap_or_default());
            }
            let mut expected = Vec::new();
            while let Some(line) = lines.next_if(|line| !line.starts_with("$ ")) {
                expected.push(line);
            }
            let printed = shell.run(&command);
            let printed: Vec<&str> = printed.iter().map(|line| line.trim_end()).collect();
            let told =
                || format!("{}: {command}\n--- printed\n{}", block.place, printed.join("\n"));
            assert!(
                fits(&expected, &printed),
                "{}\n--- all files\n{}",
                told(),
                logs(folder.path())
            );
            count += 1;
        }
    }
    assert!(count >= 5, "{page}: only {count} commands were found");
}

fn is_there(tool: &str) -> bool {
    let mut command = Command::new(tool);
    command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok()
}

pub(crate) fn is_of(block: &Block, page: &str) -> bool {
    block.language == "console" && block.place.starts_with(&format!("{page}:"))
}

/// What programs in the background have said.
fn logs(folder: &Path) -> String {
    let mut all = String::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().extension().is_some_and(|kind| kind == "log") {
            let text = std::fs::read_to_string(entry.path()).unwrap_or_default();
            all.push_str(&format!("{}:\n{text}\n", entry.path().display()));
        }
    }
    all
}

/// A shell in a network of its own, where every port is free. What it started ends with it.
struct Shell {
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
}

impl Shell {
    fn start(folder: &Path) -> Self {
        let binary =
            Path::new(env!("CARGO_BIN_EXE_portway")).parent().expect("it stands in a folder");
        let path = std::env::join_paths(
            std::iter::once(binary.to_owned())
                .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())),
        );
        let mut command = Command::new("unshare");
        command
            .args(["--user", "--map-root-user", "--net", "--pid", "--fork", "--kill-child", "bash"])
            .env("PATH", path.expect("it has no colon in it"))
            .env("PYTHONUNBUFFERED", "1")
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0);
        for name in ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"] {
            command.env_remove(name);
        }
        let mut child = command.spawn().expect("it starts");
        let input = child.stdin.take().expect("it is piped");
        let output = BufReader::new(child.stdout.take().expect("it is piped"));
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let mut shell = Self { child, input, lines };
        let said = shell.run("exec 2>&1; ip link set lo up");
        assert_eq!(said, Vec::<String>::new(), "a network of its own");
        shell
    }

    /// What a command prints. It ends when the shell is ready for the next.
    fn run(&mut self, command: &str) -> Vec<String> {
        const MARK: &str = "--- that was all ---";
        // On a line of its own even if the command does not end its last one.
        writeln!(self.input, "{command}\nprintf '\\n%s\\n' '{MARK}'").expect("the shell listens");
        let mut printed = Vec::new();
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) if line == MARK => break,
                Ok(line) => printed.push(line),
                Err(_) => panic!("{command}: no end of it; it printed\n{}", printed.join("\n")),
            }
        }
        // The line that the mark began.
        if printed.last().is_some_and(String::is_empty) {
            printed.pop();
        }
        printed
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
