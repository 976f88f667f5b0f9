//! The texts of results: tables, medians, units, and the machine that measured them.

use std::fs;
use std::process::Command;

use crate::peers::output;

/// Measurements of the same thing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    pub(crate) fn push(&mut self, sample: f64) {
        self.0.push(sample);
        self.0.sort_by(f64::total_cmp);
    }

    /// The median; `None` without samples.
    pub(crate) fn median(&self) -> Option<f64> {
        let middle = self.0.len().checked_sub(1)? / 2;
        Some(f64::midpoint(self.0[middle], self.0[self.0.len() / 2]))
    }

    /// The distance between the least and the greatest, as a percentage of the median.
    fn spread(&self) -> Option<f64> {
        Some((self.0.last()? - self.0.first()?) / self.median()? * 100.0)
    }

    /// The median, and the spread if there is more than one sample.
    pub(crate) fn cell(&self) -> String {
        match (self.median(), self.spread()) {
            (Some(median), Some(spread)) if self.0.len() > 1 => format!("{} ({spread:.0} %)", number(median)),
            (Some(median), _) => number(median),
            _ => "–".to_owned(),
        }
    }
}

/// A number with three significant digits, or all digits before the decimal point.
pub(crate) fn number(number: f64) -> String {
    let decimals = match number.abs() {
        100.0.. => 0,
        10.0.. => 1,
        _ => 2,
    };
    let text = format!("{number:.decimals$}");
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index) % 3 == 0 && grouped != "-" {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if fraction.is_empty() { grouped } else { format!("{grouped}.{fraction}") }
}

/// A number of runs, in words.
pub(crate) fn runs(runs: usize) -> String {
    if runs == 1 { "1 run".to_owned() } else { format!("{runs} runs") }
}

/// A table in Markdown, whose first column is of words and whose others are of numbers.
pub(crate) fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let mut text = format!("| {} |\n|---|{}\n", header.join(" | "), "--:|".repeat(header.len() - 1));
    for row in rows {
        text += &format!("| {} |\n", row.join(" | "));
    }
    text
}

/// The machine, the day and the load, in one sentence.
pub(crate) fn machine(load_before: &str) -> String {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        cpus.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1)).unwrap_or("unknown CPU");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let say = |command: &mut Command| output(command).unwrap_or_else(|_| "unknown".to_owned());
    let kernel = say(Command::new("uname").args(["-s", "-r"]));
    let day = say(Command::new("date").args(["-u", "+%F"]));
    format!(
        "Measured on {day} on {cores} cores of {model}, {kernel}; load of the machine {load_before} before and {} after.",
        load()
    )
}

/// The average number of runnable threads during the last minute.
pub(crate) fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().unwrap_or("unknown").to_owned()
}

#[cfg(test)]
mod tests {
    use super::{Samples, number};

    #[test]
    fn numbers_have_three_digits() {
        let texts = [0.5, 12.34, 123.4, 1234.5, 1_234_567.0, -0.126].map(number);
        assert_eq!(texts, ["0.50", "12.3", "123", "1,234", "1,234,567", "-0.13"]);
    }

    #[test]
    fn a_cell_is_the_median_and_the_spread() {
        let mut samples = Samples::default();
        assert_eq!(samples.cell(), "–");
        [110.0, 100.0, 95.0].into_iter().for_each(|sample| samples.push(sample));
        assert_eq!(samples.cell(), "100 (15 %)");
    }
}
