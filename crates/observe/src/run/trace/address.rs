//! Addresses that a process names to the kernel.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use super::paths::Memory;

/// The longest address (`sockaddr_storage`).
const MOST_BYTES: u64 = 128;
/// Of how many messages of one call the addresses are read.
const MOST_MESSAGES: u64 = 64;
/// `struct mmsghdr`.
const MESSAGE_BYTES: u64 = 64;

/// The address of `length` bytes at `at`. None if it is none of a network.
pub(super) fn read(memory: &Memory, at: u64, length: u64) -> Option<String> {
    let length = (length & 0xffff_ffff).min(MOST_BYTES);
    name(&memory.bytes(at, usize::try_from(length).ok()?)?)
}

/// The address in a message (`struct msghdr`).
pub(super) fn of_message(memory: &Memory, at: u64) -> Option<String> {
    let name = memory.word(at).filter(|name| *name != 0)?;
    read(memory, name, memory.word(at.checked_add(8)?)?)
}

/// The addresses in several messages.
pub(super) fn of_messages(memory: &Memory, at: u64, count: u64) -> Vec<String> {
    let one = |index: u64| of_message(memory, at.checked_add(index.checked_mul(MESSAGE_BYTES)?)?);
    (0..(count & 0xffff_ffff).min(MOST_MESSAGES)).filter_map(one).collect()
}

fn name(address: &[u8]) -> Option<String> {
    let family = i32::from(u16::from_ne_bytes(address.get(..2)?.try_into().ok()?));
    let port = || Some(u16::from_be_bytes(address.get(2..4)?.try_into().ok()?));
    match family {
        libc::AF_INET => {
            let ip: [u8; 4] = address.get(4..8)?.try_into().ok()?;
            Some(SocketAddr::from((Ipv4Addr::from(ip), port()?)).to_string())
        }
        libc::AF_INET6 => {
            let ip: [u8; 16] = address.get(8..24)?.try_into().ok()?;
            Some(SocketAddr::from((Ipv6Addr::from(ip), port()?)).to_string())
        }
        libc::AF_UNIX => {
            let path = &address[2..];
            // One that begins with a zero is of no file, and one without a name is nobody's.
            let (mark, path) = match path.split_first()? {
                (0, rest) => ("@", rest),
                _ => ("", path),
            };
            let end = path.iter().position(|byte| *byte == 0).unwrap_or(path.len());
            (end > 0).then(|| format!("unix:{mark}{}", String::from_utf8_lossy(&path[..end])))
        }
        // Nobody's, and the kernel's own.
        libc::AF_UNSPEC | libc::AF_NETLINK | libc::AF_ALG => None,
        libc::AF_VSOCK => {
            let word = |at: usize| Some(u32::from_ne_bytes(address.get(at..at + 4)?.try_into().ok()?));
            Some(format!("vsock:{}:{}", word(8)?, word(4)?))
        }
        other => Some(format!("family {other}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(family: i32, rest: &[u8]) -> Option<String> {
        let family = u16::try_from(family).expect("small").to_ne_bytes();
        name(&[&family[..], rest].concat())
    }

    #[test]
    fn addresses_are_named() {
        let ipv6 = [&[0x01, 0xbb, 0, 0, 0, 0][..], &Ipv6Addr::LOCALHOST.octets(), &[0; 4]].concat();
        assert_eq!(of(libc::AF_INET, &[0x01, 0xbb, 192, 0, 2, 1, 0, 0]).as_deref(), Some("192.0.2.1:443"));
        assert_eq!(of(libc::AF_INET6, &ipv6).as_deref(), Some("[::1]:443"));
        assert_eq!(of(libc::AF_UNIX, b"/run/x.sock\0\0").as_deref(), Some("unix:/run/x.sock"));
        let vsock = [&[0, 0][..], &1234_u32.to_ne_bytes(), &2_u32.to_ne_bytes(), &[0; 4]].concat();
        assert_eq!(of(libc::AF_VSOCK, &vsock).as_deref(), Some("vsock:2:1234"));
        assert_eq!(of(libc::AF_PACKET, &[0; 16]).as_deref(), Some("family 17"));
        assert_eq!(of(libc::AF_UNIX, b"\0name").as_deref(), Some("unix:@name"));
    }

    #[test]
    fn what_is_short_or_of_no_network_is_none() {
        for (family, rest) in [
            (libc::AF_INET, &[0, 1, 127][..]),
            (libc::AF_INET6, &[0; 8]),
            (libc::AF_UNIX, b""),
            (libc::AF_UNIX, b"\0"),
            (libc::AF_UNSPEC, &[0; 14]),
            (libc::AF_NETLINK, &[0; 10]),
        ] {
            assert_eq!(of(family, rest), None, "{family}");
        }
        assert_eq!(name(&[]), None);
    }
}
