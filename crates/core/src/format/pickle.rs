//! Python's pickles, scanned and never executed.
//!
//! A pickle is a program. The scanner follows its stack and memo just far enough to know which text is given to which opcode:
//! a text is kept as its place in the file, so nothing hostile makes it keep much. What stands before a malformed opcode is
//! reported too, since an unpickler has run it by then.

mod machine;
mod window;

use std::collections::BTreeSet;

use super::bytes::{Bytes, Stop};
use super::findings::Findings;
use super::{CodeOnLoad, Format, Recognition, globals};
use machine::{Global, Machine, Value};
use window::Window;

/// The most opcodes of one file.
const MOST_OPCODES: u64 = 1 << 25;
/// The most pickles that are followed one after the other.
const MOST_PICKLES: usize = 64;
/// The newest protocol.
const NEWEST_PROTOCOL: u8 = 5;
/// A pickle that ends early is recognised by having this many opcodes, if it calls nothing.
const ENOUGH_OPCODES: u64 = 8;

/// How far a scan came, and what it met on its way.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// Where the pickle ended, if it did.
    pub(super) end: Option<u64>,
    /// Why the scan ended before the pickle did.
    pub(super) stopped: Option<String>,
    /// It did because of a limit, so that an unpickler would have gone on.
    is_limited: bool,
    /// It did because the bytes end.
    is_short: bool,
    pub(super) protocol: Option<u8>,
    /// Calls that make a tensor.
    pub(super) tensors: u64,
    /// The data types of the storages that are named, in PyTorch's words.
    pub(super) dtypes: BTreeSet<&'static str>,
    opcodes: u64,
    globals: u64,
    /// Of them, those that Python would look for: a name that no module can have ends the loading.
    findable: u64,
    calls: u64,
}

impl Scan {
    /// Whether these bytes are a pickle beyond doubt: to the end, or far enough for somebody to be hurt.
    pub(super) fn is_convincing(&self) -> bool {
        self.end.is_some() || self.calls > 0
    }
}

/// Reads a file that begins with a pickle, and others behind it. None if it does not.
pub(super) fn read(bytes: &Bytes<'_>) -> Result<Option<Recognition>, Stop> {
    let mut findings = Findings::default();
    let first = scan(bytes, 0, &mut findings)?;
    let has_protocol = begins(&bytes.head(2)?);
    let convinced = first.is_convincing() || (has_protocol && (first.globals > 0 || first.opcodes >= ENOUGH_OPCODES));
    if !convinced {
        let stopped = first.stopped.filter(|_| first.is_limited);
        return Ok(stopped.map(|stopped| may_be(&stopped)));
    }
    let (mut pickles, mut end, mut stopped) = (1, first.end, first.stopped);
    let (mut is_marked, mut globals) = (has_protocol, first.globals);
    while let Some(at) = end.filter(|at| *at < bytes.length()) {
        is_marked |= begins(&bytes.part(at, at + 2).head(2)?);
        let mut further = Findings::default();
        let next = scan(bytes, at, &mut further)?;
        if pickles == MOST_PICKLES || !next.is_convincing() {
            // Without a beginning of their own, pickles that import nothing are some only if they are all there is.
            if !is_marked && globals == 0 && pickles < MOST_PICKLES {
                let stopped = next.stopped.filter(|_| next.is_limited);
                return Ok(stopped.map(|stopped| may_be(&stopped)));
            }
            findings.problem(format!("{} bytes stand behind the pickle's end", bytes.length() - at));
            break;
        }
        findings.absorb("", further);
        pickles += 1;
        globals += next.globals;
        (end, stopped) = (next.end, next.stopped);
    }
    if pickles > 1 && !is_marked && globals == 0 && stopped.is_some() {
        return Ok(None);
    }
    if let Some(stopped) = stopped {
        findings.problem(stopped);
    }
    if let Some(protocol) = first.protocol {
        findings.detail("protocol", protocol.to_string());
    }
    if pickles > 1 {
        findings.detail("pickles", pickles.to_string());
    }
    Ok(Some(findings.into_recognition(Some(Format::Pickle))))
}

/// Reads the pickles that a file of another format begins with, if they run code. None if they do not.
///
/// The first bytes of numbers and texts can look like opcodes, so harmless ones prove nothing.
pub(super) fn read_beneath(bytes: &Bytes<'_>) -> Result<Option<Recognition>, Stop> {
    let mut findings = Findings::default();
    let (mut at, mut findable, mut is_convincing, mut pickles) = (0, 0, false, 0);
    loop {
        pickles += 1;
        if pickles > MOST_PICKLES {
            return Ok(Some(may_be(&format!("at most {MOST_PICKLES} in a row are expected, found more"))));
        }
        let scan = scan(bytes, at, &mut findings)?;
        findable += scan.findable;
        is_convincing |= scan.is_convincing();
        if let Some(stopped) = scan.stopped.as_deref().filter(|_| scan.is_limited) {
            return Ok(Some(may_be(stopped)));
        }
        match scan.end.filter(|end| *end < bytes.length()) {
            Some(end) => at = end,
            None => break,
        }
    }
    let runs = is_convincing && findable > 0 && findings.has_code();
    Ok(runs.then(|| findings.into_recognition(Some(Format::Pickle))))
}

/// Whether a pickle, of any protocol, may begin with these bytes and go on behind them.
pub(super) fn may_begin(head: &[u8]) -> Result<bool, Stop> {
    let scan = scan(&Bytes::new(&head, head.len() as u64), 0, &mut Findings::default())?;
    Ok(scan.is_convincing() || scan.is_short || scan.is_limited)
}

/// What was not followed far enough to tell.
fn may_be(stopped: &str) -> Recognition {
    Recognition { problems: vec![format!("it may be a pickle: {stopped}")], ..Recognition::default() }
}

/// Whether a pickle of protocol 2 or newer begins here.
pub(super) fn begins(head: &[u8]) -> bool {
    matches!(head, [0x80, 0..=NEWEST_PROTOCOL, ..])
}

/// Scans the pickle that begins at `start`. Only an error of the file itself is one.
pub(super) fn scan(bytes: &Bytes<'_>, start: u64, findings: &mut Findings) -> Result<Scan, Stop> {
    let mut scanner = Scanner {
        window: Window::new(bytes, start),
        machine: Machine::default(),
        scan: Scan::default(),
        frame_end: 0,
        frames_are_honest: true,
        findings,
    };
    match scanner.run() {
        Ok(()) => scanner.scan.end = Some(scanner.window.position()),
        Err(stop) => scanner.scan.stopped = Some(stop.text()?),
    }
    scanner.scan.is_short = scanner.window.is_short;
    scanner.scan.is_limited |= scanner.machine.is_full || scanner.window.is_spent;
    Ok(scanner.scan)
}

struct Scanner<'a, 'b, 'f> {
    window: Window<'a, 'b>,
    machine: Machine,
    scan: Scan,
    /// Where the last frame ends.
    frame_end: u64,
    frames_are_honest: bool,
    findings: &'f mut Findings,
}

impl Scanner<'_, '_, '_> {
    fn run(&mut self) -> Result<(), Stop> {
        loop {
            if self.scan.opcodes == MOST_OPCODES {
                self.scan.is_limited = true;
                return Err(Stop::malformed(format!("the pickle has more than {MOST_OPCODES} opcodes")));
            }
            let at = self.window.position();
            let stopped = |stop: Stop| match stop {
                Stop::Malformed(text) => Stop::Malformed(format!("the pickle is broken at byte {at}: {text}")),
                Stop::Read(_) => stop,
            };
            let opcode = self.window.byte().map_err(stopped)?;
            if opcode == b'.' {
                self.machine.pop().map_err(stopped)?;
                self.scan.opcodes += 1;
                self.check_frame(at, true);
                return Ok(());
            }
            let frame_end = self.frame_end;
            self.step(opcode).map_err(stopped)?;
            self.scan.opcodes += 1;
            if opcode != 0x95 {
                self.check_frame(at, false);
            } else if at < frame_end {
                self.doubt_frames();
            }
        }
    }

    /// Python's unpickler drops what is left of a frame when an argument reaches beyond it, and goes on behind: it would read
    /// another pickle than the one that is scanned here. No pickler writes such a frame.
    fn check_frame(&mut self, start: u64, is_last: bool) {
        let end = self.window.position();
        if start < self.frame_end && (end > self.frame_end || (is_last && end < self.frame_end)) {
            self.doubt_frames();
        }
    }

    fn doubt_frames(&mut self) {
        if std::mem::take(&mut self.frames_are_honest) {
            self.findings.problem(
                "the pickle has a frame that ends elsewhere than its opcodes: readers disagree on what follows",
            );
        }
    }

    /// One opcode, by its byte (`pickletools` has their names).
    fn step(&mut self, opcode: u8) -> Result<(), Stop> {
        match opcode {
            0x80 => self.protocol(),
            0x95 => self.frame(),
            // Numbers, truth values and None: INT, LONG, FLOAT; BININT, BININT1, BININT2, BINFLOAT; LONG1, LONG4.
            b'I' | b'L' | b'F' => self.line_value(),
            b'J' => self.plain(4),
            b'K' => self.plain(1),
            b'M' => self.plain(2),
            b'G' => self.plain(8),
            0x8a => self.counted(1, false),
            0x8b => self.counted(4, false),
            b'N' | 0x88 | 0x89 => self.plain(0),
            // Texts: STRING, UNICODE; BINSTRING, SHORT_BINSTRING; BINUNICODE, SHORT_BINUNICODE, BINUNICODE8.
            b'S' | b'V' => self.line_text(opcode),
            b'T' | b'X' => self.counted(4, true),
            b'U' | 0x8c => self.counted(1, true),
            0x8d => self.counted(8, true),
            // Bytes: BINBYTES, SHORT_BINBYTES, BINBYTES8, BYTEARRAY8; NEXT_BUFFER, READONLY_BUFFER.
            b'B' => self.counted(4, false),
            b'C' => self.counted(1, false),
            0x8e | 0x96 => self.counted(8, false),
            0x97 => self.plain(0),
            0x98 => self.machine.top().map(|_| ()),
            // Empty containers.
            b'}' | b']' | b')' | 0x8f => self.plain(0),
            // Containers of what stands above the mark: DICT, LIST, TUPLE, FROZENSET.
            b'd' | b'l' | b't' | 0x91 => {
                self.machine.pop_to_mark()?;
                self.machine.push(Value::Other)
            }
            0x85 => self.tuple(1),
            0x86 => self.tuple(2),
            0x87 => self.tuple(3),
            // What goes into a container below: APPEND, SETITEM; APPENDS, SETITEMS, ADDITEMS.
            b'a' => self.machine.pop().and_then(|_| self.machine.top().map(|_| ())),
            b's' => {
                self.machine.pop()?;
                self.machine.pop()?;
                self.machine.top().map(|_| ())
            }
            b'e' | b'u' | 0x90 => {
                self.machine.pop_to_mark()?;
                self.machine.top().map(|_| ())
            }
            // The stack itself: MARK, POP, POP_MARK, DUP.
            b'(' => self.machine.mark(),
            b'0' => self.machine.pop_or_unmark(),
            b'1' => self.machine.pop_to_mark().map(|_| ()),
            b'2' => self.machine.top().and_then(|value| self.machine.push(value)),
            // The memo: GET, BINGET, LONG_BINGET; PUT, BINPUT, LONG_BINPUT; MEMOIZE.
            b'g' => self.window.line_number().and_then(|key| self.machine.get(key)),
            b'h' => self.window.number(1).and_then(|key| self.machine.get(key)),
            b'j' => self.window.number(4).and_then(|key| self.machine.get(key)),
            b'p' => self.window.line_number().and_then(|key| self.machine.put(key)),
            b'q' => self.window.number(1).and_then(|key| self.machine.put(key)),
            b'r' => self.window.number(4).and_then(|key| self.machine.put(key)),
            0x94 => self.machine.memoize(),
            // What a loader gives for a name of its own: PERSID, BINPERSID.
            b'P' => {
                self.window.line()?;
                self.machine.push(Value::Persistent)
            }
            b'Q' => {
                self.machine.pop()?;
                self.machine.push(Value::Persistent)
            }
            _ => self.code(opcode),
        }
    }

    /// The opcodes that import, call or change something.
    fn code(&mut self, opcode: u8) -> Result<(), Stop> {
        match opcode {
            // GLOBAL, STACK_GLOBAL.
            b'c' => {
                let global = self.line_global()?;
                self.machine.push(global)
            }
            0x93 => {
                let (name, module) = (self.machine.pop()?, self.machine.pop()?);
                let (module, name) = (self.window.text(module)?, self.window.text(name)?);
                self.scan.findable += u64::from(module.as_deref().is_none_or(globals::is_findable));
                let global = self.import(module, name)?;
                self.machine.push(global)
            }
            // INST, OBJ: a class of old Python, and what stands above the mark.
            b'i' => {
                let global = self.line_global()?;
                self.machine.pop_to_mark()?;
                self.call(global);
                self.machine.push(Value::Other)
            }
            b'o' => {
                let class =
                    self.machine.pop_to_mark()?.ok_or_else(|| Stop::malformed("a class is expected, found none"))?;
                self.call(class);
                self.machine.push(Value::Other)
            }
            // REDUCE, NEWOBJ; NEWOBJ_EX.
            b'R' | 0x81 | 0x92 => {
                self.machine.pop()?;
                if opcode == 0x92 {
                    self.machine.pop()?;
                }
                let callable = self.machine.pop()?;
                self.call(callable);
                self.machine.push(Value::Other)
            }
            // BUILD.
            b'b' => {
                self.machine.pop()?;
                let target = self.machine.top()?;
                self.scan.calls += 1;
                if let Value::Global(index) = target {
                    let name = self.machine.global(index).display();
                    self.findings.problem(format!("attributes of {name} itself are set, for the whole process"));
                    self.findings.code(CodeOnLoad::Global(name));
                }
                Ok(())
            }
            // EXT1, EXT2, EXT4: what a registry of the process says.
            0x82..=0x84 => {
                let number = self.window.number(1 << (opcode - 0x82))?;
                let global = self.import(None, Some(format!("extension {number}")))?;
                self.machine.push(global)
            }
            _ => Err(Stop::malformed(format!("an opcode is expected, found 0x{opcode:02x}"))),
        }
    }

    fn protocol(&mut self) -> Result<(), Stop> {
        let protocol = self.window.byte()?;
        if protocol > NEWEST_PROTOCOL {
            return Err(Stop::malformed(format!("a protocol up to {NEWEST_PROTOCOL} is expected, found {protocol}")));
        }
        self.scan.protocol.get_or_insert(protocol);
        Ok(())
    }

    fn frame(&mut self) -> Result<(), Stop> {
        let length = self.window.number(8)?;
        let left = self.window.left();
        if length > left {
            self.window.is_short = true;
            return Err(Stop::malformed(format!("a frame of {length} bytes is expected, found {left}")));
        }
        self.frame_end = self.window.position() + length;
        Ok(())
    }

    fn plain(&mut self, argument_bytes: u64) -> Result<(), Stop> {
        self.window.skip(argument_bytes)?;
        self.machine.push(Value::Other)
    }

    fn counted(&mut self, width: u32, is_text: bool) -> Result<(), Stop> {
        let length = self.window.number(width)?;
        let at = self.window.position();
        self.window.skip(length)?;
        self.machine.push(if is_text { Value::text(at, length) } else { Value::Other })
    }

    fn line_value(&mut self) -> Result<(), Stop> {
        self.window.line()?;
        self.machine.push(Value::Other)
    }

    fn line_text(&mut self, opcode: u8) -> Result<(), Stop> {
        let (mut at, mut length) = self.window.line()?;
        if opcode == b'S' {
            // Between quotes.
            (at, length) = (at + 1, length.saturating_sub(2));
        }
        self.machine.push(Value::escaped(at, length))
    }

    fn tuple(&mut self, length: usize) -> Result<(), Stop> {
        for _ in 0..length {
            self.machine.pop()?;
        }
        self.machine.push(Value::Other)
    }

    fn line_global(&mut self) -> Result<Value, Stop> {
        let module = self.window.line()?;
        let name = self.window.line()?;
        let text = |(at, length)| Value::text(at, length);
        let (module, name) = (self.window.text(text(module))?, self.window.text(text(name))?);
        // A line that is too long for a name is none.
        self.scan.findable += u64::from(module.as_deref().is_some_and(globals::is_findable));
        self.import(module, name)
    }

    /// Judges a global. None is a name that could not be followed.
    fn import(&mut self, module: Option<String>, name: Option<String>) -> Result<Value, Stop> {
        self.scan.globals += 1;
        let (index, is_new) = self.machine.intern(Global::new(module, name))?;
        if is_new {
            let global = self.machine.global(index);
            if let Some(dtype) = globals::storage_dtype(&global.name) {
                self.scan.dtypes.insert(dtype);
            }
            let display = global.display();
            if !global.is_harmless {
                self.findings.code(CodeOnLoad::Global(display.clone()));
            }
            self.findings.global(display);
        }
        Ok(Value::Global(index))
    }

    fn call(&mut self, callable: Value) {
        self.scan.calls += 1;
        match callable {
            Value::Global(index) => {
                let global = self.machine.global(index);
                self.scan.tensors += u64::from(globals::makes_tensor(&global.module, &global.name));
            }
            Value::Persistent => {}
            Value::Other | Value::Text { .. } => {
                self.findings.code(CodeOnLoad::Global("something that another call returned".to_owned()));
            }
        }
    }
}
