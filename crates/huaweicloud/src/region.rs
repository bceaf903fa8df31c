//! Which endpoints serve which region, in the order of the vendor's SDKs: a variable, a file, what is known.

use record_callback_core::text::did_you_mean;
use record_callback_core::{InvalidConfig, Result};
use record_callback_http::{Endpoint, SourceContext};

use crate::credential::are_openstack_names_ours;
use crate::regions_file::RegionsFile;

/// Regions with a Live endpoint in the official SDK or the vendor's endpoint tables
/// (page `api-live/live_03_0052`); their addresses have one form.
const LIVE: [&str; 6] =
    ["cn-north-4", "cn-north-1", "cn-east-3", "ap-southeast-1", "ap-southeast-2", "ap-southeast-3"];
/// Regions with an IAM endpoint of their own, by the official SDK.
const IAM: [&str; 27] = [
    "af-south-1",
    "ae-ad-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "cn-east-2",
    "cn-east-3",
    "cn-east-4",
    "cn-east-5",
    "cn-north-1",
    "cn-north-12",
    "cn-north-2",
    "cn-north-4",
    "cn-north-9",
    "cn-south-1",
    "cn-south-2",
    "cn-southwest-2",
    "eu-west-0",
    "la-north-2",
    "la-south-2",
    "me-east-1",
    "my-kualalumpur-1",
    "na-mexico-1",
    "ru-moscow-1",
    "sa-brazil-1",
    "tr-west-1",
];
pub(crate) const DEFAULT_IAM: &str = "https://iam.myhuaweicloud.com";

/// The variables of the vendor's Terraform provider.
const VARIABLE: &str = "HW_REGION_NAME";
const SECOND_VARIABLE: &str = "OS_REGION_NAME";
/// Begins the variables with the endpoints of a region.
const ENDPOINT_VARIABLE: &str = "HUAWEICLOUD_SDK_REGION_LIVE_";

/// A region, and the option or variable it is from.
#[derive(Debug, Clone)]
pub(crate) struct Region {
    pub(crate) id: String,
    pub(crate) field: &'static str,
}

impl Region {
    /// The region in the environment, if there is one.
    pub(crate) fn from_env(context: &SourceContext) -> Option<Self> {
        if let Some(id) = context.var(VARIABLE) {
            return Some(Self { id, field: VARIABLE });
        }
        let id = if are_openstack_names_ours(&context.env) { context.var(SECOND_VARIABLE) } else { None };
        Some(Self { id: id?, field: SECOND_VARIABLE })
    }

    /// The endpoint of Live.
    pub(crate) fn live(&self, context: &SourceContext, allow_http: bool) -> Result<Endpoint> {
        let variable = format!("{ENDPOINT_VARIABLE}{}", self.id.replace('-', "_").to_uppercase());
        if let Some(list) = context.var(&variable)
            && let Some(address) = list.split(',').map(str::trim).find(|address| !address.is_empty())
        {
            return self.parse(&variable, address, allow_http);
        }
        let file = RegionsFile::of(context);
        if let Some(file) = &file
            && let Some(address) = file.endpoint(&self.id)?
        {
            return self.parse(&file.path().display().to_string(), &address, allow_http);
        }
        if LIVE.contains(&self.id.as_str()) {
            let address = format!("https://live.{}.myhuaweicloud.com", self.id);
            return Ok(Endpoint::parse(self.field, &address, allow_http)?);
        }
        let meant = did_you_mean(&self.id, LIVE);
        let problem = format!("`{}` is not a known region{meant}", self.id.escape_debug());
        let file = file.map(|file| format!(" or {}", file.path().display())).unwrap_or_default();
        let rule = format!("one of {}; or set the endpoint, here or in {variable}{file}", known());
        Err(InvalidConfig::new(self.field, problem, rule).into())
    }

    /// The address of IAM.
    pub(crate) fn iam(&self) -> String {
        if IAM.contains(&self.id.as_str()) {
            format!("https://iam.{}.myhuaweicloud.com", self.id)
        } else {
            DEFAULT_IAM.to_owned()
        }
    }

    /// An error says what gives the address.
    fn parse(&self, giver: &str, address: &str, allow_http: bool) -> Result<Endpoint> {
        let endpoint = Endpoint::parse(self.field, address, allow_http);
        Ok(endpoint.map_err(|error| {
            let problem = format!("the endpoint that {giver} gives {}", error.problem());
            InvalidConfig::new(self.field, problem, error.rule())
        })?)
    }
}

/// That nothing says where.
pub(crate) fn no_endpoint() -> InvalidConfig {
    let rule = format!("an address, or a region of {}", known());
    InvalidConfig::new("endpoint", "is not given, and neither is a region", rule)
}

fn known() -> String {
    LIVE.join(", ")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use record_callback_http::FixedEnv;

    use super::*;

    fn context(variables: &[(&str, &str)]) -> SourceContext {
        let env = Arc::new(variables.iter().copied().collect::<FixedEnv>());
        SourceContext { env, ..SourceContext::default() }
    }

    fn live(id: &str, variables: &[(&str, &str)]) -> Result<String, String> {
        let region = Region { id: id.to_owned(), field: "region" };
        let endpoint = region.live(&context(variables), false).map_err(|error| error.to_string())?;
        Ok(endpoint.url().to_string())
    }

    #[test]
    fn known_regions_have_endpoints_of_one_form() {
        for id in LIVE {
            assert_eq!(live(id, &[]).unwrap(), format!("https://live.{id}.myhuaweicloud.com/"));
        }
        let error = live("mars-1", &[("HOME", "/home/me"), ("USERPROFILE", "/home/me")]).unwrap_err();
        let expected = "region: `mars-1` is not a known region (rule: one of cn-north-4, cn-north-1, cn-east-3, \
                        ap-southeast-1, ap-southeast-2, ap-southeast-3; or set the endpoint, here or in \
                        HUAWEICLOUD_SDK_REGION_LIVE_MARS_1 or /home/me";
        assert!(error.contains(expected), "{error}");
        let error = live("mars\n-1", &[]).unwrap_err();
        assert!(!error.contains('\n'), "{error}");
    }

    #[test]
    fn a_regions_endpoint_is_of_its_variable_the_file_or_the_known_ones() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("regions.yaml");
        std::fs::write(
            &path,
            "live:\n  - id: mars-1\n    endpoint: live.mars-1.example.com\n  \
             - {id: cn-north-4, endpoints: ['https://one.example.com', two.example.com]}\n",
        )
        .unwrap();
        let path = path.to_str().unwrap();
        let file = ("HUAWEICLOUD_SDK_REGIONS_FILE", path);
        assert_eq!(live("mars-1", &[file]).unwrap(), "https://live.mars-1.example.com/");
        assert_eq!(live("cn-north-4", &[file]).unwrap(), "https://one.example.com/");
        assert_eq!(live("cn-east-3", &[file]).unwrap(), "https://live.cn-east-3.myhuaweicloud.com/");
        let variable =
            ("HUAWEICLOUD_SDK_REGION_LIVE_CN_NORTH_4", " , https://three.example.com, four.example.com");
        assert_eq!(live("cn-north-4", &[file, variable]).unwrap(), "https://three.example.com/");
        let elsewhere = ("HUAWEICLOUD_SDK_REGION_LIVE_CN_NORTH_1", "https://three.example.com");
        assert_eq!(live("cn-north-4", &[file, elsewhere]).unwrap(), "https://one.example.com/");
    }

    #[test]
    fn the_file_is_looked_for_at_home() {
        let home = tempfile::tempdir().unwrap();
        let shown = home.path().to_str().unwrap();
        let variables = [("HOME", shown), ("USERPROFILE", shown)];
        assert_eq!(live("cn-north-4", &variables).unwrap(), "https://live.cn-north-4.myhuaweicloud.com/");
        std::fs::create_dir(home.path().join(".huaweicloud")).unwrap();
        let path = home.path().join(".huaweicloud/regions.yaml");
        std::fs::write(&path, "LIVE: [{id: cn-north-4, endpoint: one.example.com}]").unwrap();
        assert_eq!(live("cn-north-4", &variables).unwrap(), "https://one.example.com/");
        std::fs::write(&path, "LIVE:\n  cn-north-4: one.example.com\n").unwrap();
        let error = live("cn-north-4", &variables).unwrap_err();
        assert!(error.contains(&format!("regions.yaml: {} line 2", path.display())), "{error}");
        // The variable leads elsewhere, and something has to be there.
        let elsewhere = ("HUAWEICLOUD_SDK_REGIONS_FILE", "/nowhere/regions.yaml");
        let error = live("cn-north-4", &[variables[0], variables[1], elsewhere]).unwrap_err();
        assert!(
            error.starts_with("HUAWEICLOUD_SDK_REGIONS_FILE: /nowhere/regions.yaml cannot be read"),
            "{error}"
        );
    }

    #[test]
    fn an_address_that_is_none_is_told_with_what_gives_it() {
        let variable = "HUAWEICLOUD_SDK_REGION_LIVE_CN_NORTH_4";
        for (address, problem) in [
            ("http://live.example.com", "is plain http to `live.example.com`"),
            ("https://u:s3cr3t@live.example.com", "contains user info"),
        ] {
            let error = live("cn-north-4", &[(variable, address)]).unwrap_err();
            let expected = format!("region: the endpoint that {variable} gives {problem}");
            assert!(error.contains(&expected) && !error.contains("s3cr3t"), "{error}");
        }
    }

    #[test]
    fn iam_is_the_regions_where_it_has_one() {
        let iam = |id: &str| Region { id: id.to_owned(), field: "region" }.iam();
        assert_eq!(iam("cn-north-4"), "https://iam.cn-north-4.myhuaweicloud.com");
        assert_eq!(iam("eu-west-0"), "https://iam.eu-west-0.myhuaweicloud.com");
        assert_eq!(iam("mars-1"), DEFAULT_IAM);
        assert!(LIVE.iter().all(|id| IAM.contains(id)));
    }
}
