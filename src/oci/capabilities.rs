//! Linux capabilities of a file, as the kernel keeps them in `security.capability`
//! ([capabilities(7)][capabilities]), written as [cap_from_text(3)][text] reads them.
//!
//! [capabilities]: https://man7.org/linux/man-pages/man7/capabilities.7.html
//! [text]: https://man7.org/linux/man-pages/man3/cap_from_text.3.html

use std::str::FromStr;

/// The key of the attribute in a tar's extended header.
pub(super) const PAX_KEY: &str = "SCHILY.xattr.security.capability";

/// The names of the capabilities, by number.
const NAMES: [&str; 41] = [
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
];

/// The capabilities of an executable file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileCapabilities {
    permitted: u64,
    inheritable: u64,
    effective: u64,
}

/// One change of capabilities: `net_bind_service`, `net_raw,net_admin=ep`, `chown-i`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapabilityClause {
    mask: u64,
    actions: String,
}

/// A text that is not a clause.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCapability {
    /// There is no capability with that name.
    #[error("`{0}` is not a Linux capability (such as `net_bind_service`)")]
    Name(String),
    /// Something other than `e`, `p` and `i` follows the sign.
    #[error("`{0}` must have only `e`, `p` and `i` after `=`, `+` or `-`")]
    Action(String),
}

impl FromStr for CapabilityClause {
    type Err = InvalidCapability;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (names, actions) = text.split_at(text.find(['=', '+', '-']).unwrap_or(text.len()));
        if !actions.chars().all(|action| "=+-epi".contains(action)) {
            return Err(InvalidCapability::Action(text.to_owned()));
        }
        let all = (1 << NAMES.len()) - 1;
        let mask = match names {
            "" if actions.starts_with('=') => all,
            names => names.split(',').try_fold(0, |mask, name| Ok(mask | bit(name, all)?))?,
        };
        // Like docker, a name without a sign grants the capability.
        let actions = if actions.is_empty() { "+ep" } else { actions }.to_owned();
        Ok(Self { mask, actions })
    }
}

/// The bit of a capability in the notation of docker and libcap: with or without `cap_`, in any
/// case, or its number.
fn bit(name: &str, all: u64) -> Result<u64, InvalidCapability> {
    let lower = name.to_ascii_lowercase();
    let lower = lower.strip_prefix("cap_").unwrap_or(&lower);
    let number = NAMES.iter().position(|known| *known == lower);
    match number.or_else(|| lower.parse().ok().filter(|number| *number < 64)) {
        Some(number) => Ok(1 << number),
        None if lower == "all" => Ok(all),
        None => Err(InvalidCapability::Name(name.to_owned())),
    }
}

impl FileCapabilities {
    /// Applies clauses in order. `None` if no capability remains.
    #[must_use]
    pub fn of(clauses: &[CapabilityClause]) -> Option<Self> {
        let mut made = Self::default();
        for CapabilityClause { mask, actions } in clauses {
            let mut takes = false;
            for action in actions.chars() {
                let set = match action {
                    'p' => &mut made.permitted,
                    'i' => &mut made.inheritable,
                    'e' => &mut made.effective,
                    sign => {
                        takes = sign == '-';
                        if sign == '=' {
                            made.permitted &= !mask;
                            made.inheritable &= !mask;
                            made.effective &= !mask;
                        }
                        continue;
                    }
                };
                if takes { *set &= !mask } else { *set |= mask }
            }
        }
        (made.permitted | made.inheritable != 0).then_some(made)
    }

    /// The bytes of the attribute: revision 2, which every kernel and runtime supports.
    pub(super) fn attribute(self) -> Vec<u8> {
        let halves = |value: u64| (value as u32, (value >> 32) as u32);
        let ((permitted, permitted_high), (inheritable, inheritable_high)) =
            (halves(self.permitted), halves(self.inheritable));
        let magic = 0x0200_0000 | u32::from(self.effective != 0);
        [magic, permitted, inheritable, permitted_high, inheritable_high]
            .into_iter()
            .flat_map(u32::to_le_bytes)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;

    use super::*;

    fn made(text: &str) -> Option<String> {
        let clauses: Vec<CapabilityClause> =
            text.split_whitespace().map(|clause| clause.parse().unwrap()).collect();
        let attribute = FileCapabilities::of(&clauses)?.attribute();
        Some(base64::engine::general_purpose::STANDARD.encode(attribute))
    }

    #[test]
    fn the_attribute_is_what_setcap_writes() {
        // `setcap CLAUSES file` and `getfattr -n security.capability -e base64 file`.
        for (clauses, attribute) in [
            ("net_bind_service=pie", "AQAAAgAEAAAABAAAAAAAAAAAAAA="),
            ("CAP_NET_BIND_SERVICE", "AQAAAgAEAAAAAAAAAAAAAAAAAAA="),
            ("10=p", "AAAAAgAEAAAAAAAAAAAAAAAAAAA="),
            ("chown,dac_override=i", "AAAAAgAAAAADAAAAAAAAAAAAAAA="),
            ("checkpoint_restore+ep", "AQAAAgAAAAAAAAAAAAEAAAAAAAA="),
        ] {
            assert_eq!(made(clauses).as_deref(), Some(attribute), "{clauses}");
        }
        assert_eq!(made("chown=ie chown=p"), made("chown=p"));
        assert_eq!(made("chown=pie dac_override,chown-p"), made("chown=ie"));
        assert_eq!(made("=pe"), made("all=pe"));
        for nothing in ["", "chown=ie chown=", "chown=e", "="] {
            assert_eq!(made(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn what_is_no_capability_is_named() {
        for wrong in ["net_bind", "chown,=pie", "-pie", "+p", "64", "chown=x", ""] {
            assert!(wrong.parse::<CapabilityClause>().is_err(), "{wrong}");
        }
    }
}
