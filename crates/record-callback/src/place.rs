use record_callback_http::{Env, FixedEnv, OsEnv};

use crate::provider_config::{ProviderConfig, shown};

impl ProviderConfig {
    /// Which cloud it is, to tell one from another, with defaults from this process's environment: vendor, address or
    /// region, and project. No secret.
    ///
    /// Where the config has neither an address nor a region, it is the address the environment leads to, unless that is
    /// where it leads when nothing is set.
    pub fn place(&self) -> String {
        self.place_in(OsEnv)
    }

    /// The same, with defaults from `env`.
    pub fn place_in(&self, env: impl Env) -> String {
        let (vendor, endpoint, region, project_id) = match self {
            Self::Aliyun(config) => ("aliyun", &config.endpoint, &config.region, None),
            Self::Huaweicloud(config) => {
                ("huaweicloud", &config.endpoint, &config.region, config.project_id.as_deref())
            }
        };
        let configured = shown(endpoint.as_deref()).or(region.as_deref()).map(str::to_owned);
        let address = configured.or_else(|| self.led_to(env)).unwrap_or_else(|| "by default".to_owned());
        let project = project_id.map(|id| format!(", project {id}")).unwrap_or_default();
        format!("{vendor} {address}{project}")
    }

    /// The address `env` leads to, if an empty environment does not lead there, too.
    fn led_to(&self, env: impl Env) -> Option<String> {
        let there = self.address_in(env)?;
        (self.address_in(FixedEnv::default()).as_ref() != Some(&there)).then_some(there)
    }

    /// The address of the API, if the settings can be used.
    fn address_in(&self, env: impl Env) -> Option<String> {
        let endpoint = match self {
            Self::Aliyun(config) => config.builder(env).ok()?.chosen_endpoint(),
            Self::Huaweicloud(config) => config.builder(env).ok()?.chosen_endpoint(),
        };
        Some(endpoint.ok()?.url().origin().ascii_serialization())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(toml: &str, variables: &[(&str, &str)]) -> String {
        let config: ProviderConfig = toml::from_str(toml).unwrap();
        config.place_in(variables.iter().copied().collect::<FixedEnv>())
    }

    #[test]
    fn the_place_tells_clouds_apart_and_shows_no_secret() {
        for (toml, expected) in [
            ("vendor = 'aliyun'", "aliyun by default"),
            ("vendor = 'aliyun'\nregion = 'cn-shanghai'", "aliyun cn-shanghai"),
            (
                "vendor = 'aliyun'\nregion = 'cn-shanghai'\nendpoint = 'https://live.example.com'",
                "aliyun https://live.example.com",
            ),
            (
                "vendor = 'huaweicloud'\nregion = 'cn-north-4'\nproject_id = 'p1'",
                "huaweicloud cn-north-4, project p1",
            ),
            ("vendor = 'aliyun'\nendpoint = 'https://user:s3cr3t@live.example.com'", "aliyun [redacted]"),
            ("vendor = 'aliyun'\nendpoint = 'live.example.com#s3cr3t'", "aliyun [redacted]"),
            (
                "vendor = 'huaweicloud'\nendpoint = 'https://live.example.com?s3cr3t'\nproject_id = 'p1'",
                "huaweicloud [redacted], project p1",
            ),
        ] {
            assert_eq!(place(toml, &[]), expected);
            // What is configured wins over the environment.
            let elsewhere = [("ALICLOUD_REGION", "cn-beijing"), ("HW_REGION_NAME", "cn-east-3")];
            assert_eq!(place(toml, &elsewhere), expected);
        }
    }

    #[test]
    fn a_region_of_the_environment_is_another_place() {
        for (toml, variable, region, expected) in [
            (
                "vendor = 'aliyun'",
                "ALICLOUD_REGION",
                "ap-southeast-1",
                "aliyun https://live.ap-southeast-1.aliyuncs.com",
            ),
            // The default endpoint serves the mainland: a state that was made without the variable is still of this cloud.
            ("vendor = 'aliyun'", "ALIBABA_CLOUD_REGION_ID", "cn-shanghai", "aliyun by default"),
            (
                "vendor = 'aliyun'\nvpc = true",
                "ALIBABA_CLOUD_REGION_ID",
                "cn-shanghai",
                "aliyun https://live-vpc.cn-shanghai.aliyuncs.com",
            ),
            (
                "vendor = 'huaweicloud'\nproject_id = 'p1'",
                "HW_REGION_NAME",
                "cn-east-3",
                "huaweicloud https://live.cn-east-3.myhuaweicloud.com, project p1",
            ),
            // Cannot be connected.
            ("vendor = 'huaweicloud'", "HW_REGION_NAME", "mars-1", "huaweicloud by default"),
            ("vendor = 'aliyun'\nvpc = true", "ALICLOUD_REGION", "mars-1", "aliyun by default"),
        ] {
            assert_eq!(place(toml, &[(variable, region)]), expected, "{toml} {region}");
        }
    }

    #[test]
    fn an_address_of_the_environment_tells_the_same_region_apart() {
        let place = |address| {
            let variables =
                [("HW_REGION_NAME", "cn-north-4"), ("HUAWEICLOUD_SDK_REGION_LIVE_CN_NORTH_4", address)];
            place("vendor = 'huaweicloud'", &variables)
        };
        assert_eq!(place("http://127.0.0.1:9"), "huaweicloud http://127.0.0.1:9");
        assert_eq!(place("https://user:s3cr3t@live.example.com"), "huaweicloud by default");
    }
}
