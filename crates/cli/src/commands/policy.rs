use std::io::Write;

use record_callback::{InvalidConfig, aliyun, huaweicloud};

use crate::args::{PolicyArguments, VendorName};
use crate::failure::Failure;

pub(crate) fn run(command: &PolicyArguments) -> Result<(), Failure> {
    let policy = match command.vendor {
        VendorName::Aliyun => aliyun::policy(&command.domains),
        VendorName::Huaweicloud if command.domains.is_empty() => huaweicloud::policy(),
        VendorName::Huaweicloud => {
            let rule = "none: Huawei Cloud cannot grant these rights for single domains";
            return Err(InvalidConfig::new("--domain", "is given", rule).into());
        }
    };
    let policy = serde_json::to_string_pretty(&policy).map_err(std::io::Error::from)?;
    writeln!(anstream::stdout(), "{policy}")?;
    Ok(())
}
