//! Where a worker keeps its leases.

use serde::{Deserialize, Serialize};

/// The place of a worker's lease table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Site {
    /// The region, if the tool knows it.
    pub(crate) region: Option<String>,
    /// The URL of DynamoDB, if it is not that of the region.
    pub(crate) endpoint: Option<String>,
}

#[cfg(feature = "aws")]
impl Site {
    /// Whether this is certainly not the same place as another one.
    pub(crate) fn differs(&self, other: &Self) -> bool {
        match (self.emulator(), other.emulator()) {
            // A machine has several names, and an emulator usually ignores the region.
            (Some(_), Some(_)) => false,
            (None, None) => {
                self.region.as_ref().zip(other.region.as_ref()).is_some_and(|(region, other)| region != other)
            }
            // Any other name may be that of the same emulator, as in a network of containers.
            (None, Some(_)) => self.is_aws(),
            (Some(_), None) => other.is_aws(),
        }
    }

    fn is_aws(&self) -> bool {
        self.endpoint.as_deref().is_none_or(|url| url.contains(".amazonaws.com") || url.contains(".api.aws"))
    }

    /// The URL of DynamoDB, if it is an emulator on this machine.
    pub(crate) fn emulator(&self) -> Option<&str> {
        self.endpoint.as_deref().filter(|url| crate::args::is_local(url))
    }
}

#[cfg(feature = "aws")]
impl std::fmt::Display for Site {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.emulator(), &self.region) {
            (Some(url), _) => write!(f, "at {}", crate::report::excerpt(url)),
            (None, Some(region)) => write!(f, "in region {}", crate::report::excerpt(region)),
            (None, None) => f.write_str("on AWS"),
        }
    }
}

#[cfg(all(test, feature = "aws"))]
mod tests {
    use super::*;

    fn site(region: Option<&str>, endpoint: Option<&str>) -> Site {
        Site { region: region.map(str::to_owned), endpoint: endpoint.map(str::to_owned) }
    }

    #[test]
    fn only_certain_differences_count() {
        let vpc = Some("https://vpce-1.dynamodb.us-east-1.vpce.amazonaws.com");
        let container = Some("http://localstack:4566");
        let [here, there] = [Some("http://127.0.0.1:1"), Some("http://localhost:2")];
        for (one, other, differs) in [
            (site(Some("us-east-1"), None), site(Some("us-east-1"), None), false),
            (site(Some("us-east-1"), None), site(Some("eu-west-1"), None), true),
            (site(Some("us-east-1"), None), site(None, None), false),
            (site(Some("us-east-1"), None), site(Some("us-east-1"), vpc), false),
            (site(Some("eu-west-1"), None), site(Some("us-east-1"), vpc), true),
            (site(Some("us-east-1"), here), site(Some("eu-west-1"), there), false),
            (site(Some("us-east-1"), here), site(Some("us-east-1"), None), true),
            (site(None, None), site(None, here), true),
            (site(None, vpc), site(None, here), true),
            (site(Some("us-east-1"), container), site(Some("us-east-1"), here), false),
        ] {
            assert_eq!((one.differs(&other), other.differs(&one)), (differs, differs), "{one:?} {other:?}");
        }
    }
}
