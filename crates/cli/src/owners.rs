//! Fleets that own what a command is about to change behind their back.

use std::fs;
use std::io;

use anstyle::{AnsiColor, Style};
use record_callback::fleet::{Standing, StateFile};
use record_callback::{CallbackKey, Vendor};

use crate::fleet::is_state;
use crate::output;

const YELLOW: Style = AnsiColor::Yellow.on_default().bold();

/// Warns of the fleets whose state is in the working directory and has the config of `key`.
pub(crate) fn warn(vendor: Vendor, key: &CallbackKey) -> io::Result<()> {
    let Ok(entries) = fs::read_dir(".") else { return Ok(()) };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut states: Vec<_> = names.filter(|name| is_state(name)).collect();
    states.sort_unstable();
    for file in states {
        let state = match StateFile::read(&file) {
            Ok(state) => state,
            Err(error) => {
                tell(&format!(
                    "nobody can tell whether a fleet owns this config: {}",
                    output::causes(&error)
                ))?;
                continue;
            }
        };
        let is_there = |provider| {
            let place = state.places.get(provider);
            place.is_none_or(|place| place.split(' ').next() == Some(vendor.as_str()))
        };
        let owned = state.configs().find(|(_, config)| {
            config.slot.key == *key && config.standing != Standing::Lost && is_there(&config.slot.provider)
        });
        if let Some((name, _)) = owned {
            tell(&format!(
                "the fleet of {} owns this config as `{}`, and its next `apply` undoes the change: change its \
                 manifest instead",
                output::escaped(&file),
                output::escaped(name)
            ))?;
        }
    }
    Ok(())
}

fn tell(warning: &str) -> io::Result<()> {
    output::complain(&format!("{YELLOW}warning:{YELLOW:#} {warning}"))
}
