//! Workers that keep their leases elsewhere: in another region, or on emulators. A command that asks in the wrong place finds no table, or
//! one that nobody uses any more.

use std::fmt::Display;

use super::log::Findings;
use crate::lease_table::Application;
use crate::metrics::Site;
use crate::report;

/// Warns of each log, and of each launcher on this machine, whose worker does not use the table that the command reads.
pub(super) fn warn(application: &Application, stream: Option<&str>, findings: &Findings) {
    let here = application.site();
    for (path, site) in findings.sites().filter(|(_, site)| site.differs(&here)) {
        warn_of(format_args!("the worker that wrote {}", path.display()), site, &here);
    }
    #[cfg(feature = "metrics")]
    for site in super::launcher::sites(&application.name, stream).iter().filter(|site| site.differs(&here)) {
        warn_of(format_args!("a worker of this application on this machine"), site, &here);
    }
    #[cfg(not(feature = "metrics"))]
    let _ = stream;
}

fn warn_of(worker: impl Display, site: &Site, here: &Site) {
    report::warning(format_args!(
        "{worker} keeps its leases {site}, and this command reads those {here}; {}",
        remedy(site, here)
    ));
}

/// The options to change if the command is to read the leases of a worker there.
fn remedy(site: &Site, here: &Site) -> String {
    match (site.emulator(), here.emulator(), &site.region) {
        (Some(url), _, _) => {
            format!("if that worker is meant, add --dynamodb-endpoint {} and the --endpoint of its Kinesis", report::quoted(&report::excerpt(url)))
        }
        (None, Some(_), _) => "if that worker is meant, leave out the endpoints (AWS_ENDPOINT_URL_KINESIS and AWS_ENDPOINT_URL_DYNAMODB name them, too)".to_owned(),
        (None, None, region) => format!("if that worker is meant, add --region {}", report::quoted(&report::excerpt(region.as_deref().unwrap_or("REGION")))),
    }
}
