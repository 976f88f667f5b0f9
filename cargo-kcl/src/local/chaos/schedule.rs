//! What goes wrong at which message: a function of seed, shard and message number, and of nothing else.

use std::fmt;
use std::str::FromStr;

/// What can go wrong.
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

/// All of them, with the rate each has if nobody says otherwise.
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
            let form = || format!("`{part}` is not NAME=RATE; names are all, {}", known());
            let (name, rate) = part.split_once('=').ok_or_else(form)?;
            let rate: f64 = rate.parse().map_err(|_| form())?;
            if !(0.0..=1.0).contains(&rate) {
                return Err(format!("the rate of {name} is a probability, from 0 to 1"));
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

/// What a run's chaos is drawn from.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    pub(crate) seed: u64,
    pub(crate) rates: Rates,
}

/// At which point a processor is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Point {
    /// With a part of the message on its stdin.
    Torn,
    /// With the message on its stdin, or at work on it.
    Delivered,
    /// When it asks for a checkpoint, which is not kept.
    Asked,
    /// When its checkpoint is kept, and it does not know.
    Kept,
    /// When it knows that.
    Answered,
    /// When it has acknowledged the message, and so if it asked for no checkpoint.
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
    /// What is drawn for a shard's message; numbers count all that is said to its processors, from 1.
    pub(crate) fn at(&self, shard: u32, message: u64) -> Draw<'_> {
        Draw { state: mix(mix(mix(self.seed) ^ u64::from(shard)) ^ message), rates: &self.rates }
    }

    /// Splits and merges behind tenths of so many records, in the words of --reshard; none for too few.
    pub(crate) fn reshard(&self, records: u64, mut shards: u32) -> Option<String> {
        let mut changes = Vec::new();
        for tenth in 1..10 {
            // As if no shard had that number.
            let draw = self.at(u32::MAX, tenth);
            let behind = records / 10 * tenth + draw.number(Fault::Reshard, records / 10 + 1);
            if records >= 10 && behind < records && draw.hits(Fault::Reshard) {
                let merges = shards > 1 && draw.number(Fault::Duplicate, 2) == 1;
                shards = if merges { shards - 1 } else { shards + 1 };
                changes.push(format!("{}@{behind}", if merges { "merge" } else { "split" }));
            }
        }
        (!changes.is_empty()).then(|| changes.join(","))
    }
}

/// What is drawn for one message. Each fault has its own draw: the rate of one does not move another.
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

    /// The how many-eth number for the same fault.
    pub(crate) fn nth_number(&self, fault: Fault, nth: u64, below: u64) -> u64 {
        self.bits(fault, nth + 2) % below.max(1)
    }

    /// Where the processor is killed.
    pub(crate) fn point(&self) -> Point {
        const POINTS: [Point; 6] =
            [Point::Torn, Point::Delivered, Point::Asked, Point::Kept, Point::Answered, Point::Acknowledged];
        POINTS[self.number(Fault::Kill, POINTS.len() as u64) as usize]
    }

    /// How many of so many records a message brings: one, all, or a number whose magnitude is drawn.
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

/// SplitMix64: every bit of the number has its part in every bit of the result.
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
    fn faults_come_as_often_as_they_are_told_to() {
        let schedule = schedule(7, "all=0.25,kill=0,pieces=1");
        let count = |fault| (1..=10_000).filter(|&message| schedule.at(3, message).hits(fault)).count();
        assert_eq!((count(Fault::Kill), count(Fault::Pieces)), (0, 10_000));
        for fault in [Fault::Throttle, Fault::Refuse, Fault::Lease, Fault::Duplicate, Fault::Shutdown, Fault::Empty] {
            assert!((2_250..2_750).contains(&count(fault)), "{fault}: {}", count(fault));
        }
    }

    #[test]
    fn the_rate_of_one_fault_does_not_move_another() {
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
    fn shards_change_behind_records_that_there_are() {
        let schedule = schedule(7, "reshard=1");
        let changes = schedule.reshard(100, 1).unwrap();
        assert!(changes.parse::<crate::local::source::plan::Reshard>().is_ok(), "{changes}");
        assert!(changes.starts_with("split@"), "{changes}");
        assert_eq!(schedule.reshard(9, 1), None);
    }

    #[test]
    fn what_is_no_rate_is_said() {
        for (text, says) in [
            ("kill", "`kill` is not NAME=RATE; names are all, throttle, refuse"),
            ("kill=x", "`kill=x` is not NAME=RATE"),
            ("kil=0.5", "`kil=0.5` is not NAME=RATE"),
            ("kill=1.5", "the rate of kill is a probability"),
            ("kill=NaN", "the rate of kill is a probability"),
        ] {
            let error = text.parse::<Rates>().unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }
}
