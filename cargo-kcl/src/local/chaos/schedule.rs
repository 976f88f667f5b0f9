//! Chooses the faults of each message, as a function of only the seed, the shard and the message number.

use std::fmt;
use std::str::FromStr;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    Throttle,
    Refuse,
    Lease,
    Duplicate,
    Shutdown,
    Kill,
    Empty,
    NullMillis,
    Pieces,
    Reshard,
}

/// All faults, with their names and default rates.
const FAULTS: [(Fault, &str, f64); 10] = [
    (Fault::Throttle, "throttle", 0.1),
    (Fault::Refuse, "refuse", 0.05),
    (Fault::Lease, "lease", 0.03),
    (Fault::Duplicate, "duplicate", 0.03),
    (Fault::Shutdown, "shutdown", 0.03),
    (Fault::Kill, "kill", 0.05),
    (Fault::Empty, "empty", 0.1),
    (Fault::NullMillis, "null-millis", 0.1),
    (Fault::Pieces, "pieces", 0.1),
    (Fault::Reshard, "reshard", 0.2),
];

impl Fault {
    pub(crate) const COUNT: usize = FAULTS.len();

    pub(crate) fn all() -> impl Iterator<Item = Self> {
        FAULTS.iter().map(|(fault, ..)| *fault)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(FAULTS[*self as usize].1)
    }
}

/// How probable each fault is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rates([f64; Fault::COUNT]);

impl Default for Rates {
    fn default() -> Self {
        Self(FAULTS.map(|(.., rate)| rate))
    }
}

impl FromStr for Rates {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut rates = Self::default();
        for part in text.split(',') {
            let known = || FAULTS.map(|(_, name, _)| name).join(", ");
            let form = || format!("`{part}` is not NAME=RATE; NAME is one of all, {}", known());
            let (name, rate) = part.split_once('=').ok_or_else(form)?;
            let rate: f64 = rate.parse().map_err(|_| form())?;
            if !(0.0..=1.0).contains(&rate) {
                return Err(format!("the rate of {name} must be a probability, from 0 to 1"));
            }
            match FAULTS.iter().find(|(_, known, _)| *known == name) {
                Some((fault, ..)) => rates.0[*fault as usize] = rate,
                None if name == "all" => rates.0 = [rate; Fault::COUNT],
                None => return Err(form()),
            }
        }
        Ok(rates)
    }
}

/// The seed and the rates from which the faults of a run are drawn.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    pub(crate) seed: u64,
    pub(crate) rates: Rates,
}

/// The point at which a processor is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Point {
    /// With part of the message on its stdin.
    Torn,
    /// With the message on its stdin, or while processing it.
    Delivered,
    /// When it requests a checkpoint, which is not kept.
    Asked,
    /// When its checkpoint is kept, before it gets the answer.
    Kept,
    /// When it has got the answer.
    Answered,
    /// When it has acknowledged the message. Also the point for a processor that never reaches the one that was drawn.
    Acknowledged,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Torn => "torn",
            Self::Delivered => "delivered",
            Self::Asked => "asked",
            Self::Kept => "kept",
            Self::Answered => "answered",
            Self::Acknowledged => "acknowledged",
        })
    }
}

impl Schedule {
    /// The draw for a message of a shard. Numbers count all lines sent to the shard's processors, from 1.
    pub(crate) fn at(&self, shard: u32, message: u64) -> Draw<'_> {
        Draw { state: mix(mix(mix(self.seed) ^ u64::from(shard)) ^ message), rates: &self.rates }
    }

    /// Splits and merges in the tenths of an input with this many records, in the syntax of --reshard; `None` for too few records.
    pub(crate) fn reshard(&self, records: u64, mut shards: u32) -> Option<String> {
        let mut changes = Vec::new();
        for tenth in 1..10 {
            // No real shard has this number.
            let draw = self.at(u32::MAX, tenth);
            let after = records / 10 * tenth + draw.number(Fault::Reshard, records / 10 + 1);
            if records >= 10 && after < records && draw.hits(Fault::Reshard) {
                let merges = shards > 1 && draw.number(Fault::Duplicate, 2) == 1;
                shards = if merges { shards - 1 } else { shards + 1 };
                changes.push(format!("{}@{after}", if merges { "merge" } else { "split" }));
            }
        }
        (!changes.is_empty()).then(|| changes.join(","))
    }
}

/// The random numbers for one message. Each fault has its own: the rate of one does not affect another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draw<'a> {
    state: u64,
    rates: &'a Rates,
}

impl Draw<'_> {
    pub(crate) fn hits(&self, fault: Fault) -> bool {
        let unit = (self.bits(fault, 0) >> 11) as f64 / (1_u64 << 53) as f64;
        unit < self.rates.0[fault as usize]
    }

    /// A number below `below`, or 0.
    pub(crate) fn number(&self, fault: Fault, below: u64) -> u64 {
        self.bits(fault, 1) % below.max(1)
    }

    /// The nth further number below `below` for the same fault, or 0.
    pub(crate) fn nth_number(&self, fault: Fault, nth: u64, below: u64) -> u64 {
        self.bits(fault, nth + 2) % below.max(1)
    }

    /// Where the processor is killed.
    pub(crate) fn point(&self) -> Point {
        const POINTS: [Point; 6] =
            [Point::Torn, Point::Delivered, Point::Asked, Point::Kept, Point::Answered, Point::Acknowledged];
        POINTS[self.number(Fault::Kill, POINTS.len() as u64) as usize]
    }

    /// How many of the available records a message contains: one, all, or a number whose magnitude is drawn.
    pub(crate) fn share(&self, records: usize) -> usize {
        let magnitude = self.bits(Fault::Empty, 7) % (u64::from(records.max(1).ilog2()) + 2);
        let most = 1_usize << magnitude.min(20);
        match most {
            1 => 1,
            most if most > records => records,
            most => most / 2 + self.nth_number(Fault::Empty, 8, most as u64 / 2 + 1) as usize,
        }
        .clamp(1, records.max(1))
    }

    fn bits(&self, fault: Fault, nth: u64) -> u64 {
        mix(self.state ^ mix((fault as u64 + 1) << 32 | nth))
    }
}

/// SplitMix64: every bit of the number affects every bit of the result.
fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(seed: u64, rates: &str) -> Schedule {
        Schedule { seed, rates: rates.parse().unwrap() }
    }

    #[test]
    fn faults_occur_at_their_rates() {
        let schedule = schedule(7, "all=0.25,kill=0,pieces=1");
        let count = |fault| (1..=10_000).filter(|&message| schedule.at(3, message).hits(fault)).count();
        assert_eq!((count(Fault::Kill), count(Fault::Pieces)), (0, 10_000));
        for fault in [Fault::Throttle, Fault::Refuse, Fault::Lease, Fault::Duplicate, Fault::Shutdown, Fault::Empty] {
            assert!((2_250..2_750).contains(&count(fault)), "{fault}: {}", count(fault));
        }
    }

    #[test]
    fn the_rate_of_one_fault_does_not_affect_another() {
        let hits = |rates| {
            let schedule = schedule(7, rates);
            (1..1_000).map(|message| schedule.at(0, message).hits(Fault::Lease)).collect::<Vec<_>>()
        };
        assert_eq!(hits("kill=0.5"), hits("kill=0,empty=1"));
    }

    #[test]
    fn seeds_and_shards_differ() {
        let kills = |seed, shard| {
            let schedule = schedule(seed, "kill=0.5");
            (1..100).map(|message| schedule.at(shard, message).hits(Fault::Kill)).collect::<Vec<_>>()
        };
        assert_ne!(kills(1, 0), kills(2, 0));
        assert_ne!(kills(1, 0), kills(1, 1));
    }

    #[test]
    fn a_share_is_some_of_the_records() {
        let schedule = schedule(7, "all=0");
        for records in [1, 2, 3, 7, 100, 1_000, 10_000] {
            let shares: Vec<_> = (1..2_000).map(|message| schedule.at(0, message).share(records)).collect();
            assert!(shares.iter().all(|share| (1..=records).contains(share)), "{records}");
            assert!(shares.contains(&1) && shares.contains(&records), "{records}");
        }
    }

    #[test]
    fn shards_change_after_records_that_exist() {
        let schedule = schedule(7, "reshard=1");
        let changes = schedule.reshard(100, 1).unwrap();
        assert!(changes.parse::<crate::local::source::plan::Reshard>().is_ok(), "{changes}");
        assert!(changes.starts_with("split@"), "{changes}");
        assert_eq!(schedule.reshard(9, 1), None);
    }

    #[test]
    fn invalid_rates_are_explained() {
        for (text, says) in [
            ("kill", "`kill` is not NAME=RATE; NAME is one of all, throttle, refuse"),
            ("kill=x", "`kill=x` is not NAME=RATE"),
            ("kil=0.5", "`kil=0.5` is not NAME=RATE"),
            ("kill=1.5", "the rate of kill must be a probability"),
            ("kill=NaN", "the rate of kill must be a probability"),
        ] {
            let error = text.parse::<Rates>().unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }
}
