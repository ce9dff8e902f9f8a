//! The laws with other settings than the defaults.

use harness::registry::{self, Assignment};

/// Tries all laws on `overlay` with this setting.
pub fn keep_the_laws(overlay: &str, name: &str, value: &str) {
    let set = [Assignment { name: name.into(), value: value.into() }];
    let entry = registry::find(overlay).expect("a registered overlay");
    for report in entry.laws(&set, &[1, 2]).expect("a parameter of it") {
        assert!(!report.is_broken(), "{overlay}.{name}={value}: {report}");
    }
}
