//! rust-analyzer in code that uses the attributes: completion while a method is half typed, hover, and go to definition.
//!
//! The tests need the rust-analyzer of the toolchain (`rustup component add rust-analyzer`). Without it they are ignored, unless
//! `CI` is set.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::{env, fs};

use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::{Value, json};

/// A processor with a place for something half typed. `¦` marks the cursor.
const SOURCE: &str = "\
use std::cell::Cell;

use kcl::{Json, Record};

#[derive(serde::Deserialize)]
pub struct Order {
    cents: u64,
}

#[derive(Default)]
pub struct Revenue {
    cents: Cell<u64>,
}

#[kcl::processor(checkpoint = batch, warn_after = \"5m\", log_payloads = false, runtime = multi_thread, worker_threads = 4)]
impl Revenue {
    #[on_record(retry = 3, concurrency = 64, order = none, ahead = 1, ahead_bytes = \"1 MiB\", drain = \"5s\", timeout = \"1s\")]
    async fn add(&self, Json(order): Json<Order>) {
        self.cents.set(self.cents.get() + order.cents);
    }

    #[on_tick(every = \"5s\")]
    fn tick(&self) {}

    HALF_TYPED

    fn total(&self) -> u64 {
        INSIDE
    }
}

pub fn report(revenue: &Revenue, _: &Record) {
    OUTSIDE
}
";

/// States of a method that is being typed.
const HALF_TYPED: [(&str, &str); 13] = [
    ("an_attribute", "#[on_]"),
    ("an_attribute_without_a_method", "#[on_shard_end]"),
    ("the_keyword", "#[on_shard_end]\n    fn"),
    ("a_name", "#[on_shard_end]\n    fn finish"),
    ("parentheses", "#[on_shard_end]\n    fn finish()"),
    ("an_argument_without_a_type", "#[on_shard_end]\n    fn finish(&mut self, shard) {}"),
    ("a_reference_to_nothing", "#[on_shard_end]\n    fn finish(&mut self, shard: &) {}"),
    ("a_path", "#[on_shard_end]\n    fn finish(&mut self, shard: kcl::) {}"),
    ("an_arrow", "#[on_shard_end]\n    fn finish(&mut self) -> {}"),
    ("async", "#[on_shard_end]\n    async"),
    ("async_fn", "#[on_shard_end]\n    async fn finish"),
    ("an_async_argument", "#[on_shard_end]\n    async fn finish(&mut self, checkpointer: &mut ) {}"),
    ("an_await", "#[on_shard_end]\n    async fn finish(&mut self) { std::future::ready(()). }"),
];

type Test = Box<dyn FnOnce(&mut Editor) -> Result<(), Failed> + Send>;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let missing = !is_installed() && env::var_os("CI").is_none();
    let trial = |name: String, test: Test| {
        Trial::test(name, move || with_editor(test))
            .with_kind(if missing { "no rust-analyzer" } else { "" })
            .with_ignored_flag(missing)
    };
    let completion = HALF_TYPED.iter().map(|&(name, state)| {
        trial(format!("completion_after::{name}"), Box::new(move |editor| completes(editor, state)))
    });
    let hover = [
        ("processor", "record processor"),
        ("on_record", "A processor has"),
        ("retry", "the number of retries"),
        ("checkpoint", "Who checkpoints"),
        ("every", "The shortest time"),
        ("warn_after", "reported on stderr"),
        ("log_payloads", "may quote payloads"),
        ("runtime", "polls `async` handlers"),
        ("worker_threads", "number of worker threads"),
        ("concurrency", "handled at once"),
        ("order", "the order"),
        ("ahead", "number of batches"),
        ("ahead_bytes", "a limit in bytes"),
        ("drain", "running records get"),
        ("timeout", "longest time of an attempt"),
    ]
    .map(|(name, text)| trial(format!("hover_explains::{name}"), Box::new(move |editor| explains(editor, name, text))));
    let definition = ["on_record", "retry"].map(|name| {
        trial(format!("go_to_definition::{name}"), Box::new(move |editor| finds_the_definition(editor, name)))
    });
    let conclusion = libtest_mimic::run(&arguments, completion.chain(hover).chain(definition).collect());
    if let Some(editor) = EDITOR.get() {
        editor.lock().unwrap_or_else(PoisonError::into_inner).close();
    }
    conclusion.exit_code()
}

/// The other members and the fields are offered, within the impl and outside of it.
fn completes(editor: &mut Editor, state: &str) -> Result<(), Failed> {
    let inside = editor.completion(&source(state, "self.¦", ""))?;
    expect(&inside, &["cents", "total", "add"])?;
    let outside = editor.completion(&source(state, "self.cents", "revenue.¦"))?;
    expect(&outside, &["total", "add"])
}

fn explains(editor: &mut Editor, name: &str, expected: &str) -> Result<(), Failed> {
    let source = source("", "self.cents", "");
    // An option, or else an attribute.
    let option = format!(" {name} =");
    let marked = match source.contains(&option) {
        true => source.replacen(&option, &format!(" ¦{name} ="), 1),
        false => source.replacen(name, &format!("¦{name}"), 1),
    };
    let hover = editor.ask("textDocument/hover", &marked)?;
    let text = hover["contents"]["value"].as_str().unwrap_or_default();
    // The signature comes first, and then the documentation.
    if text.contains(expected) && text.contains("\n---\n") { Ok(()) } else { Err(format!("{hover}").into()) }
}

fn finds_the_definition(editor: &mut Editor, name: &str) -> Result<(), Failed> {
    let marked = source("", "self.cents", "").replacen(name, &format!("¦{name}"), 1);
    let found = editor.ask("textDocument/definition", &marked)?.to_string();
    if found.contains("/kcl-macros/src/") || found.contains("/kcl/src/") { Ok(()) } else { Err(found.into()) }
}

fn source(half_typed: &str, inside: &str, outside: &str) -> String {
    SOURCE.replace("HALF_TYPED", half_typed).replace("INSIDE", inside).replace("OUTSIDE", outside)
}

fn expect(labels: &[String], expected: &[&str]) -> Result<(), Failed> {
    let is_offered = |name: &&str| labels.iter().any(|label| label.starts_with(*name));
    if expected.iter().all(is_offered) { Ok(()) } else { Err(format!("{expected:?} of {labels:?}").into()) }
}

fn is_installed() -> bool {
    Command::new("rust-analyzer")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

static EDITOR: OnceLock<Mutex<Editor>> = OnceLock::new();

/// Runs a test in the one editor, which is slow to start.
fn with_editor(test: impl FnOnce(&mut Editor) -> Result<(), Failed>) -> Result<(), Failed> {
    let editor = EDITOR.get_or_init(|| Mutex::new(Editor::open().expect("rust-analyzer starts")));
    test(&mut editor.lock().unwrap_or_else(PoisonError::into_inner))
}

/// A conversation with rust-analyzer about one file.
struct Editor {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    file: PathBuf,
    version: u64,
}

impl Editor {
    fn open() -> Result<Self, Failed> {
        let folder = package()?;
        let file = folder.join("src/lib.rs");
        let mut child = Command::new("rust-analyzer")
            .current_dir(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let (input, output) = (child.stdin.take().ok_or("no stdin")?, child.stdout.take().ok_or("no stdout")?);
        let mut editor = Self { child, input, output: BufReader::new(output), file, version: 0 };
        let capabilities = json!({
            "experimental": { "serverStatusNotification": true },
            "textDocument": { "hover": { "contentFormat": ["markdown"] } },
        });
        let options = json!({
            "cachePriming": { "enable": false },
            "checkOnSave": false,
            "cargo": { "targetDir": folder.join("target") },
        });
        editor.request(
            "initialize",
            json!({ "processId": null, "rootUri": uri(&folder), "capabilities": capabilities, "initializationOptions": options }),
        )?;
        editor.send(&json!({ "jsonrpc": "2.0", "method": "initialized", "params": {} }))?;
        let document = json!({ "uri": uri(&editor.file), "languageId": "rust", "version": 0, "text": SOURCE });
        editor.send(
            &json!({ "jsonrpc": "2.0", "method": "textDocument/didOpen", "params": { "textDocument": document } }),
        )?;
        // Macros are expanded once the workspace is loaded and the macros are built.
        loop {
            let message = editor.receive()?;
            if message["method"] == "experimental/serverStatus" && message["params"]["quiescent"] == true {
                return Ok(editor);
            }
        }
    }

    fn close(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }

    /// The labels of what is offered at the cursor.
    fn completion(&mut self, marked: &str) -> Result<Vec<String>, Failed> {
        let answer = self.ask("textDocument/completion", marked)?;
        let items = answer.as_array().or_else(|| answer["items"].as_array()).ok_or("no list")?;
        Ok(items.iter().filter_map(|item| item["label"].as_str()).map(str::to_owned).collect())
    }

    /// Changes the text, and asks about the place of the cursor in it.
    fn ask(&mut self, method: &str, marked: &str) -> Result<Value, Failed> {
        let offset = marked.find('¦').ok_or("no cursor")?;
        let before = &marked[..offset];
        let line = before.matches('\n').count();
        let character = before.len() - before.rfind('\n').map_or(0, |end| end + 1);
        self.version += 1;
        let document = json!({ "uri": uri(&self.file), "version": self.version });
        let change = json!({ "textDocument": document, "contentChanges": [{ "text": marked.replacen('¦', "", 1) }] });
        self.send(&json!({ "jsonrpc": "2.0", "method": "textDocument/didChange", "params": change }))?;
        let position = json!({ "line": line, "character": character });
        self.request(method, json!({ "textDocument": { "uri": uri(&self.file) }, "position": position }))
    }

    /// Sends a request until it is answered: rust-analyzer cancels one that a change of its own overtakes.
    fn request(&mut self, method: &str, params: Value) -> Result<Value, Failed> {
        loop {
            self.version += 1;
            let id = self.version;
            self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }))?;
            let answer = loop {
                let message = self.receive()?;
                if message["id"] == id && message.get("method").is_none() {
                    break message;
                }
                // A request of rust-analyzer, for example for its configuration.
                if let (Some(asked), Some(_)) = (message.get("id"), message.get("method")) {
                    self.send(&json!({ "jsonrpc": "2.0", "id": asked, "result": null }))?;
                }
            };
            match &answer["error"]["code"] {
                Value::Null => return Ok(answer["result"].clone()),
                code if *code == -32801 => {}
                _ => return Err(format!("{method}: {answer}").into()),
            }
        }
    }

    fn send(&mut self, message: &Value) -> Result<(), Failed> {
        let text = message.to_string();
        write!(self.input, "Content-Length: {}\r\n\r\n{text}", text.len())?;
        Ok(self.input.flush()?)
    }

    fn receive(&mut self) -> Result<Value, Failed> {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if self.output.read_line(&mut line)? == 0 {
                return Err("rust-analyzer has ended".into());
            }
            match line.trim_end().strip_prefix("Content-Length: ") {
                Some(number) => length = number.parse()?,
                None if line.trim_end().is_empty() => break,
                None => {}
            }
        }
        let mut text = vec![0; length];
        self.output.read_exact(&mut text)?;
        Ok(serde_json::from_slice(&text)?)
    }
}

fn uri(path: &Path) -> String {
    format!("file://{}", path.display())
}

/// A package that depends on `kcl`.
fn package() -> Result<PathBuf, Failed> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("no workspace")?;
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("editor");
    fs::create_dir_all(folder.join("src"))?;
    let manifest = format!(
        "[package]\nname = \"typed\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\n\
         kcl = {{ path = {:?}, features = [\"tokio\"] }}\nserde = {{ version = \"1\", features = [\"derive\"] }}\n",
        workspace.join("kcl")
    );
    fs::write(folder.join("Cargo.toml"), manifest)?;
    fs::copy(workspace.join("Cargo.lock"), folder.join("Cargo.lock"))?;
    fs::write(folder.join("src/lib.rs"), SOURCE)?;
    Ok(folder)
}
