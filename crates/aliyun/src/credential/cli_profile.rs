use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use record_callback_core::{Error, ErrorKind, Result};
use record_callback_http::{
    AccessKey, CredentialFile, CredentialProvider, CredentialSource, Miss, SourceContext, SourceReport,
    warn_once,
};

use super::agreed::agreed;
use super::cached::Cached;
use super::derived::Derived;
use super::external::{self, External};
use super::ini_profile;
use super::issued::demanded;
use super::metadata::Metadata;
use super::oidc::{PROVIDER_ARN, ROLE_ARN, TOKEN_FILE};
use super::place::{Place, environment, listed};
use super::role::{AssumeRole, AssumeRoleWithOidc, EXTERNAL_ID, OidcToken, Role, SECONDS};
use super::sts::{Sts, StsChoice};
use super::uri::{CredentialsUri, URI};
use crate::wire::credential::{CliConfig, CliProfile, mode};

const FILE: &str = ".aliyun/config.json";
/// Another path of it, by the vendor's SDK for Go and its Terraform provider.
pub(super) const FILES: &[&str] = &["ALIBABA_CLOUD_CONFIG_FILE", "ALICLOUD_SHARED_CREDENTIALS_FILE"];
/// By the SDKs' name first; the command line reads them all, its own name first, and Terraform all but that.
pub(super) const PROFILE: &[&str] = &["ALIBABA_CLOUD_PROFILE", PROFILE_OF_COMMAND_LINE, "ALICLOUD_PROFILE"];
pub(super) const PROFILE_OF_COMMAND_LINE: &str = "ALIBABACLOUD_PROFILE";
const DISABLED: &str = "ALIBABA_CLOUD_CLI_PROFILE_DISABLED";
const IGNORED: [&str; 2] = ["ALIBABA_CLOUD_IGNORE_PROFILE", "ALIBABACLOUD_IGNORE_PROFILE"];

/// Tells if the command line would not look at profiles: by these very letters, as it compares them.
pub(super) fn ignores_profiles(context: &SourceContext) -> bool {
    IGNORED.iter().any(|name| context.var(name).as_deref() == Some("TRUE"))
}

/// The profile that the environment names, with the variable that does.
pub(super) fn chosen_profile(context: &SourceContext) -> Result<Option<(&'static str, String)>, Miss> {
    if ignores_profiles(context) {
        return Ok(None);
    }
    agreed(context, PROFILE).map_err(Miss::Refused)
}

/// Refuses, or warns, where the environment names a profile beside what else it has, at `origin`.
pub(super) fn check_profile(context: &SourceContext, origin: &str) -> Result<(), Miss> {
    if ignores_profiles(context) {
        return Ok(());
    }
    if context.var(PROFILE_OF_COMMAND_LINE).is_some() {
        // Nobody else reads that name.
        let problem = format!(
            "{PROFILE_OF_COMMAND_LINE} chooses a profile, and {origin} gives a key: the vendor's command line goes by the \
             profile, its SDKs and Terraform go by the key; unset one of them, or say in `credentials` which counts"
        );
        return Err(Miss::Refused(Error::new(ErrorKind::Unauthenticated, problem)));
    }
    if let Some(name) = PROFILE.iter().find(|name| context.var(name).is_some()) {
        warn_once(&format!("{name} is not looked at, for {origin} gives a key, as in the vendor's SDKs"));
    }
    Ok(())
}

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

    /// The file the environment names, else the one there is in the home directory.
    async fn file(&self) -> Result<(CredentialFile, String), Miss> {
        let read = async |path: PathBuf| {
            let shown = path.display().to_string();
            Ok::<_, Miss>((CredentialFile::read(path).await?, shown))
        };
        if let Some((name, path)) = agreed(&self.context, FILES).map_err(Miss::Refused)? {
            return read(path.into()).await.map_err(|miss| refused(name, miss));
        }
        let no_home =
            || Miss::NotConfigured("there is no home directory to look for ~/.aliyun in".to_owned());
        read(self.context.in_home(FILE).ok_or_else(no_home)?).await
    }
}

/// Refuses what a variable names and cannot be had: nobody stands in for it.
pub(super) fn refused(variable: &str, miss: Miss) -> Miss {
    match miss {
        Miss::NotConfigured(what) => {
            Miss::Refused(Error::new(ErrorKind::Unauthenticated, format!("{variable}: {what}")))
        }
        Miss::Failed(error) | Miss::Refused(error) => Miss::Refused(error),
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
        let context = &self.context;
        let chosen = match &self.name {
            Some(name) => Some(("", name.clone())),
            None if context.is_true(DISABLED) => {
                return Err(Miss::NotConfigured(format!("{DISABLED} is true")));
            }
            None if ignores_profiles(context) => {
                return Err(Miss::NotConfigured(format!("{} is TRUE", IGNORED.join(" or "))));
            }
            None => chosen_profile(context)?,
        };
        agreed(context, EXTERNAL_ID).map_err(Miss::Refused)?;
        let (file, shown) = self.file().await?;
        let profiles = Profiles { context, file: &file, path: &shown, config: file.json()? };
        let profile = profiles.chosen(chosen.as_ref().map(|(_, name)| name.as_str()))?;
        let settings = profiles.settings(profile);
        let made = self.derived.get(&settings, || profiles.provider(profile, &mut Vec::new()));
        let found = async { Ok::<_, Miss>(made?.access_key().await?) }.await;
        if self.name.is_none() && found.is_ok() && context.var(ini_profile::FILE).is_some() {
            let name = ini_profile::FILE;
            warn_once(&format!("{name} is not looked at, for {shown} gives a key, as in the vendor's SDKs"));
        }
        match chosen {
            Some((variable, _)) => found.map_err(|miss| refused(variable, miss)),
            None => found,
        }
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
            let variable = PROFILE.first().copied().unwrap_or_default();
            let what = format!("{} has no current profile, and {variable} is not set", self.path);
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
        // A program is no longer run once others may write the file.
        settings.push(self.file.check_writers().is_ok().to_string());
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
                // As in the command line; the SDKs look at the key only.
                let key = match place.optional(&profile.sts_token())? {
                    Some(token) => key(&place, profile)?.with_security_token(token),
                    None => key(&place, profile)?,
                };
                place.issued(self.assume_role(&place, profile, place.fixed(key))?)
            }
            mode::CLOUD_SSO | mode::OAUTH => place.issued(self.cached(&place, name, profile)?),
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
                let token = OidcToken::In(token_file.into());
                place.issued(AssumeRoleWithOidc { sts, role, provider_arn, token })
            }
            mode::EXTERNAL => {
                self.check_external(&place)?;
                let command = place.required(&profile.process_command())?;
                self.file.check_writers()?;
                let external = External::new(self.context, &command);
                place.issued(external.ok_or_else(|| {
                    let field = profile.process_command().name;
                    place.mistake(&format!("{field} has an open quote, or no program in it"))
                })?)
            }
            mode::CREDENTIALS_URI => {
                self.check_external(&place)?;
                let field = profile.credentials_uri();
                let uri = CredentialsUri::new(self.context, &place.required_or(&field, URI)?);
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

    /// Refuses to have a key from elsewhere where that is switched off.
    fn check_external(&self, place: &Place<'_>) -> Result<()> {
        if external::is_disabled(self.context) {
            return Err(place.mistake(&format!("{} forbids it", external::DISABLED)));
        }
        Ok(())
    }

    /// The key a login left, which is never exchanged here.
    fn cached(&self, place: &Place<'_>, name: &str, profile: CliProfile<'_>) -> Result<Cached> {
        let login = format!("aliyun configure --profile {}", name.escape_debug());
        let expires_at = profile.sts_expiration().map_err(|expected| place.mistake(&expected))?;
        let token = place.optional(&profile.sts_token())?;
        let (Some(expires_at), Some(token)) = (expires_at, token) else {
            return Err(place.mistake(&format!("there is no key of a login yet: run `{login}`")));
        };
        let key = key(place, profile)?.with_security_token(token);
        Ok(Cached { key, expires_at, clock: Arc::clone(&self.context.clock), login })
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
        let external_id = place.optional_or(&profile.external_id(), EXTERNAL_ID)?;
        Ok(AssumeRole { sts, role, external_id, source })
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
        let sts = StsChoice {
            endpoint: place.optional(&profile.sts_endpoint())?,
            region: place.optional(&profile.sts_region())?,
            vpc: profile.enable_vpc().map_err(|expected| place.mistake(&expected))?,
        };
        let sts = Sts::new(self.context, &sts);
        Ok((role, sts.map_err(|error| place.failed(error))?))
    }
}

fn key(place: &Place<'_>, profile: CliProfile<'_>) -> Result<AccessKey> {
    let id = place.required(&profile.access_key_id())?;
    Ok(AccessKey::new(id, place.required(&profile.access_key_secret())?))
}
