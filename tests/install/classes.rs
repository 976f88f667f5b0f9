//! The class files in `cargo-kcl/java`.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::place::java;

/// The version of the compiler that made the class files. Another one may make other bytes.
const COMPILER: &str = "javac 17.";

/// The part of DynamoDB Local that `Loopback` uses: a class file depends on names and types only.
const DYNAMODB: [(&str, &str); 5] = [
    (
        "com/amazonaws/services/dynamodbv2/local/main/ServerRunner",
        "public class ServerRunner { public static com.amazonaws.services.dynamodbv2.local.server.DynamoDBProxyServer \
         createServerFromCommandLineArgs(String[] arguments) throws Exception { return null; } }",
    ),
    (
        "com/amazonaws/services/dynamodbv2/local/server/DynamoDBProxyServer",
        "public class DynamoDBProxyServer { public void start() throws Exception {} public void join() throws Exception {} }",
    ),
    ("org/eclipse/jetty/server/Connector", "public interface Connector {}"),
    (
        "org/eclipse/jetty/server/ServerConnector",
        "public class ServerConnector implements Connector { public void setHost(String host) {} }",
    ),
    ("org/eclipse/jetty/server/Server", "public class Server { public Connector[] getConnectors() { return null; } }"),
];

/// Compiles a source as docs/testing.md says.
fn compile(source: &Path, stubs: &Path, to: &Path) {
    let java = java().expect("there is a Java");
    let output = Command::new(java)
        .args(["-m", "jdk.compiler/com.sun.tools.javac.Main", "--release", "17", "-g:none", "-Xlint:all", "-Werror"])
        .args(["-implicit:none", "-proc:none", "-sourcepath"])
        .arg(stubs)
        .arg("-d")
        .args([to, source])
        .stdin(Stdio::null())
        .output()
        .expect("Java starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

pub(crate) fn compiled() {
    let version = Command::new(java().expect("there is a Java"))
        .args(["-m", "jdk.compiler/com.sun.tools.javac.Main", "-version"])
        .output()
        .expect("Java starts");
    if !version.status.success() {
        // A runtime without the compiler, on which the class files are all there is.
        return;
    }
    let version = String::from_utf8_lossy(&[version.stdout, version.stderr].concat()).into_owned();
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    for (name, source) in DYNAMODB {
        let path = folder.path().join(format!("stubs/{name}.java"));
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        let package = name.rsplit_once('/').expect("a package").0.replace('/', ".");
        fs::write(path, format!("package {package};\n{source}\n")).expect("it is written");
    }
    for class in ["fetch/Fetch", "dynamodb/Loopback"] {
        let source = tests::workspace().join(format!("cargo-kcl/java/{class}.java"));
        compile(&source, &folder.path().join("stubs"), folder.path());
        let made =
            fs::read(folder.path().join(Path::new(class).file_name().unwrap_or_default()).with_extension("class"));
        let kept = fs::read(source.with_extension("class")).expect("there is a class file");
        let same = made.expect("there is a class file") == kept;
        assert!(
            same || !version.contains(COMPILER),
            "cargo-kcl/java/{class}.class is not what its source compiles to; docs/testing.md has the command that makes it"
        );
    }
}
