//! What is fetched, from where, and what happens when it fails.

use std::fs;
use std::process::Command;

use crate::place::{Ended, Place, files, lock, wait_until};
use crate::repository::{Answer, Repository};

/// The longest file, which interruptions happen in.
fn is_long(target: &str) -> bool {
    target.ends_with("-9.9.0.jar")
}

/// The offsets from which the longest file was wanted.
fn starts(repository: &Repository) -> Vec<Option<usize>> {
    repository.calls().iter().filter(|call| is_long(&call.target)).map(crate::repository::Call::start).collect()
}

pub(crate) fn once() {
    let place = Place::new();
    let repository = Repository::serve(&files(), |_, _| Answer::File);
    let first = place.run(&repository.url());
    first.started();
    assert!(
        first.stderr.contains("installing Amazon's MultiLangDaemon 9.8.0 over KCL 9.9.0 (3 jars) into "),
        "{first:?}"
    );
    place.is_complete();
    place.run(&repository.url()).started();
    assert_eq!(repository.calls().len(), files().len(), "{:?}", repository.calls());
}

pub(crate) fn interrupted() {
    let place = Place::new();
    let mut cuts = [100_000, 50_000].into_iter();
    let repository = Repository::serve(&files(), move |_, call| match is_long(&call.target) {
        true => cuts.next().map_or(Answer::File, Answer::Cut),
        false => Answer::File,
    });
    place.run(&repository.url()).started();
    place.is_complete();
    assert_eq!(starts(&repository), [None, Some(100_000), Some(150_000)]);
}

pub(crate) fn killed() {
    let place = Place::new();
    let stalls = |_: usize, call: &crate::repository::Call| match is_long(&call.target) {
        true => Answer::Stall(200_000),
        false => Answer::File,
    };
    let repository = Repository::serve(&files(), stalls);
    let mut child = place.daemon(&["--maven-repository", &repository.url()]).spawn().expect("the tool starts");
    let has =
        |name: &str, bytes| place.installed(false).iter().any(|(file, content)| file == name && content.len() == bytes);
    wait_until("a part of the long file is there, and the others are", || {
        has("amazon-kinesis-client-9.9.0.jar.part", 200_000)
            && has("amazon-kinesis-client-multilang-9.8.0.jar", 100)
            && has("small-1.0-linux.so", 10)
    });
    child.kill().expect("it can be killed");
    child.wait().expect("it can be waited for");
    repository.now(|_, _| Answer::File);
    place.run(&repository.url()).started();
    place.is_complete();
    assert_eq!(starts(&repository), [None, Some(200_000)]);
    assert_eq!(repository.calls().len(), files().len() + 1, "the others are not fetched again");
}

pub(crate) fn whole() {
    let place = Place::new();
    let repository = Repository::serve(&files(), |number, call| match (number, is_long(&call.target)) {
        (_, true) if call.start().is_none() => Answer::Cut(100_000),
        _ => Answer::Whole,
    });
    place.run(&repository.url()).started();
    place.is_complete();
    assert_eq!(starts(&repository), [None, Some(100_000)]);
}

pub(crate) fn slow() {
    let place = Place::new();
    let mut stalls = [true].into_iter();
    let repository = Repository::serve(&files(), move |_, call| match is_long(&call.target) {
        true if stalls.next().is_some() => Answer::Stall(100_000),
        true => Answer::Drip(20),
        false => Answer::File,
    });
    // Java's own setting decides how long silence is awaited.
    let mut command = place.daemon(&["--maven-repository", &repository.url()]);
    command.env("JDK_JAVA_OPTIONS", "-Dsun.net.client.defaultReadTimeout=300");
    Ended::of(command.output().expect("the tool starts")).started();
    place.is_complete();
    assert_eq!(starts(&repository), [None, Some(100_000)]);
}

pub(crate) fn unavailable() {
    let place = Place::new();
    let mut refusals = [503, 429].into_iter();
    let repository = Repository::serve(&files(), move |_, call| match is_long(&call.target) {
        true => refusals.next().map_or(Answer::File, |status| Answer::Status(status, Vec::new())),
        false => Answer::File,
    });
    place.run(&repository.url()).started();
    place.is_complete();
    assert_eq!(starts(&repository).len(), 3);
}

pub(crate) fn forged() {
    let place = Place::new();
    let repository = Repository::serve(&files(), |_, call| match is_long(&call.target) {
        true => Answer::Forged,
        false => Answer::File,
    });
    let ended = place.run(&repository.url());
    ended.refused(1, "amazon-kinesis-client-9.9.0.jar: has SHA-256 ");
    assert!(ended.stderr.contains("but the lock file has "), "{ended:?}");
    let kept = |finished| place.installed(finished).iter().any(|(name, _)| is_long(name) || name.ends_with(".part"));
    assert!(!kept(true) && !kept(false), "{:?}", place.installed(false));

    // A part that belongs to another file is fetched anew.
    repository.now(|_, call| match is_long(&call.target) {
        true => Answer::Cut(100_000),
        false => Answer::File,
    });
    let mut child = place.daemon(&["--maven-repository", &repository.url()]).spawn().expect("the tool starts");
    let part = || place.installed(false).into_iter().find(|(name, _)| name.ends_with(".part"));
    wait_until("a part is there", || part().is_some_and(|(_, content)| content.len() >= 100_000));
    child.kill().expect("it can be killed");
    child.wait().expect("it can be waited for");
    let mut folders = fs::read_dir(place.path("cache")).expect("a folder").map(|entry| entry.expect("an entry").path());
    let folder = folders.find(|path| path.extension().is_some_and(|extension| extension == "partial"));
    let part = folder.expect("the folder of the parts").join("amazon-kinesis-client-9.9.0.jar.part");
    fs::write(part, "something else").expect("it can be written");
    repository.now(|_, _| Answer::File);
    place.run(&repository.url()).started();
    place.is_complete();
}

pub(crate) fn missing() {
    let place = Place::new();
    let repository = Repository::serve(&files()[1..], |_, _| Answer::File);
    let ended = place.run(&repository.url());
    ended.refused(1, "amazon-kinesis-client-9.9.0.jar: 127.0.0.1 answered 404 Told So");
    assert!(ended.stderr.contains("Java failed to fetch Amazon's MultiLangDaemon 9.8.0"), "{ended:?}");
    assert_eq!(starts(&repository).len(), 1, "a missing file is not asked for again");
    assert!(place.installed(true).is_empty());
}

pub(crate) fn together() {
    let place = Place::new();
    let repository = Repository::serve(&files(), |_, _| Answer::Stall(5));
    let url = repository.url();
    let mut first = place.daemon(&["--maven-repository", &url]).spawn().expect("the tool starts");
    wait_until("the first run fetches", || !repository.calls().is_empty());
    let log = place.path("second.log");
    let mut second = place.daemon(&["--maven-repository", &url]);
    second.stderr(fs::File::create(&log).expect("it can be created"));
    let mut second = second.spawn().expect("the tool starts");
    let says = |text| fs::read_to_string(&log).unwrap_or_default().contains(text);
    wait_until("the second run waits", || says("another run is fetching files; waiting for it\n"));
    repository.now(|_, _| Answer::File);
    // The stalled calls end with the first run.
    first.kill().expect("it can be killed");
    first.wait().expect("it can be waited for");
    second.wait().expect("it can be waited for");
    assert!(says("java: started\n"));
    place.is_complete();
}

pub(crate) fn proxy() {
    let place = Place::new();
    let repository = Repository::serve(&files(), |_, call| match call.headers.get("proxy-authorization") {
        None => Answer::Status(407, vec![("Proxy-Authenticate", "Basic realm=\"it\"".to_owned())]),
        Some(_) => Answer::File,
    });
    let mut command = place.daemon(&["--maven-repository", "http://repository.invalid/maven2"]);
    command.env("http_proxy", format!("http://me:secret@{}", repository.address()));
    Ended::of(command.output().expect("the tool starts")).started();
    place.is_complete();
    let calls = repository.calls();
    assert!(calls.iter().all(|call| call.target.starts_with("http://repository.invalid/maven2/")), "{calls:?}");
    let passwords = calls.iter().filter_map(|call| call.headers.get("proxy-authorization"));
    assert!(passwords.clone().count() >= files().len(), "{calls:?}");
    assert!(passwords.into_iter().all(|password| password == "Basic bWU6c2VjcmV0"), "{calls:?}");

    // A host that needs no proxy does not get one.
    let place = Place::new();
    let mut command = place.daemon(&["--maven-repository", "http://repository.invalid/maven2"]);
    command.env("http_proxy", format!("http://{}", repository.address())).env("no_proxy", "example.com,.invalid");
    command.env("JDK_JAVA_OPTIONS", "-Djava.net.preferIPv4Stack=true");
    Ended::of(command.output().expect("the tool starts")).refused(1, "UnknownHostException");
}

pub(crate) fn password() {
    let place = Place::new();
    let elsewhere = Repository::serve(&files(), |_, _| Answer::File);
    let other = elsewhere.url();
    let repository = Repository::serve(&files(), move |_, call| match is_long(&call.target) {
        true => {
            let path = call.target.replace("/maven2/", "/");
            Answer::Status(302, vec![("Location", format!("{other}{path}"))])
        }
        false => Answer::File,
    });
    let url = repository.url().replace("http://", "http://me:secret@");
    let mut command = place.daemon(&[]);
    let ended = Ended::of(command.env("KCL_MAVEN_REPOSITORY", &url).output().expect("the tool starts"));
    ended.started();
    place.is_complete();
    assert!(repository.calls().iter().all(|call| call.headers["authorization"] == "Basic bWU6c2VjcmV0"));
    assert!(!elsewhere.calls()[0].headers.contains_key("authorization"), "{:?}", elsewhere.calls());
    assert!(!place.commands().is_empty() && !place.commands().contains("secret"), "{}", place.commands());
    assert!(!ended.stderr.contains("secret"), "{ended:?}");
}

pub(crate) fn redirected() {
    let place = Place::new();
    let repository = Repository::serve(&files(), |_, call| match call.target.strip_prefix("/maven2/") {
        Some(path) if !path.starts_with("elsewhere") && is_long(path) && !call.target.contains('?') => {
            Answer::Status(301, vec![("Location", format!("/else/maven2/{path}"))])
        }
        _ => Answer::File,
    });
    place.run(&repository.url()).started();
    place.is_complete();
    repository.now(|_, _| Answer::Status(302, vec![("Location", "file:///etc/passwd".to_owned())]));
    let other = Place::new();
    other.run(&repository.url()).refused(1, "127.0.0.1 redirects to a URL that is not https");
}

pub(crate) fn folder() {
    let place = Place::new();
    for (path, content) in files() {
        let path = place.path("maven2").join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, content).expect("it is written");
    }
    place.run(&format!("file://{}", place.path("maven2").display())).started();
    place.is_complete();
}

pub(crate) fn maven() {
    let place = Place::new();
    let source = place.path("source");
    fs::create_dir_all(&source).expect("a folder");
    for (path, content) in files() {
        fs::write(source.join(path.rsplit('/').next().unwrap_or_default()), content).expect("it is written");
    }
    let (seen, from) = (place.path("seen").display().to_string(), source.display().to_string());
    place.write_program(
        "bin/mvn",
        &format!(
            "for last; do to=\"${{last#-DoutputDirectory=}}\"; done\n\
             echo \"$*\" > {seen}; cat \"$3\" >> {seen}\n\
             cp {from}/* \"$to\"\n"
        ),
    );
    let path = format!("{}:/usr/bin:/bin", place.path("bin").display());
    let with_maven = |arguments: &[&str]| {
        let mut command = place.daemon(arguments);
        Ended::of(command.env("PATH", &path).output().expect("the tool starts"))
    };
    with_maven(&[]).started();
    place.is_complete();
    let seen = fs::read_to_string(place.path("seen")).expect("Maven was run");
    assert!(seen.starts_with("--batch-mode --file /"), "{seen}");
    assert!(
        seen.contains(
            "<artifactId>small</artifactId><version>1.0</version><classifier>linux</classifier><type>so</type>"
        )
    );
    assert_eq!(place.commands(), "", "Java fetches nothing");

    // A repository that the user names is used without Maven.
    fs::remove_dir_all(place.path("cache")).expect("it can be removed");
    fs::remove_file(place.path("seen")).expect("it can be removed");
    let repository = Repository::serve(&files(), |_, _| Answer::File);
    with_maven(&["--maven-repository", &repository.url()]).started();
    place.is_complete();
    assert!(!place.path("seen").exists());
}

pub(crate) fn lock_files() {
    let place = Place::new();
    let text = lock(&files());
    let nameless = text.lines().nth(2).expect("a line");
    for (text, says) in [
        (
            text.replace("org/example/small/1.0/", ""),
            "line 3 is not the SHA-256 and the path of a file in a Maven repository",
        ),
        (format!("{text}{nameless}\n"), "line 4 names small-1.0-linux.so again"),
        (nameless.to_owned(), "it does not name amazon-kinesis-client-multilang and amazon-kinesis-client"),
    ] {
        fs::write(place.path("daemon.lock"), text).expect("it is written");
        place.run("http://127.0.0.1:1/maven2").refused(2, says);
    }
    fs::remove_file(place.path("daemon.lock")).expect("it can be removed");
    place.run("http://127.0.0.1:1/maven2").refused(2, "cannot be read: No such file");
}

pub(crate) fn central() {
    let place = Place::new();
    fs::copy(tests::workspace().join("cargo-kcl/java/daemon/SHA256SUMS"), place.path("daemon.lock")).expect("a copy");
    // There is no Maven in this PATH.
    Ended::of(place.daemon(&[]).output().expect("the tool starts")).started();
    assert_eq!(place.installed(true).len(), 136);
}

pub(crate) fn documented() {
    let page = fs::read_to_string(tests::workspace().join("docs/daemon.md")).expect("the page");
    let section = page.split("### Another version").nth(1).expect("the section");
    let commands: Vec<_> = section.lines().filter_map(|line| line.strip_prefix("$ ")).take(2).collect();
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    fs::copy(tests::workspace().join("cargo-kcl/java/daemon/pom.xml"), folder.path().join("pom.xml")).expect("a copy");
    for command in commands {
        let ended = Command::new("sh").args(["-c", command]).current_dir(folder.path()).output().expect("sh starts");
        assert!(ended.status.success(), "{command}: {}", String::from_utf8_lossy(&ended.stdout));
    }
    let [written, kept] =
        [folder.path().join("daemon.lock"), tests::workspace().join("cargo-kcl/java/daemon/SHA256SUMS")]
            .map(|path| fs::read_to_string(path).expect("a lock file"));
    assert_eq!(written, kept);
}
