//! `--metrics`, the options that find a run, and how an address is written.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

use clap::Args;

use crate::args::REPORT;

/// Where the metrics of a run are served.
#[derive(Clone, Debug, Args)]
pub(crate) struct MetricsOptions {
    /// Serve metrics for Prometheus and probes at this address: /metrics, /livez and /readyz. A port alone is a port on 127.0.0.1.
    /// Port 0 chooses a free one
    #[arg(long, help_heading = REPORT, value_name = "[IP:]PORT", env = "KCL_METRICS_ADDRESS")]
    pub(crate) metrics: Option<Address>,
}

/// Which run is asked, for `health` and `top`.
#[derive(Clone, Debug, Args)]
#[cfg_attr(not(feature = "metrics"), allow(dead_code))]
pub(crate) struct RunOptions {
    /// Name of the application that the run was started with; by default the only run of this user. For a `local` without --app, the name
    /// of the processor
    #[arg(long, value_name = "NAME", env = "KCL_APP")]
    pub(crate) app: Option<String>,

    /// Address that the run was given with --metrics
    #[arg(long, value_name = "[IP:]PORT")]
    pub(crate) address: Option<Address>,
}

/// An address without a name that would have to be resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Address(pub(crate) SocketAddr);

impl FromStr for Address {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "write a port of this machine, such as 9464, or an IP address and a port, such as 0.0.0.0:9464 or [::]:9464";
        const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let port = text.strip_prefix("localhost:").or_else(|| text.strip_prefix(':')).unwrap_or(text);
        let local = port.parse().map(|port| SocketAddr::new(LOOPBACK, port)).ok();
        local.or_else(|| text.parse().ok()).map(Self).ok_or(FORM)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_alone_is_one_of_this_machine() {
        for (text, address) in [
            ("9464", "127.0.0.1:9464"),
            (":0", "127.0.0.1:0"),
            ("localhost:80", "127.0.0.1:80"),
            ("0.0.0.0:9464", "0.0.0.0:9464"),
            ("[::]:9464", "[::]:9464"),
        ] {
            assert_eq!(text.parse(), Ok(Address(address.parse().expect("an address"))), "{text}");
        }
        for text in ["", "65536", "host:80", "1.2.3.4", "::1:80x", "-1"] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }
}
