//! Files of a Maven repository, and the versions of the daemon among them.

use std::fmt;

/// A file of a Maven repository, by its coordinates.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Artifact<'a> {
    /// With slashes instead of dots.
    pub(crate) group: &'a str,
    pub(crate) name: &'a str,
    pub(crate) version: &'a str,
    pub(crate) classifier: Option<&'a str>,
    /// The extension, such as `jar`.
    pub(crate) kind: &'a str,
}

impl<'a> Artifact<'a> {
    /// The artifact with this path: `GROUP/NAME/VERSION/NAME-VERSION[-CLASSIFIER].KIND`. None of its characters has a meaning in a
    /// URL, in XML or for a file system.
    pub(crate) fn parse(path: &'a str) -> Option<Self> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '+' | '/');
        let is_name = |part: &str| !part.is_empty() && !part.starts_with('.');
        if !path.chars().all(is_plain) || !path.split('/').all(is_name) {
            return None;
        }
        let (rest, file) = path.rsplit_once('/')?;
        let (rest, version) = rest.rsplit_once('/')?;
        let (group, name) = rest.rsplit_once('/')?;
        let rest = file.strip_prefix(name)?.strip_prefix('-')?.strip_prefix(version)?;
        let (classifier, kind) = rest.rsplit_once('.')?;
        let classifier = match classifier {
            "" => None,
            text => Some(text.strip_prefix('-').filter(|text| !text.is_empty())?),
        };
        (!kind.is_empty()).then_some(Self { group, name, version, classifier, kind })
    }
}

/// The number of a release, such as 3.1.3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Version {
    text: String,
    numbers: [u32; 3],
}

impl Version {
    pub(crate) fn new(text: &str) -> Self {
        let mut numbers = [0; 3];
        for (number, part) in numbers.iter_mut().zip(text.split('.')) {
            let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
            *number = part[..digits].parse().unwrap_or(0);
        }
        Self { text: text.to_owned(), numbers }
    }

    /// Whether this release is that one or a later one.
    pub(crate) fn reaches(&self, other: &str) -> bool {
        self.numbers >= Self::new(other).numbers
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The two versions that decide what a daemon does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Versions {
    /// That of the MultiLangDaemon, which reads the properties.
    pub(crate) multilang: Version,
    /// That of the Kinesis Client Library, which keeps the tables.
    pub(crate) core: Version,
}

impl Versions {
    /// The versions in the names of jars, if both are among them.
    pub(crate) fn of<'a>(names: impl Iterator<Item = &'a str>) -> Option<Self> {
        let (mut multilang, mut core) = (None, None);
        for name in names {
            let Some(rest) = name.strip_prefix("amazon-kinesis-client-").and_then(|rest| rest.strip_suffix(".jar"))
            else {
                continue;
            };
            match rest.strip_prefix("multilang-") {
                Some(version) => multilang = Some(Version::new(version)),
                None if rest.starts_with(|c: char| c.is_ascii_digit()) => core = Some(Version::new(rest)),
                None => {}
            }
        }
        Some(Self { multilang: multilang?, core: core? })
    }

    /// Whether a new application has tables of its own for its leader and for its workers' loads. Since 3.5, the lease table holds
    /// everything, unless these tables exist already; before 3.0, there is neither a leader nor a load.
    pub(crate) fn has_three_tables(&self) -> bool {
        self.core.reaches("3.0") && !self.core.reaches("3.5")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_an_artifact() {
        let parts = |path| {
            Artifact::parse(path).map(|Artifact { group, name, version, classifier, kind }| {
                format!("{group} {name} {version} {} {kind}", classifier.unwrap_or("none"))
            })
        };
        assert_eq!(
            parts("org/slf4j/slf4j-api/2.0.13/slf4j-api-2.0.13.jar").as_deref(),
            Some("org/slf4j slf4j-api 2.0.13 none jar")
        );
        assert_eq!(
            parts("io/netty/epoll/4.1.130.Final/epoll-4.1.130.Final-linux-x86_64.jar").as_deref(),
            Some("io/netty epoll 4.1.130.Final linux-x86_64 jar")
        );
        for path in [
            "a-1.jar",
            "a/1/a-1.jar",
            "g/a/1/a-1-.jar",
            "g/a/1/a-1.",
            "g/a/1/a-2.jar",
            "g//a/1/a-1.jar",
            "g/.a/1/.a-1.jar",
        ] {
            assert_eq!(parts(path), None, "{path}");
        }
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        for (version, other, reaches) in [
            ("3.10.0", "3.5", true),
            ("3.5.0", "3.5", true),
            ("3.4.3", "3.5", false),
            ("2.7.3-SNAPSHOT", "2.7.3", true),
        ] {
            assert_eq!(Version::new(version).reaches(other), reaches, "{version} {other}");
        }
    }

    #[test]
    fn the_versions_of_a_daemon_are_in_the_names_of_its_jars() {
        let of = |names: &[&str]| Versions::of(names.iter().copied());
        let both = of(&["amazon-kinesis-client-3.5.1.jar", "a.jar", "amazon-kinesis-client-multilang-3.1.3.jar"]);
        let both = both.expect("both are there");
        assert_eq!((both.multilang.to_string(), both.core.to_string()), ("3.1.3".to_owned(), "3.5.1".to_owned()));
        assert!(!both.has_three_tables());
        assert_eq!(of(&["amazon-kinesis-client-3.5.1.jar"]), None);
        let older = of(&["amazon-kinesis-client-3.4.3.jar", "amazon-kinesis-client-multilang-3.4.3.jar"]);
        assert!(older.expect("both are there").has_three_tables());
    }
}
