//! Which endpoint serves which region (vendor page "Service endpoints" of Live).

use record_callback_core::InvalidConfig;
use record_callback_core::text::did_you_mean;
use record_callback_http::Env;

/// Where mainland regions, and callers that name none, are served.
pub(crate) const DEFAULT_ENDPOINT: &str = "https://live.aliyuncs.com";

/// The variables of the vendor's SDKs, of its command line and of its Terraform provider. The command line's bare
/// `REGION_ID` and `REGION` are anybody's: an error about them would be about something else.
pub(crate) const VARIABLES: [&str; 4] =
    ["ALIBABA_CLOUD_REGION_ID", "ALIBABACLOUD_REGION_ID", "ALICLOUD_REGION_ID", "ALICLOUD_REGION"];

struct Endpoints {
    region: &'static str,
    public: Option<&'static str>,
    /// Inside a VPC of the region.
    vpc: Option<&'static str>,
}

/// Regions that begin so are served by the default endpoint, if there are such.
const MAINLAND: &str = "cn-";
/// Those of the vendor's list of regions, with those of finance and government.
const MAINLAND_REGIONS: [&str; 21] = [
    "cn-beijing",
    "cn-beijing-finance-1",
    "cn-chengdu",
    "cn-fuzhou",
    "cn-guangzhou",
    "cn-hangzhou",
    "cn-hangzhou-finance",
    "cn-heyuan",
    "cn-hongkong",
    "cn-huhehaote",
    "cn-nanjing",
    "cn-north-2-gov-1",
    "cn-qingdao",
    "cn-shanghai",
    "cn-shanghai-finance-1",
    "cn-shenzhen",
    "cn-shenzhen-finance-1",
    "cn-wuhan-lr",
    "cn-wulanchabu",
    "cn-zhangjiakou",
    "cn-zhengzhou-jva",
];
/// What the documents say of the others. The official Python SDK sends nearly every region to the default endpoint, these
/// included; which is better is UNVERIFIED, and so is whether those that only it knows are served there.
const KNOWN: [Endpoints; 5] = [
    Endpoints {
        region: "ap-southeast-1",
        public: Some("https://live.ap-southeast-1.aliyuncs.com"),
        vpc: Some("https://live-vpc.ap-southeast-1.aliyuncs.com"),
    },
    Endpoints { region: "eu-central-1", public: Some("https://live.eu-central-1.aliyuncs.com"), vpc: None },
    Endpoints {
        region: "cn-shanghai",
        public: Some(DEFAULT_ENDPOINT),
        vpc: Some("https://live-vpc.cn-shanghai.aliyuncs.com"),
    },
    Endpoints { region: "us-east-1", public: None, vpc: Some("https://live-vpc.us-east-1.aliyuncs.com") },
    Endpoints {
        region: "me-central-1",
        public: None,
        vpc: Some("https://live-vpc.me-central-1.aliyuncs.com"),
    },
];

/// A region, and the option or variable it is from.
#[derive(Debug)]
pub(crate) struct Region {
    pub(crate) id: String,
    pub(crate) field: &'static str,
}

impl Region {
    /// The endpoint for the region in the environment, if there is one. That region may be for other products: where none of
    /// Live is known for it, it is the default one, as in the vendor's SDK. Inside a VPC there is none by default, and a
    /// mainland region that is only a slip away from one there is was meant for nothing else.
    pub(crate) fn endpoint_from_env(env: &dyn Env, vpc: bool) -> Option<Result<&'static str, InvalidConfig>> {
        let region = Self::from_env(env)?;
        let found = region.endpoint(vpc);
        let is_slip = region.id.starts_with(MAINLAND) && !region.meant().is_empty();
        Some(if vpc || is_slip { found } else { Ok(found.unwrap_or(DEFAULT_ENDPOINT)) })
    }

    /// The nearest region, in words, of one that is not known.
    fn meant(&self) -> String {
        let known = KNOWN.iter().map(|known| known.region).chain(MAINLAND_REGIONS);
        if known.clone().any(|known| known == self.id) {
            String::new()
        } else {
            did_you_mean(&self.id, known)
        }
    }

    fn from_env(env: &dyn Env) -> Option<Self> {
        VARIABLES.into_iter().find_map(|field| {
            let id = env.var(field)?.trim().to_owned();
            (!id.is_empty()).then_some(Self { id, field })
        })
    }

    /// The endpoint that serves it, on the internet or inside a VPC.
    pub(crate) fn endpoint(&self, vpc: bool) -> Result<&'static str, InvalidConfig> {
        let known = KNOWN.iter().find(|known| known.region == self.id);
        let (public, inside) = match known {
            Some(known) => (known.public, known.vpc),
            None => (MAINLAND_REGIONS.contains(&self.id.as_str()).then_some(DEFAULT_ENDPOINT), None),
        };
        let id = self.id.escape_debug();
        let problem = match (public, inside) {
            (_, Some(endpoint)) if vpc => return Ok(endpoint),
            (Some(endpoint), _) if !vpc => return Ok(endpoint),
            (None, Some(_)) => format!("`{id}` is known to be served inside a VPC only, and vpc is not set"),
            (Some(_), None) => format!("`{id}` is not known to be served inside a VPC"),
            _ => format!("`{id}` is not a known region{}", self.meant()),
        };
        Err(InvalidConfig::new(self.field, problem, rule()))
    }
}

/// That something inside a VPC was asked for, but not where.
pub(crate) fn no_region() -> InvalidConfig {
    let regions = names(|known| known.vpc.is_some());
    InvalidConfig::new(
        "vpc",
        "is set, and neither a region nor an endpoint is",
        format!("a region of {regions}"),
    )
}

fn rule() -> String {
    let elsewhere = names(|known| known.public.is_some() && !known.region.starts_with(MAINLAND));
    let vpc = names(|known| known.vpc.is_some());
    format!("one of the mainland such as cn-shanghai, {elsewhere}; inside a VPC {vpc}; or set the endpoint")
}

fn names(chosen: impl Fn(&Endpoints) -> bool) -> String {
    let regions: Vec<_> = KNOWN.iter().filter(|known| chosen(known)).map(|known| known.region).collect();
    regions.join(", ")
}

#[cfg(test)]
mod tests {
    use record_callback_http::FixedEnv;

    use super::*;

    fn endpoint(id: &str, vpc: bool) -> Result<&'static str, String> {
        let region = Region { id: id.to_owned(), field: "region" };
        region.endpoint(vpc).map_err(|error| error.problem().to_owned())
    }

    #[test]
    fn a_region_is_served_on_the_internet_or_inside_a_vpc() {
        for (id, public, vpc) in [
            ("cn-hangzhou", Some("live.aliyuncs.com"), None),
            ("cn-shanghai", Some("live.aliyuncs.com"), Some("live-vpc.cn-shanghai.aliyuncs.com")),
            (
                "ap-southeast-1",
                Some("live.ap-southeast-1.aliyuncs.com"),
                Some("live-vpc.ap-southeast-1.aliyuncs.com"),
            ),
            ("eu-central-1", Some("live.eu-central-1.aliyuncs.com"), None),
            ("us-east-1", None, Some("live-vpc.us-east-1.aliyuncs.com")),
            ("me-central-1", None, Some("live-vpc.me-central-1.aliyuncs.com")),
            ("mars-1", None, None),
        ] {
            let host = |vpc| endpoint(id, vpc).ok().map(|url| url.trim_start_matches("https://"));
            assert_eq!((host(false), host(true)), (public, vpc), "{id}");
        }
    }

    #[test]
    fn what_is_not_known_is_told_from_what_is_known_elsewhere() {
        for (id, vpc, problem) in [
            ("mars-1", false, "`mars-1` is not a known region"),
            ("mars-1", true, "`mars-1` is not a known region"),
            ("us-east-1", false, "`us-east-1` is known to be served inside a VPC only, and vpc is not set"),
            ("eu-central-1", true, "`eu-central-1` is not known to be served inside a VPC"),
            ("cn-hangzhou", true, "`cn-hangzhou` is not known to be served inside a VPC"),
            ("mars\n1", false, "`mars\\n1` is not a known region"),
            ("cn-shangai", false, "`cn-shangai` is not a known region; did you mean `cn-shanghai`?"),
            ("cn-shangai", true, "`cn-shangai` is not a known region; did you mean `cn-shanghai`?"),
            ("ap-southest-1", false, "`ap-southest-1` is not a known region; did you mean `ap-southeast-1`?"),
            ("cn-nowhere", false, "`cn-nowhere` is not a known region"),
        ] {
            assert_eq!(endpoint(id, vpc).unwrap_err(), problem, "{id} {vpc}");
        }
        let region = Region { id: "mars-1".into(), field: "ALICLOUD_REGION" };
        assert_eq!(
            region.endpoint(false).unwrap_err().to_string(),
            "ALICLOUD_REGION: `mars-1` is not a known region (rule: one of the mainland such as cn-shanghai, ap-southeast-1, \
             eu-central-1; inside a VPC ap-southeast-1, cn-shanghai, us-east-1, me-central-1; or set the endpoint)"
        );
    }

    #[test]
    fn a_slip_in_a_variable_is_told_from_a_region_of_other_products() {
        for (id, expected) in [
            ("cn-shanghai", Ok(DEFAULT_ENDPOINT)),
            ("us-west-1", Ok(DEFAULT_ENDPOINT)),
            ("cn-somewhere-new", Ok(DEFAULT_ENDPOINT)),
            ("cn-shangai", Err("`cn-shangai` is not a known region; did you mean `cn-shanghai`?")),
            ("cn-bejing", Err("`cn-bejing` is not a known region; did you mean `cn-beijing`?")),
        ] {
            let env: FixedEnv = [("ALIBABA_CLOUD_REGION_ID", id)].into_iter().collect();
            let found = Region::endpoint_from_env(&env, false).unwrap();
            assert_eq!(
                found.as_ref().map_err(InvalidConfig::problem),
                expected.as_ref().map_err(|problem| *problem)
            );
        }
    }

    #[test]
    fn the_first_variable_that_says_something_counts() {
        let region = |variables: &[(&str, &str)]| {
            let region = Region::from_env(&variables.iter().copied().collect::<FixedEnv>())?;
            Some(format!("{} {}", region.field, region.id))
        };
        let all = VARIABLES.map(|variable| (variable, "cn-shanghai"));
        for (skipped, variable) in VARIABLES.into_iter().enumerate() {
            let expected = format!("{variable} cn-shanghai");
            assert_eq!(region(&all[skipped..]), Some(expected), "{variable}");
        }
        let blank = [("ALIBABA_CLOUD_REGION_ID", " \n"), ("ALICLOUD_REGION", " cn-beijing\n")];
        assert_eq!(region(&blank).as_deref(), Some("ALICLOUD_REGION cn-beijing"));
        assert_eq!(region(&[("REGION", "mars-1"), ("REGION_ID", "mars-1")]), None);
    }
}
