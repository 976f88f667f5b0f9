//! Checks of single values.

use std::path::Path;

use super::file::Property;
use super::finding::Finding;
use super::keys::{Key, Kind};
use crate::args::{LONGEST_STREAM_NAME, is_of_name};
use crate::process::program as processor;
use crate::report;

/// The providers that the daemon finds by their short names.
const PROVIDERS: [&str; 10] = [
    "AnonymousCredentialsProvider",
    "ContainerCredentialsProvider",
    "DefaultCredentialsProvider",
    "EnvironmentVariableCredentialsProvider",
    "InstanceProfileCredentialsProvider",
    "KclStsAssumeRoleCredentialsProvider",
    "ProcessCredentialsProvider",
    "ProfileCredentialsProvider",
    "StsAssumeRoleCredentialsProvider",
    "SystemPropertyCredentialsProvider",
];
const WEB_IDENTITY: &str = "WebIdentityTokenFileCredentialsProvider";

/// The numbers that the daemon refuses, instead of treating them as 0, if it cannot parse them.
pub(crate) const REFUSED_UNREAD: [&str; 2] = ["initialPositionInStreamExtended", "maxActiveThreads"];

/// The way in which the daemon treats a value of this key that it cannot parse.
pub(crate) fn fate_of_unreadable(key: &Key) -> &'static str {
    match key.kind {
        Kind::Primitive(_) | Kind::Decimal(..) => {
            "the daemon silently treats a number that it cannot parse as 0, and a 0 as \"not set\""
        }
        Kind::Number(_) if !REFUSED_UNREAD.contains(&key.name) => {
            "the daemon silently treats a number that it cannot parse as 0"
        }
        Kind::PrimitiveFlag | Kind::Flag => "the daemon silently treats a value that it cannot parse as false",
        _ => "the daemon refuses to start with it",
    }
}

/// A processor may need this long for one message. A throttled checkpoint at the end of a shard alone is retried for 12 s.
const SHORT_TIMEOUT_SECONDS: i64 = 30;

/// The first problem of this value, if it has any.
pub(crate) fn lint(key: &Key, property: &Property) -> Option<Finding> {
    let value = property.value.as_str();
    blank(key, value)
        .or_else(|| quoted(key, value))
        .or_else(|| not_ascii(key, property))
        .or_else(|| spaced(key, value))
        .or_else(|| variable(key, value))
        .or_else(|| of_kind(key, value))
}

fn blank(key: &Key, value: &str) -> Option<Finding> {
    value.trim().is_empty().then(|| {
        Finding::error(
            format!("`{}` has no value", key.name),
            format!("it takes {}; {}", key.kind.describe(), fate_of_unreadable(key)),
            "set it, or remove the line",
        )
    })
}

fn quoted(key: &Key, value: &str) -> Option<Finding> {
    let value = value.trim();
    let inner = ['"', '\''].iter().find_map(|&quote| value.strip_prefix(quote)?.strip_suffix(quote))?;
    Some(Finding::error(
        format!("the value of `{}` is in quotes", key.name),
        "a properties file has no quoting: the quotes are part of the value",
        format!("write {inner}"),
    ))
}

fn not_ascii(key: &Key, property: &Property) -> Option<Finding> {
    property.not_ascii.then(|| {
        Finding::error(
            format!("the line of `{}` contains a character that is not ASCII", key.name),
            "the daemon reads the file as Latin-1, whatever its encoding is",
            "write it as \\uXXXX",
        )
    })
}

fn spaced(key: &Key, value: &str) -> Option<Finding> {
    let kept = match key.kind {
        Kind::Primitive(_) | Kind::Decimal(..) | Kind::Executable | Kind::Credentials | Kind::Tags => false,
        Kind::Number(_) => REFUSED_UNREAD.contains(&key.name),
        _ => true,
    };
    (kept && value.trim_end() != value).then(|| {
        Finding::error(
            format!("the value of `{}` ends in white space", key.name),
            "in a properties file the value extends to the end of the line",
            "remove the white space",
        )
    })
}

fn variable(key: &Key, value: &str) -> Option<Finding> {
    let start = value.find("${")?;
    let end = value[start..].find('}').map_or(value.len(), |end| start + end + 1);
    Some(Finding::error(
        format!("the value of `{}` contains `{}`", key.name, &value[start..end]),
        "the daemon does not replace variables in a properties file",
        "write the value itself; `cargo kcl daemon --set KEY=VALUE` takes it from the shell",
    ))
}

fn of_kind(key: &Key, value: &str) -> Option<Finding> {
    match &key.kind {
        Kind::Text | Kind::Names | Kind::Client => None,
        Kind::Executable => executable(value),
        Kind::StreamName => name(key, value, 1, LONGEST_STREAM_NAME),
        Kind::TableName => table_name(key, value),
        Kind::StreamArn => arn(value),
        Kind::Primitive(range) | Kind::Number(range) => number(key, value, range),
        Kind::Decimal(low, high) => decimal(key, value, *low, *high),
        Kind::PrimitiveFlag | Kind::Flag => flag(key, value),
        Kind::Word(words) => word(key, value, words),
        Kind::Url => url(key, value),
        Kind::Region => region(key, value),
        Kind::Duration => duration(key, value),
        Kind::Tags => tags(key, value),
        Kind::Credentials => credentials(key, value),
        Kind::Unusable => Some(Finding::error(
            format!("`{}` cannot be set", key.name),
            "the daemon has this key, but refuses to start with any value for it",
            "remove it",
        )),
    }
}

fn executable(value: &str) -> Option<Finding> {
    let program = value.split(' ').find(|part| !part.is_empty())?;
    if let Some(finding) = shell_syntax(value) {
        return Some(finding);
    }
    if processor::find(program.as_ref()).is_some() {
        return None;
    }
    let path = Path::new(program);
    Some(if path.is_dir() {
        Finding::error(
            format!("the processor `{program}` is a directory"),
            "the daemon executes it",
            "give the path of the file in it",
        )
    } else if path.is_file() {
        Finding::error(
            format!("the processor `{program}` is not executable"),
            "the daemon starts it, once per shard",
            format!("run chmod +x {program}"),
        )
    } else if program != value && Path::new(value).is_file() {
        Finding::error(
            format!("the path `{value}` contains spaces"),
            "the daemon splits the command on spaces, without quoting",
            "use a file whose path has no spaces, such as a link or a small script",
        )
    } else {
        Finding::error(
            format!("there is no processor `{program}`"),
            "the daemon looks for it relative to the folder in which it is started, and in PATH if it has no slash",
            "build it, or give its absolute path",
        )
    })
}

/// Syntax that only a shell understands, in any word of the command.
fn shell_syntax(value: &str) -> Option<Finding> {
    const SCRIPT: &str = "write the command to a small script, make it executable, and name the script here";
    let first = value.split(' ').find(|word| !word.is_empty())?;
    let is_name = |name: &str| name.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric());
    if first.split_once('=').is_some_and(|(name, _)| is_name(name)) && processor::find(first.as_ref()).is_none() {
        return Some(Finding::error(
            "`executableName` sets a variable, as for a shell",
            "the daemon takes this for the name of the processor; a processor has the daemon's environment",
            "set the variable for the daemon, or in a small script that runs the processor, and name the script here",
        ));
    }
    for word in value.split(' ').filter(|word| !word.is_empty()) {
        if word.contains(['"', '\'']) {
            return Some(Finding::error(
                "`executableName` contains quotes",
                "the daemon splits the command on spaces, without quoting and without a shell",
                "use a file whose path has no spaces, such as a link or a small script",
            ));
        }
        if word.starts_with('#') {
            return Some(Finding::error(
                "`executableName` contains a comment",
                "in a properties file the value extends to the end of the line, so the processor gets the comment as arguments",
                "put the comment on its own line",
            ));
        }
        // Within a word, as in a URL, these characters may be meant.
        let is_operator =
            word.trim_start_matches(|char: char| char.is_ascii_digit()).starts_with(['|', '&', ';', '<', '>'])
                || word.ends_with([';', '&']);
        let is_substitution = word.contains('`')
            || word
                .split('$')
                .skip(1)
                .any(|rest| rest.starts_with(|next: char| next.is_ascii_alphabetic() || "_({".contains(next)));
        if is_operator || is_substitution || word.starts_with("~/") {
            return Some(Finding::error(
                format!("`executableName` contains `{word}`, as for a shell"),
                "the daemon splits the command on spaces and starts it without a shell, so the processor gets this as an argument",
                SCRIPT,
            ));
        }
    }
    None
}

/// Checks the name of a stream or a table. Both allow the same characters.
fn name(key: &Key, value: &str, least: usize, most: usize) -> Option<Finding> {
    if let Some(odd) = value.chars().find(|&char| !is_of_name(char)) {
        return Some(Finding::error(
            format!("{odd:?} cannot be part of `{}`", key.name),
            "a name consists of ASCII letters, digits, `_`, `.` and `-`",
            "choose another name",
        ));
    }
    (!(least..=most).contains(&value.len())).then(|| {
        Finding::error(
            format!("`{}` has {}", key.name, report::count(value.len() as u64, "character")),
            format!("such a name has {least} to {most} characters"),
            "choose another name",
        )
    })
}

fn table_name(key: &Key, value: &str) -> Option<Finding> {
    // The longest table name derived from the application's ends in `-WorkerMetricStats`.
    let most = if key.name == "applicationName" { 255 - "-WorkerMetricStats".len() } else { 255 };
    name(key, value, 3, most)
        .map(|finding| Finding { why: format!("it becomes the name of a DynamoDB table: {}", finding.why), ..finding })
}

/// The region and the name of the stream in an ARN.
pub(crate) fn arn_parts(value: &str) -> Option<(&str, &str)> {
    let parts: Vec<_> = value.splitn(6, ':').collect();
    let ["arn", partition, "kinesis", region, account, resource] = parts[..] else { return None };
    let stream = resource.strip_prefix("stream/")?;
    let valid = partition.starts_with("aws")
        && !region.is_empty()
        && account.len() == 12
        && account.bytes().all(|byte| byte.is_ascii_digit())
        && !stream.is_empty()
        && stream.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'));
    valid.then_some((region, stream))
}

fn arn(value: &str) -> Option<Finding> {
    arn_parts(value).is_none().then(|| {
        Finding::error(
            format!("`{value}` is not the ARN of a stream"),
            "the daemon refuses to start with it",
            "write arn:aws:kinesis:REGION:ACCOUNT:stream/NAME, with an account of 12 digits",
        )
    })
}

fn number(key: &Key, value: &str, range: &std::ops::RangeInclusive<i64>) -> Option<Finding> {
    let value = value.trim();
    let Ok(number) = value.parse::<i64>() else {
        return Some(Finding::error(
            format!("`{value}` is not a valid value for `{}`: {}", key.name, key.kind.describe()),
            fate_of_unreadable(key),
            comment_or(value, "write digits only"),
        ));
    };
    if number == 0 && key.name == "shutdownGraceMillis" {
        return None; // Reported together with the missing key, in `combinations`.
    }
    if range.contains(&number) {
        return (key.name == "timeoutInSeconds" && number < SHORT_TIMEOUT_SECONDS).then(|| {
            Finding::warning(
                format!("`timeoutInSeconds` is {number}"),
                "a processor that needs longer for one message ends the daemon at once, with all its shards and without a \
                 checkpoint; a throttled checkpoint alone is retried for up to 12 s",
                format!("set it to {SHORT_TIMEOUT_SECONDS} or more, or remove it"),
            )
        });
    }
    if number == 0 && matches!(key.kind, Kind::Primitive(_)) {
        return Some(Finding::error(
            format!("`{}` is 0", key.name),
            format!("the daemon cannot distinguish 0 from \"not set\", and uses the default ({})", key.default),
            format!("write a {}", key.kind.describe()),
        ));
    }
    let why = match key.name {
        "maxRecords" => "the daemon refuses to start with more than a GetRecords call allows",
        "idleTimeBetweenReadsInMillis" => "the daemon uses 200 instead",
        "timeoutInSeconds" => "the daemon would end at the first message",
        _ => "the daemon does not check it, but cannot work with it",
    };
    Some(Finding::error(format!("`{}` is {number}", key.name), why, format!("write a {}", key.kind.describe())))
}

/// The fix for a value that cannot be parsed, which may have a comment after it.
fn comment_or(value: &str, otherwise: &str) -> String {
    match value.split_once(['#', '!', ';']) {
        Some((before, _)) if !before.trim().is_empty() => {
            format!("write {} alone, and put the comment on its own line", before.trim())
        }
        _ => otherwise.to_owned(),
    }
}

fn decimal(key: &Key, value: &str, low: f64, high: f64) -> Option<Finding> {
    match value.trim().parse::<f64>() {
        Ok(number) if (low..=high).contains(&number) => None,
        Ok(_) => Some(Finding::error(
            format!("`{}` is {value}", key.name),
            "the daemon does not check it, but cannot work with it",
            format!("write a {}", key.kind.describe()),
        )),
        Err(_) => Some(Finding::error(
            format!("`{value}` is not a valid value for `{}`: {}", key.name, key.kind.describe()),
            fate_of_unreadable(key),
            comment_or(value, "write a decimal number with a point"),
        )),
    }
}

fn flag(key: &Key, value: &str) -> Option<Finding> {
    let on = match value.to_ascii_lowercase().as_str() {
        "true" | "yes" | "y" | "on" | "1" => true,
        "false" | "no" | "n" | "off" | "0" => false,
        _ => {
            return Some(Finding::error(
                format!("`{value}` is not a valid value for `{}`: {}", key.name, key.kind.describe()),
                fate_of_unreadable(key),
                comment_or(value, "write true or false"),
            ));
        }
    };
    let dropped = !on && matches!(key.kind, Kind::PrimitiveFlag) && key.default == "true";
    dropped.then(|| {
        Finding::error(
            format!("`{}` cannot be switched off here", key.name),
            "the daemon cannot distinguish false from \"not set\", and uses the default, which is true",
            "remove it",
        )
    })
}

fn word(key: &Key, value: &str, words: &[&str]) -> Option<Finding> {
    let upper = value.to_ascii_uppercase();
    if words.contains(&upper.as_str()) {
        return None;
    }
    let nearest = words.iter().min_by_key(|word| strsim::levenshtein(&upper, word))?;
    let fix = if upper == "AT_TIMESTAMP" {
        "set initialPositionInStreamExtended to the time instead, in seconds since 1970-01-01 UTC".to_owned()
    } else if strsim::levenshtein(&upper, nearest) * 2 <= nearest.len() {
        format!("write {nearest}")
    } else {
        format!("write one of {}", words.join(", "))
    };
    Some(Finding::error(
        format!("`{value}` is not a valid value for `{}`", key.name),
        fate_of_unreadable(key),
        comment_or(value, &fix),
    ))
}

fn url(key: &Key, value: &str) -> Option<Finding> {
    let host = value.strip_prefix("http://").or_else(|| value.strip_prefix("https://"));
    let valid = host.is_some_and(|rest| {
        !rest.starts_with(['/', ':']) && !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_graphic())
    });
    (!valid).then(|| {
        Finding::error(
            format!("`{value}` is not the URL of an endpoint"),
            "the daemon's first call fails with it",
            format!("write http://HOST:PORT or https://HOST for `{}`", key.name),
        )
    })
}

/// Checks the name of a region: two or three words and a number, as in `us-east-1`, `us-gov-west-1` and `ap-southeast-2`.
fn region(key: &Key, value: &str) -> Option<Finding> {
    let parts: Vec<_> = value.split('-').collect();
    let word = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase());
    let valid = matches!(&parts[..], [words @ .., number]
        if (2..=3).contains(&words.len()) && words.iter().all(word) && number.parse::<u8>().is_ok());
    if !valid {
        return Some(Finding::error(
            format!("`{value}` is not a region"),
            "the daemon accepts any text, and its first call fails",
            format!("write `{}` like us-east-1", key.name),
        ));
    }
    let direction = parts[parts.len() - 2];
    let known = ["central", "east", "north", "northeast", "northwest", "south", "southeast", "southwest", "west"];
    (!known.contains(&direction)).then(|| {
        let nearest = known.iter().min_by_key(|word| strsim::damerau_levenshtein(direction, word));
        let fix = nearest.map_or(String::new(), |word| value.replacen(direction, word, 1));
        Finding::error(
            format!("`{value}` is not a known region"),
            "the daemon accepts any text, and its first call fails",
            format!("write {fix}, if you mean that"),
        )
    })
}

fn duration(key: &Key, value: &str) -> Option<Finding> {
    let valid = value.strip_prefix('P').is_some_and(|rest| {
        let (days, time) = rest.split_once('T').map_or((rest, None), |(days, time)| (days, Some(time)));
        let counts = |mut text: &str, units: &[char]| {
            let mut units = units.iter();
            while let Some(end) = text.find(|c: char| c.is_ascii_alphabetic()) {
                let unit = text.as_bytes()[end] as char;
                if text[..end].parse::<f64>().is_err() || !units.any(|&known| known == unit) {
                    return false;
                }
                text = &text[end + 1..];
            }
            text.is_empty()
        };
        !rest.is_empty()
            && time != Some("")
            && counts(days, &['D'])
            && time.is_none_or(|time| counts(time, &['H', 'M', 'S']))
    });
    (!valid).then(|| {
        Finding::error(
            format!("`{value}` is not a valid value for `{}`: {}", key.name, key.kind.describe()),
            fate_of_unreadable(key),
            "write it like PT30M, PT6H or P1D",
        )
    })
}

fn tags(key: &Key, value: &str) -> Option<Finding> {
    let odd = value.split(',').find(|pair| {
        let mut parts = pair.trim().split('=');
        !matches!((parts.next(), parts.next(), parts.next()), (Some(key), Some(value), None) if !key.is_empty() && !value.is_empty())
    })?;
    Some(Finding::error(
        format!("`{}` is not a tag", odd.trim()),
        "the daemon ignores it",
        format!("write `{}` as key=value, separated by commas", key.name),
    ))
}

fn credentials(key: &Key, value: &str) -> Option<Finding> {
    value.split(',').map(str::trim).filter(|provider| !provider.is_empty()).find_map(|provider| {
        let class = provider.split('|').next().unwrap_or(provider);
        // A class with a package is the user's own, or a known one with its full name.
        if class.contains('.') || class == WEB_IDENTITY || PROVIDERS.contains(&class) {
            return arguments(class, provider);
        }
        let fix = match class {
            "DefaultAWSCredentialsProviderChain" | "DefaultCredentialsProviderChain" => "DefaultCredentialsProvider",
            "EC2ContainerCredentialsProviderWrapper" => "ContainerCredentialsProvider",
            "STSAssumeRoleSessionCredentialsProvider" => "StsAssumeRoleCredentialsProvider",
            "ClasspathPropertiesFileCredentialsProvider" | "PropertiesFileCredentialsProvider" => {
                "ProfileCredentialsProvider"
            }
            _ => PROVIDERS
                .iter()
                .chain([&WEB_IDENTITY])
                .min_by_key(|known| {
                    strsim::damerau_levenshtein(&class.to_ascii_lowercase(), &known.to_ascii_lowercase())
                })
                .map_or("DefaultCredentialsProvider", |known| known),
        };
        Some(Finding::error(
            format!("there is no credentials provider `{class}` for `{}`", key.name),
            "the daemon ignores a provider that it does not find, and refuses to start without any",
            format!("write {fix}, or a class of your own with its package"),
        ))
    })
}

/// Checks the arguments of the only provider that needs them.
fn arguments(class: &str, provider: &str) -> Option<Finding> {
    let assumes = matches!(class, "StsAssumeRoleCredentialsProvider" | "KclStsAssumeRoleCredentialsProvider");
    (assumes && provider.split('|').filter(|argument| !argument.contains('=')).count() < 3).then(|| {
        Finding::error(
            format!("`{class}` needs a role to assume, but none is given"),
            "the daemon ignores it without its two arguments",
            format!("write {class}|ROLE_ARN|SESSION_NAME|endpointRegion=REGION"),
        )
    })
}
