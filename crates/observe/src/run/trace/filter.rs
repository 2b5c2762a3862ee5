//! The filter that decides in the kernel which calls stop a process.

use std::mem::offset_of;

use libc::{
    BPF_ABS, BPF_JEQ, BPF_JGE, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W, SECCOMP_RET_ALLOW, SECCOMP_RET_TRACE,
    seccomp_data, sock_filter,
};

use super::calls::{ARCHITECTURE, looked_at};

/// Numbers of another interface of the same processor (x32).
const OTHER_INTERFACE: u32 = 0x4000_0000;

/// The program: calls that matter, and all of another architecture, stop.
pub(super) fn program() -> Vec<sock_filter> {
    let load = |offset: usize| statement(BPF_LD | BPF_W | BPF_ABS, u32::try_from(offset).unwrap_or(u32::MAX));
    let (architecture, number) = (offset_of!(seccomp_data, arch), offset_of!(seccomp_data, nr));
    // `send` is `sendto` without an address, which there are many of.
    let address = offset_of!(seccomp_data, args) + 4 * size_of::<u64>();
    let calls: Vec<u32> = looked_at().filter_map(|number| u32::try_from(number).ok()).collect();
    let sendto = u32::try_from(libc::SYS_sendto).unwrap_or(u32::MAX);
    // From the end: allow, trace.
    let tail = [
        statement(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        load(address),
        jump(BPF_JEQ, 0, 0, 2),
        load(address + 4),
        jump(BPF_JEQ, 0, 1, 0),
        statement(BPF_RET | BPF_K, SECCOMP_RET_TRACE),
        statement(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    ];
    const TRACE_IN_TAIL: usize = 5;
    let mut program = vec![load(architecture)];
    // Offsets are from the next instruction.
    let length = 4 + calls.len() + 1;
    let to_trace = |at: usize| u8::try_from(length + TRACE_IN_TAIL - at - 1).unwrap_or(u8::MAX);
    program.push(jump(BPF_JEQ, ARCHITECTURE, 0, to_trace(1)));
    program.push(load(number));
    program.push(jump(BPF_JGE, OTHER_INTERFACE, to_trace(3), 0));
    for call in calls {
        let at = program.len();
        program.push(jump(BPF_JEQ, call, to_trace(at), 0));
    }
    program.push(jump(BPF_JEQ, sendto, 1, 0));
    program.extend(tail);
    program
}

fn statement(code: u32, value: u32) -> sock_filter {
    sock_filter { code: u16::try_from(code).unwrap_or_default(), jt: 0, jf: 0, k: value }
}

fn jump(condition: u32, value: u32, if_so: u8, if_not: u8) -> sock_filter {
    let code = u16::try_from(BPF_JMP | condition | BPF_K).unwrap_or_default();
    sock_filter { code, jt: if_so, jf: if_not, k: value }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel would do, by its rules for these few instructions.
    fn verdict(architecture: u32, number: u32, address: u64) -> u32 {
        let program = program();
        let mut data = [0_u32; 16];
        (data[0], data[1]) = (number, architecture);
        (data[12], data[13]) = (address as u32, (address >> 32) as u32);
        let (mut at, mut value) = (0, 0);
        loop {
            let one = program[at];
            at += 1;
            match u32::from(one.code) {
                code if code == BPF_LD | BPF_W | BPF_ABS => value = data[one.k as usize / 4],
                code if code == BPF_RET | BPF_K => return one.k,
                code => {
                    let holds = if code == BPF_JMP | BPF_JEQ | BPF_K { value == one.k } else { value >= one.k };
                    at += usize::from(if holds { one.jt } else { one.jf });
                }
            }
        }
    }

    #[test]
    fn calls_that_matter_stop_and_others_do_not() {
        for call in looked_at() {
            assert_eq!(verdict(ARCHITECTURE, call as u32, 0), SECCOMP_RET_TRACE, "{call}");
        }
        for call in [libc::SYS_read, libc::SYS_write, libc::SYS_mmap, libc::SYS_close, libc::SYS_futex] {
            assert_eq!(verdict(ARCHITECTURE, call as u32, 1), SECCOMP_RET_ALLOW, "{call}");
        }
        for (address, expected) in [
            (0, SECCOMP_RET_ALLOW),
            (1, SECCOMP_RET_TRACE),
            (1 << 40, SECCOMP_RET_TRACE),
            (u64::MAX, SECCOMP_RET_TRACE),
        ] {
            assert_eq!(verdict(ARCHITECTURE, libc::SYS_sendto as u32, address), expected, "{address}");
        }
        assert_eq!(verdict(ARCHITECTURE ^ 1, libc::SYS_read as u32, 0), SECCOMP_RET_TRACE);
        assert_eq!(verdict(ARCHITECTURE, OTHER_INTERFACE, 0), SECCOMP_RET_TRACE);
    }
}
