use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use record_callback_core::Result;
use record_callback_http::{
    AccessKey, CredentialFile, CredentialProvider, CredentialSource, Miss, SourceContext, SourceReport,
};

use super::derived::Derived;
use super::external::External;
use super::issued::demanded;
use super::metadata::Metadata;
use super::place::{Place, listed};
use super::role::{AssumeRole, AssumeRoleWithOidc, Role, SECONDS};
use super::sts::Sts;
use super::uri::CredentialsUri;
use crate::wire::credential::{CliConfig, CliProfile, mode};

const FILE: &str = ".aliyun/config.json";
const PROFILE: &str = "ALIBABA_CLOUD_PROFILE";
const DISABLED: &str = "ALIBABA_CLOUD_CLI_PROFILE_DISABLED";

/// A profile of the vendor's command line, in `~/.aliyun/config.json`; see [`profile`](super::profile).
#[derive(Debug)]
pub struct CliProfileCredentials {
    context: SourceContext,
    /// Asked for by this name, else chosen by the environment or the file.
    name: Option<String>,
    derived: Derived<Arc<dyn CredentialProvider>>,
}

impl CliProfileCredentials {
    pub(super) fn named(context: SourceContext, name: &str) -> Self {
        Self { context, name: Some(name.to_owned()), derived: Derived::default() }
    }

    pub(super) fn chosen_by_environment(context: SourceContext) -> Self {
        Self { context, name: None, derived: Derived::default() }
    }

    fn path(&self) -> Result<PathBuf, Miss> {
        let no_home =
            || Miss::NotConfigured("there is no home directory to look for ~/.aliyun in".to_owned());
        self.context.in_home(FILE).ok_or_else(no_home)
    }
}

#[async_trait]
impl CredentialSource for CliProfileCredentials {
    fn name(&self) -> String {
        match &self.name {
            Some(name) => format!("CLI profile {}", name.escape_debug()),
            None => "CLI profile".into(),
        }
    }

    async fn find(&self) -> Result<Arc<AccessKey>, Miss> {
        if self.name.is_none() && self.context.is_true(DISABLED) {
            return Err(Miss::NotConfigured(format!("{DISABLED} is true")));
        }
        let path = self.path()?;
        let shown = path.display().to_string();
        let file = CredentialFile::read(path).await?;
        let name = self.name.clone().or_else(|| self.context.var(PROFILE));
        let provider = self.derived.get(&[file.text(), name.as_deref().unwrap_or_default()], || {
            let config = file.json()?;
            let profiles = Profiles { context: &self.context, file: &file, path: &shown, config };
            profiles.chosen(name.as_deref())
        })?;
        Ok(provider.access_key().await?)
    }
}

#[async_trait]
impl CredentialProvider for CliProfileCredentials {
    async fn access_key(&self) -> Result<Arc<AccessKey>> {
        self.find().await.map_err(|miss| demanded(&self.name(), miss))
    }

    async fn examine(&self) -> Vec<SourceReport> {
        let result = self.access_key().await.map_err(Miss::Failed);
        vec![SourceReport { name: self.name(), result: Some(result) }]
    }
}

/// The file, as it is now.
struct Profiles<'a> {
    context: &'a SourceContext,
    file: &'a CredentialFile,
    path: &'a str,
    config: CliConfig,
}

impl Profiles<'_> {
    fn chosen(&self, name: Option<&str>) -> Result<Arc<dyn CredentialProvider>, Miss> {
        let current = self.config.current.as_deref().map(str::trim).filter(|name| !name.is_empty());
        let Some(name) = name.or(current) else {
            let what = format!("{} has no current profile, and {PROFILE} is not set", self.path);
            return Err(Miss::NotConfigured(what));
        };
        let Some(profile) = self.find(name) else {
            let what = format!("there is no profile {}; {}", name.escape_debug(), self.there_are());
            return Err(self.file.mistake(None, &what).into());
        };
        Ok(self.provider(profile, &mut Vec::new())?)
    }

    fn find(&self, name: &str) -> Option<&CliProfile> {
        self.all().iter().find(|profile| profile.name.as_deref() == Some(name))
    }

    fn all(&self) -> &[CliProfile] {
        self.config.profiles.as_deref().unwrap_or_default()
    }

    fn there_are(&self) -> String {
        format!(
            "the profiles are: {}",
            listed(self.all().iter().filter_map(|profile| profile.name.as_deref()))
        )
    }

    /// What gives the keys of a profile, which the profiles `above` have as their source.
    fn provider<'p>(
        &'p self,
        profile: &'p CliProfile,
        above: &mut Vec<&'p str>,
    ) -> Result<Arc<dyn CredentialProvider>> {
        let name = profile.name.as_deref().unwrap_or_default();
        let given = profile.mode.as_deref().unwrap_or_default();
        let place = self.place(format!("profile {} ({})", name.escape_debug(), given.escape_debug()));
        Ok(match given {
            mode::AK => place.fixed(key(&place, profile)?),
            mode::STS_TOKEN => {
                let token = place.required(&profile.sts_token())?;
                place.fixed(key(&place, profile)?.with_security_token(token))
            }
            mode::RAM_ROLE_ARN => {
                let source = place.fixed(key(&place, profile)?);
                place.issued(self.assume_role(&place, profile, source)?)
            }
            mode::CHAINABLE_RAM_ROLE_ARN => {
                above.push(name);
                let source = self.source(&place, profile, above)?;
                place.issued(self.assume_role(&place, profile, source)?)
            }
            mode::ECS_RAM_ROLE => {
                let metadata = Metadata::new(self.context, profile.role_name().owned());
                place.issued(metadata.map_err(|error| place.failed(error))?)
            }
            mode::OIDC => {
                let (role, sts) = self.role(&place, profile)?;
                let provider_arn = place.required(&profile.oidc_provider_arn())?;
                let token_file = place.required(&profile.oidc_token_file())?;
                place.issued(AssumeRoleWithOidc { sts, role, provider_arn, token_file })
            }
            mode::EXTERNAL => {
                let command = place.required(&profile.process_command())?;
                let external = External::new(Arc::clone(&self.context.clock), &command);
                place.issued(external.ok_or_else(|| {
                    let field = profile.process_command().name;
                    place.mistake(&format!("{field} has an open quote, or no program in it"))
                })?)
            }
            mode::CREDENTIALS_URI => {
                let field = profile.credentials_uri();
                let uri = CredentialsUri::new(self.context, &place.required(&field)?);
                place.issued(
                    uri.map_err(|error| place.mistake(&format!("{} {}", field.name, error.message())))?,
                )
            }
            other => {
                let place = self.place(format!("profile {}", name.escape_debug()));
                let problem = match other {
                    "" => "there is no mode".to_owned(),
                    other => format!("mode {} is not supported", other.escape_debug()),
                };
                return Err(place.mistake(&format!("{problem}; expected one of {}", listed(mode::ALL))));
            }
        })
    }

    fn place(&self, name: String) -> Place<'_> {
        Place { context: self.context, file: self.file, path: self.path, line: None, name }
    }

    /// What gives the keys a role is assumed with.
    fn source<'p>(
        &'p self,
        place: &Place<'_>,
        profile: &CliProfile,
        above: &mut Vec<&'p str>,
    ) -> Result<Arc<dyn CredentialProvider>> {
        let field = profile.source_profile();
        let name = place.required(&field)?;
        let Some(source) = self.find(&name) else {
            let name = name.escape_debug();
            return Err(place.mistake(&format!("{} {name} is not there; {}", field.name, self.there_are())));
        };
        if above.contains(&name.as_str()) {
            let circle = above.iter().copied().chain([name.as_str()]);
            let circle: Vec<_> = circle.map(|name| name.escape_debug().to_string()).collect();
            return Err(place.mistake(&format!("{} leads in a circle: {}", field.name, circle.join(" -> "))));
        }
        self.provider(source, above)
    }

    fn assume_role(
        &self,
        place: &Place<'_>,
        profile: &CliProfile,
        source: Arc<dyn CredentialProvider>,
    ) -> Result<AssumeRole> {
        let (role, sts) = self.role(place, profile)?;
        Ok(AssumeRole { sts, role, external_id: profile.external_id().owned(), source })
    }

    fn role(&self, place: &Place<'_>, profile: &CliProfile) -> Result<(Role, Sts)> {
        let arn = place.required(&profile.role_arn())?;
        let (seconds, field) = profile.seconds();
        if let Some(seconds) = seconds.filter(|seconds| !SECONDS.contains(seconds)) {
            let (from, to) = SECONDS.into_inner();
            return Err(place.mistake(&format!("{field} is {seconds}; expected {from} to {to}")));
        }
        let role = Role::new(self.context, arn)
            .session_name(profile.session_name())
            .seconds(seconds)
            .policy(profile.policy().owned());
        let sts = Sts::new(self.context, profile.sts_region().given(), profile.enable_vpc());
        Ok((role, sts.map_err(|error| place.failed(error))?))
    }
}

fn key(place: &Place<'_>, profile: &CliProfile) -> Result<AccessKey> {
    let id = place.required(&profile.access_key_id())?;
    Ok(AccessKey::new(id, place.required(&profile.access_key_secret())?))
}
