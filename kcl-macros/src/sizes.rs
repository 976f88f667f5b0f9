//! Sizes as people write them, such as `64 MiB`. Durations and plain numbers are in `quantities`.

use crate::quantities::{commas, split_number};

/// The names of the units, and their numbers of bytes.
const UNITS: [(&[&str], u64); 9] = [
    (&["B", "byte", "bytes"], 1),
    (&["kB", "KB"], 1_000),
    (&["MB"], 1_000_000),
    (&["GB"], 1_000_000_000),
    (&["TB"], 1_000_000_000_000),
    (&["KiB", "kiB"], 1 << 10),
    (&["MiB"], 1 << 20),
    (&["GiB"], 1 << 30),
    (&["TiB"], 1 << 40),
];

/// Why a text is not a size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NotASize {
    /// The text does not start with a number.
    NoNumber,
    /// This number has no unit.
    NoUnit(String),
    /// This number has commas between its digits.
    Commas(String),
    /// This is not a unit. The second one may be what was meant.
    NotAUnit(String, Option<&'static str>),
    /// The size is not a whole number of bytes.
    NotWhole,
    /// The size does not fit into a `u64`.
    TooLarge,
}

/// Parses a size such as `64 MiB`, `1.5 GiB` or `500kB`, as a number of bytes.
pub(crate) fn size(text: &str) -> Result<u64, NotASize> {
    let (number, rest) = split_number(text.trim()).ok_or(NotASize::NoNumber)?;
    if let Some(number) = commas(text.trim()) {
        return Err(NotASize::Commas(number.to_owned()));
    }
    let unit = rest.trim();
    if unit.is_empty() {
        return Err(NotASize::NoUnit(number));
    }
    let Some((_, bytes)) = UNITS.iter().find(|(names, _)| names.contains(&unit)) else {
        return Err(NotASize::NotAUnit(unit.to_owned(), meant(unit)));
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((&number, ""));
    let digits = u32::try_from(fraction.len()).map_err(|_| NotASize::NotWhole)?;
    let parts = 10_u128.checked_pow(digits).ok_or(NotASize::NotWhole)?;
    let number: u128 = format!("{whole}{fraction}").parse().map_err(|_| NotASize::TooLarge)?;
    let bytes = number.checked_mul(u128::from(*bytes)).ok_or(NotASize::TooLarge)?;
    if bytes % parts != 0 {
        return Err(NotASize::NotWhole);
    }
    u64::try_from(bytes / parts).map_err(|_| NotASize::TooLarge)
}

/// The unit that was meant by one in the wrong case, or without its `B`.
fn meant(unit: &str) -> Option<&'static str> {
    let unit = unit.to_lowercase();
    let names = || UNITS.iter().map(|(names, _)| names[0]);
    names().find(|name| {
        let name = name.to_lowercase();
        unit == name || name.len() > 1 && Some(unit.as_str()) == name.strip_suffix('b')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_a_number_with_a_unit() {
        for (text, bytes) in [
            ("64 MiB", 64 << 20),
            ("64MiB", 64 << 20),
            (" 1 GiB ", 1 << 30),
            ("1.5 GiB", 3 << 29),
            ("500 kB", 500_000),
            ("500KB", 500_000),
            ("0.5kB", 500),
            ("10_000 bytes", 10_000),
            ("10 000 B", 10_000),
            ("1 byte", 1),
            ("2 TB", 2_000_000_000_000),
            ("3 TiB", 3 << 40),
            ("16 KiB", 16 << 10),
            ("1MB", 1_000_000),
            ("1GB", 1_000_000_000),
            ("0 B", 0),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn another_text_is_explained() {
        let not_a_unit = |unit: &str, meant| NotASize::NotAUnit(unit.to_owned(), meant);
        for (text, problem) in [
            ("", NotASize::NoNumber),
            ("much", NotASize::NoNumber),
            ("-1 MiB", NotASize::NoNumber),
            ("64", NotASize::NoUnit("64".to_owned())),
            ("64,000 kB", NotASize::Commas("64,000".to_owned())),
            ("64 mib", not_a_unit("mib", Some("MiB"))),
            ("64 mb", not_a_unit("mb", Some("MB"))),
            ("64M", not_a_unit("M", Some("MB"))),
            ("64 Mi", not_a_unit("Mi", Some("MiB"))),
            ("64k", not_a_unit("k", Some("kB"))),
            ("1 GiB 5 MiB", not_a_unit("GiB 5 MiB", None)),
            ("64 records", not_a_unit("records", None)),
            ("0.5 B", NotASize::NotWhole),
            ("0.0001 kB", NotASize::NotWhole),
            ("99999999999 TiB", NotASize::TooLarge),
            ("999999999999999999999999999999999999999999 B", NotASize::TooLarge),
        ] {
            assert_eq!(size(text), Err(problem), "{text}");
        }
    }
}
