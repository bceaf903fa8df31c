use std::process::ExitCode;

use record_callback::http::doctor::Finding;
use record_callback::{Diagnosis, DomainName, ProviderConfig};

use super::config;
use crate::args::{DoctorArguments, VendorName};
use crate::failure::Failure;
use crate::output;

const FAILED: u8 = 1;

/// Fails if a cloud that was asked for does, or of both, one that is set up; or if none is.
pub(crate) async fn run(command: DoctorArguments) -> Result<ExitCode, Failure> {
    let DoctorArguments { vendor, way, domain, output } = command;
    let asked = vendor.is_some();
    let vendors =
        vendor.map_or_else(|| vec![VendorName::Aliyun, VendorName::Huaweicloud], |vendor| vec![vendor]);
    let mut diagnoses = Vec::new();
    for vendor in vendors {
        diagnoses.push(examine(&config(vendor, way.clone())?, domain.as_ref()).await);
    }
    output::print(output.output, &diagnoses, |diagnoses| text(diagnoses))?;
    let mut counted = diagnoses.iter().filter(|diagnosis| asked || diagnosis.is_set_up()).peekable();
    let is_well = counted.peek().is_some() && counted.all(Diagnosis::is_well);
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

/// In a box: the way to a cloud and back is a large future.
async fn examine(config: &ProviderConfig, domain: Option<&DomainName>) -> Diagnosis {
    Box::pin(config.examine(domain)).await
}

fn text(diagnoses: &[Diagnosis]) -> String {
    let one = |diagnosis: &Diagnosis| {
        let rows = diagnosis.findings.iter().flat_map(rows);
        format!(
            "{}\n{}",
            output::escaped(&diagnosis.place),
            output::table(&["CHECK", "OF", "RESULT", "DETAIL"], rows)
        )
    };
    diagnoses.iter().map(one).collect::<Vec<_>>().join("\n\n")
}

/// The finding, and below it what to do.
fn rows(finding: &Finding) -> Vec<[String; 4]> {
    let Finding { check, subject, verdict, detail, advice } = finding;
    let mut rows = vec![[check.to_string(), subject.clone(), verdict.to_string(), detail.clone()]];
    rows.extend(advice.as_ref().map(|advice| [String::new(), String::new(), "  ->".into(), advice.clone()]));
    rows
}
