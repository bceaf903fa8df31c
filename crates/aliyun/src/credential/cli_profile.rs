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
use super::oidc::{PROVIDER_ARN, ROLE_ARN, TOKEN_FILE};
use super::place::{Place, environment, listed};
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
        let profiles = Profiles { context: &self.context, file: &file, path: &shown, config: file.json()? };
        let chosen = profiles.chosen(name.as_deref())?;
        let settings = profiles.settings(chosen);
        let provider = self.derived.get(&settings, || profiles.provider(chosen, &mut Vec::new()))?;
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

/// A profile, with its name.
type Profile<'a> = (&'a str, CliProfile<'a>);

impl Profiles<'_> {
    fn chosen(&self, name: Option<&str>) -> Result<Profile<'_>, Miss> {
        let Some(name) = name.or(self.config.current()) else {
            let what = format!("{} has no current profile, and {PROFILE} is not set", self.path);
            return Err(Miss::NotConfigured(what));
        };
        self.find(name).ok_or_else(|| {
            let what = format!("there is no profile {}; {}", name.escape_debug(), self.there_are());
            self.file.mistake(None, &what).into()
        })
    }

    fn find(&self, name: &str) -> Option<Profile<'_>> {
        self.config.profiles().find(|(other, _)| *other == name)
    }

    fn there_are(&self) -> String {
        format!("the profiles are: {}", listed(self.config.profiles().map(|(name, _)| name)))
    }

    /// All that decides which keys a profile gives: what it and those it has as its source say, and the environment.
    /// Nothing else of the file: who edits another profile loses no session.
    fn settings(&self, chosen: Profile<'_>) -> Vec<String> {
        let mut names = Vec::new();
        let mut settings: Vec<_> = environment(self.context).collect();
        let mut next = Some(chosen);
        while let Some((name, profile)) = next
            && !names.contains(&name)
        {
            names.push(name);
            settings.push(profile.text());
            let is_chained = profile.mode().given() == Ok(Some(mode::CHAINABLE_RAM_ROLE_ARN));
            let source = profile.source_profile().given().ok().flatten().filter(|_| is_chained);
            next = source.and_then(|name| self.find(name));
        }
        settings
    }

    /// What gives the keys of a profile, which the profiles `above` have as their source.
    fn provider<'p>(
        &'p self,
        (name, profile): Profile<'p>,
        above: &mut Vec<&'p str>,
    ) -> Result<Arc<dyn CredentialProvider>> {
        let unknown = self.place(format!("profile {}", name.escape_debug()));
        let given = unknown.optional(&profile.mode())?.unwrap_or_default();
        let place = self.place(format!("profile {} ({})", name.escape_debug(), given.escape_debug()));
        Ok(match given.as_str() {
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
            mode::ECS_RAM_ROLE => place.issued(Metadata::of_profile(&place, &profile.role_name())?),
            mode::OIDC => {
                let (role, sts) = self.role(&place, profile)?;
                let provider_arn = place.required_or(&profile.oidc_provider_arn(), PROVIDER_ARN)?;
                let token_file = place.required_or(&profile.oidc_token_file(), TOKEN_FILE)?;
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
                let problem = match other {
                    "" => "there is no mode".to_owned(),
                    other => format!("mode {} is not supported", other.escape_debug()),
                };
                return Err(unknown.mistake(&format!("{problem}; expected one of {}", listed(mode::ALL))));
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
        profile: CliProfile<'_>,
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
        profile: CliProfile<'_>,
        source: Arc<dyn CredentialProvider>,
    ) -> Result<AssumeRole> {
        let (role, sts) = self.role(place, profile)?;
        Ok(AssumeRole { sts, role, external_id: place.optional(&profile.external_id())?, source })
    }

    fn role(&self, place: &Place<'_>, profile: CliProfile<'_>) -> Result<(Role, Sts)> {
        let arn = place.required_or(&profile.role_arn(), ROLE_ARN)?;
        let seconds = profile.seconds().map_err(|expected| place.mistake(&expected))?;
        if let Some(seconds) = seconds.filter(|seconds| !SECONDS.contains(seconds)) {
            let (field, (from, to)) = (CliProfile::SECONDS, SECONDS.into_inner());
            return Err(place.mistake(&format!("{field} is {seconds}; expected {from} to {to}")));
        }
        let [first, second] = profile.session_names();
        let session_name = match place.optional(&first)? {
            None => place.optional(&second)?,
            given => given,
        };
        let role = Role::new(self.context, arn)
            .session_name(session_name)
            .seconds(seconds)
            .policy(place.optional(&profile.policy())?);
        let region = place.optional(&profile.sts_region())?;
        let vpc = profile.enable_vpc().map_err(|expected| place.mistake(&expected))?;
        let sts = Sts::new(self.context, region.as_deref(), vpc);
        Ok((role, sts.map_err(|error| place.failed(error))?))
    }
}

fn key(place: &Place<'_>, profile: CliProfile<'_>) -> Result<AccessKey> {
    let id = place.required(&profile.access_key_id())?;
    Ok(AccessKey::new(id, place.required(&profile.access_key_secret())?))
}
