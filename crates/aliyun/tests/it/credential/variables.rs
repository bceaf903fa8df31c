use super::*;

const OIDC: [&str; 3] =
    ["ALIBABA_CLOUD_ROLE_ARN", "ALIBABA_CLOUD_OIDC_PROVIDER_ARN", "ALIBABA_CLOUD_OIDC_TOKEN_FILE"];

/// One profile, with the same said in both files: JSON and INI.
type Both = (&'static str, &'static str, &'static str, &'static str);

/// Writes `fields` into the current profile, or into the default section if `is_ini`.
fn write(machine: &Machine, (mode, kind, json, ini): Both, is_ini: bool) -> String {
    let fill = |text: &str| {
        let token = machine.home.path().join("token").display().to_string().replace('\\', "/");
        let text = text.replace("ROLE", machine.cloud.role_arn()).replace("TOKEN", &token);
        text.replace("PROVIDER", machine.cloud.oidc_provider_arn()).replace("OWN", &own_key())
    };
    if is_ini {
        let key = format!("access_key_id={KEY_ID}\naccess_key_secret={SECRET}");
        machine.write(INI_FILE, format!("[default]\ntype={kind}\n{key}\n{}", fill(ini)));
        format!("~/{INI_FILE} section [default] ({kind})")
    } else {
        machine.write_profiles(&[("p", &fill(&format!(r#""mode":"{mode}","region_id":"",OWN{json}"#)))]);
        format!("~/{CLI_FILE} profile p ({mode})")
    }
}

#[tokio::test]
async fn what_a_profile_does_not_say_of_its_role_is_the_environments() {
    for is_ini in [false, true] {
        for (missing, fields) in [
            (&OIDC[..1], ("RamRoleArn", "ram_role_arn", "", "")),
            (
                &OIDC[..1],
                (
                    "OIDC",
                    "oidc_role_arn",
                    r#","ram_role_arn":"","oidc_provider_arn":"PROVIDER","oidc_token_file":"TOKEN""#,
                    "role_arn=\noidc_provider_arn=PROVIDER\noidc_token_file_path=TOKEN",
                ),
            ),
            (
                &OIDC[1..2],
                (
                    "OIDC",
                    "oidc_role_arn",
                    r#","ram_role_arn":"ROLE","oidc_token_file":"TOKEN""#,
                    "role_arn=ROLE\noidc_token_file_path=TOKEN",
                ),
            ),
            (
                &OIDC[2..],
                (
                    "OIDC",
                    "oidc_role_arn",
                    r#","ram_role_arn":"ROLE","oidc_provider_arn":"PROVIDER""#,
                    "role_arn=ROLE\noidc_provider_arn=PROVIDER",
                ),
            ),
        ] {
            let mut machine = Machine::with(MockAliyunBuilder::without_ecs_role).await;
            machine.with_oidc();
            for name in OIDC.iter().filter(|name| !missing.contains(name)) {
                machine.unset(name);
            }
            let origin = write(&machine, fields, is_ini);
            assert_eq!(machine.origin().await.unwrap(), origin, "{missing:?}");
            for name in missing {
                machine.unset(name);
            }
            let shown = machine.shown(&machine.origin().await.unwrap_err());
            let said = format!(" is missing or empty, and {} is not set", missing[0]);
            assert!(shown.contains(&said), "{said}: {shown}");
        }
    }
}

#[tokio::test]
async fn what_a_profile_says_of_its_role_wins_over_the_environment() {
    for is_ini in [false, true] {
        let mut machine = Machine::new().await;
        machine.set("ALIBABA_CLOUD_ROLE_ARN", "acs:ram::1:role/none");
        let fields = ("RamRoleArn", "ram_role_arn", r#","ram_role_arn":"ROLE""#, "role_arn=ROLE");
        let origin = write(&machine, fields, is_ini);
        assert_eq!(machine.origin().await.unwrap(), origin);
    }
}

#[tokio::test]
async fn a_profile_of_ecs_metadata_obeys_the_environment() {
    for is_ini in [false, true] {
        let mut machine = Machine::new().await;
        // Nobody asks for the role that is named.
        machine.set("ALIBABA_CLOUD_ECS_METADATA", machine.cloud.ecs_role().to_owned());
        let origin = write(&machine, ("EcsRamRole", "ecs_ram_role", "", ""), is_ini);
        assert_eq!(machine.origin().await.unwrap(), origin);
        assert_eq!(machine.cloud.metadata_requests().len(), 2);
        let named = r#","ram_role_name":"another""#;
        write(&machine, ("EcsRamRole", "ecs_ram_role", named, "role_name=another"), is_ini);
        let asked = machine.cloud.metadata_requests().len();
        let chain = default_chain(&machine.context());
        chain.access_key().await.unwrap();
        assert!(machine.cloud.metadata_requests()[asked + 1].path().ends_with("/another"));

        machine.set("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true");
        let asked = machine.cloud.metadata_requests().len();
        let shown = machine.shown(&machine.origin().await.unwrap_err());
        assert!(shown.contains(" (EcsRamRole): ") || shown.contains(" (ecs_ram_role): "), "{shown}");
        assert!(shown.contains("): ALIBABA_CLOUD_ECS_METADATA_DISABLED is true"), "{shown}");
        assert_eq!(machine.cloud.metadata_requests().len(), asked);
    }
}
