//! Advice that works in the situation it is given in.

use record_callback_core::{Capabilities, Fidelity, RecordCallbackConfig};

/// Advice on a config that a cloud with `capabilities` cannot have as it is.
pub(crate) fn of_unfit(capabilities: &Capabilities, config: &RecordCallbackConfig) -> String {
    if capabilities.check_key(&config.key()).is_err() {
        let hint = "declare `app = \"*\"` for this provider, or use a provider with configs for single apps";
        return hint.to_owned();
    }
    let accepts = |fidelity: &Fidelity| capabilities.fit(config, *fidelity).is_ok();
    match [Fidelity::Widen, Fidelity::BestEffort].into_iter().find(accepts) {
        Some(fidelity) => {
            format!("accept it with the fidelity `{fidelity}`, or declare what this cloud can do")
        }
        None => "declare what this cloud can do, or use another provider".to_owned(),
    }
}
